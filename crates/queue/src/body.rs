//! The content of a message: a [`Draft`] while it comes in, a [`Body`] when it is in the queue.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{Disk, DiskFile, read_exact_at, write_all_at};
use crate::{Failure, Kind};

/// How much is read from disk at a time.
const CHUNK: usize = 64 << 10;

/// Content on its way into the queue: in memory up to a bound, then in a file of its own.
///
/// `write` may block on the page cache, never on a sync. A draft that is dropped leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    limit: usize,
    memory: Vec<u8>,
    file: Option<DraftFile>,
}

#[derive(Debug)]
struct DraftFile {
    file: Arc<dyn DiskFile>,
    len: u64,
}

/// A complete draft.
#[derive(Debug)]
pub(crate) enum Content {
    Inline(Bytes),
    File(FileGuard),
}

/// A content file that goes away again unless it is kept.
#[derive(Debug)]
pub(crate) struct FileGuard {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    pub(crate) len: u64,
    keep: bool,
}

impl Draft {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: PathBuf, limit: usize, size_hint: u64) -> Draft {
        let room = usize::try_from(size_hint).unwrap_or(usize::MAX).min(limit);
        Draft { disk, path, limit, memory: Vec::with_capacity(room), file: None }
    }

    /// Appends content.
    pub fn write(&mut self, content: &[u8]) -> Result<(), Failure> {
        if self.memory.len() + content.len() <= self.limit {
            self.memory.extend_from_slice(content);
            return Ok(());
        }
        self.flush(content)
    }

    /// Writes what is in memory, and `content` behind it, to the file.
    fn flush(&mut self, content: &[u8]) -> Result<(), Failure> {
        let failed = |error| Failure::from_io(format!("write {}", self.path.display()), error);
        let draft = match &mut self.file {
            Some(draft) => draft,
            None => {
                let file = self.disk.create(&self.path).map_err(failed)?;
                self.file.insert(DraftFile { file, len: 0 })
            }
        };
        let mut pieces = [IoSlice::new(&self.memory), IoSlice::new(content)];
        draft.len += write_all_at(&*draft.file, &mut pieces, draft.len).map_err(failed)?;
        self.memory.clear();
        Ok(())
    }

    /// How much has been written, in bytes.
    pub fn len(&self) -> u64 {
        self.memory.len() as u64 + self.file.as_ref().map_or(0, |draft| draft.len)
    }

    /// Has nothing been written?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written so far, for scanners and filters.
    pub fn body(&mut self) -> Result<Body, Failure> {
        if self.file.is_some() && !self.memory.is_empty() {
            self.flush(&[])?;
        }
        Ok(match &self.file {
            None => Body::from(Bytes::copy_from_slice(&self.memory)),
            Some(draft) => Body::in_file(draft.file.clone(), &self.path, 0, draft.len, None),
        })
    }

    /// The complete content; no byte of small content is copied.
    pub(crate) fn finish(mut self) -> Result<Content, Failure> {
        if self.file.is_none() {
            return Ok(Content::Inline(std::mem::take(&mut self.memory).into()));
        }
        if !self.memory.is_empty() {
            self.flush(&[])?;
        }
        Ok(match self.file.take() {
            None => Content::Inline(Bytes::new()),
            Some(DraftFile { file, len }) => {
                let (disk, path) = (self.disk.clone(), self.path.clone());
                Content::File(FileGuard { disk, file, path, len, keep: false })
            }
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.file.is_some() {
            // The next start removes what is left of drafts.
            let _ = self.disk.remove(&self.path);
        }
    }
}

impl FileGuard {
    /// Makes the content durable under its final name. Blocks.
    pub(crate) fn settle(mut self, directory: &Path, name: &str) -> Result<FileGuard, Failure> {
        let to = directory.join(name);
        let failed = |error| Failure::from_io(format!("write {}", to.display()), error);
        self.file.sync().map_err(failed)?;
        self.disk.rename(&self.path, &to).map_err(failed)?;
        self.path.clone_from(&to);
        self.disk.sync_directory(directory).map_err(failed)?;
        Ok(self)
    }

    /// The file belongs to a message now.
    pub(crate) fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for FileGuard {
    fn drop(&mut self) {
        if !self.keep {
            let _ = self.disk.remove(&self.path);
        }
    }
}

/// The content of a message, in memory or on disk. Cheap to clone; reading from disk blocks.
///
/// It stays readable while the message is removed from the queue.
#[derive(Clone, Debug)]
pub struct Body(Source);

#[derive(Clone, Debug)]
enum Source {
    Memory(Bytes),
    File { file: Arc<dyn DiskFile>, path: Arc<Path>, offset: u64, len: u64, crc: Option<u32> },
}

impl Body {
    pub(crate) fn in_file(
        file: Arc<dyn DiskFile>,
        path: &Path,
        offset: u64,
        len: u64,
        crc: Option<u32>,
    ) -> Body {
        Body(Source::File { file, path: path.into(), offset, len, crc })
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File { len, .. } => *len,
        }
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content, if it is in memory: readers that have it need not go to a blocking thread.
    pub fn in_memory(&self) -> Option<&Bytes> {
        match &self.0 {
            Source::Memory(bytes) => Some(bytes),
            Source::File { .. } => None,
        }
    }

    /// Up to `len` bytes from `offset`; shorter only at the end. Memory is shared, not copied.
    pub fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, Failure> {
        let rest = self.len().saturating_sub(offset);
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(len);
        if len == 0 {
            return Ok(Bytes::new());
        }
        match &self.0 {
            Source::Memory(bytes) => Ok(bytes.slice(offset as usize..offset as usize + len)),
            Source::File { file, path, offset: start, .. } => {
                let mut chunk = vec![0; len];
                read_exact_at(&**file, &mut chunk, start + offset)
                    .map_err(|error| Failure::from_io(format!("read {}", path.display()), error))?;
                Ok(chunk.into())
            }
        }
    }

    /// All of it, chunk by chunk. Content from the journal is checked as it is read: if it is damaged the last
    /// chunk is an error.
    pub fn chunks(&self) -> impl Iterator<Item = Result<Bytes, Failure>> + Send + use<> {
        Chunks { body: self.clone(), at: 0, crc: crc32fast::Hasher::new() }
    }

    /// All of it in one piece: for content that is known to be small.
    pub fn bytes(&self) -> Result<Bytes, Failure> {
        if let Some(bytes) = self.in_memory() {
            return Ok(bytes.clone());
        }
        let mut all = Vec::with_capacity(usize::try_from(self.len()).unwrap_or_default());
        for chunk in self.chunks() {
            all.extend_from_slice(&chunk?);
        }
        Ok(all.into())
    }
}

impl From<Bytes> for Body {
    fn from(content: Bytes) -> Body {
        Body(Source::Memory(content))
    }
}

struct Chunks {
    body: Body,
    at: u64,
    crc: crc32fast::Hasher,
}

impl Iterator for Chunks {
    type Item = Result<Bytes, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let len = self.body.len();
        if self.at >= len {
            return None;
        }
        let piece = if self.body.in_memory().is_some() { usize::MAX } else { CHUNK };
        let chunk = match self.body.read_at(self.at, piece) {
            Ok(chunk) => chunk,
            Err(failure) => {
                self.at = len;
                return Some(Err(failure));
            }
        };
        self.at += chunk.len() as u64;
        if let Source::File { crc: Some(expected), path, .. } = &self.body.0 {
            self.crc.update(&chunk);
            if self.at == len && self.crc.clone().finalize() != *expected {
                let what = format!("{}: content is damaged on disk", path.display());
                return Some(Err(Failure::new(Kind::Disk, what)));
            }
        }
        Some(Ok(chunk))
    }
}
