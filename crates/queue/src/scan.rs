//! Reads a segment from end to end and tells whole frames, damage and a torn tail apart.

use std::io;

use crate::disk::{DiskFile, read_up_to};
use crate::frame::{HEAD, Head, salt_of, u64_at};

/// What lies in a segment, in order.
pub(crate) enum Found<'a> {
    /// A whole frame: where it is, its head and its meta part.
    Frame { offset: u64, head: Head, meta: &'a [u8] },
    /// Bytes that are no frame although whole frames follow, or a frame that fails its checksum.
    Damage { offset: u64, len: u64, meta: Option<&'a [u8]> },
}

/// Where a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// End of the last frame (or damage).
    pub(crate) good: u64,
    /// Bytes of a torn frame behind it.
    pub(crate) torn: u64,
}

const WINDOW: usize = 1 << 20;
const BLOCK: u64 = 4096;

/// Reads segment `number`, calling `visit` for all that is found in it.
///
/// Content is read too, for its checksum. A read error is damage like any other; only a file whose length cannot
/// be told is an error.
pub(crate) fn scan(file: &dyn DiskFile, number: u64, visit: &mut dyn FnMut(Found<'_>)) -> io::Result<End> {
    let len = file.size()?;
    let mut window = Window { file, len, start: 0, bytes: Vec::new() };
    let header = salt_of(window.get(0, HEAD).unwrap_or_default(), number);
    // Each frame repeats the salt, so the first one stands in for a damaged header.
    let first = || window_salt(file, len);
    let Some(salt) = header.or_else(first) else {
        return Ok(End { good: 0, torn: if is_blank(&mut window, 0) { 0 } else { len } });
    };
    let mut at = HEAD as u64;
    loop {
        match window.frame(number, salt, at) {
            Some(head) if window.is_whole(&head, at) => {
                let meta = window.get(at + HEAD as u64, head.meta as usize).unwrap_or_default();
                visit(Found::Frame { offset: at, head, meta });
                at += head.len();
            }
            // The head can be trusted with the length, so the damage ends where the next frame begins.
            Some(head) if at + head.len() <= len => {
                let meta = window.get(at + HEAD as u64, head.meta as usize).ok();
                let meta = meta.filter(|meta| crc32fast::hash(meta) == head.meta_crc);
                visit(Found::Damage { offset: at, len: head.len(), meta });
                at += head.len();
            }
            _ => match window.next_frame(number, salt, at) {
                Some(next) => {
                    visit(Found::Damage { offset: at, len: next - at, meta: None });
                    at = next;
                }
                None => {
                    let torn = if is_blank(&mut window, at) { 0 } else { len.saturating_sub(at) };
                    return Ok(End { good: at.min(len), torn });
                }
            },
        }
    }
}

fn window_salt(file: &dyn DiskFile, len: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (len >= 2 * HEAD as u64 && read_up_to(file, &mut bytes, HEAD as u64).ok()? == 8)
        .then(|| u64_at(&bytes, 0))
}

/// Is there nothing but zeros (space that was reserved) from `at` on?
fn is_blank(window: &mut Window<'_>, mut at: u64) -> bool {
    while at < window.len {
        let want = WINDOW.min((window.len - at) as usize);
        match window.get(at, want) {
            Ok(bytes) if bytes.iter().all(|b| *b == 0) => at += want as u64,
            _ => return false,
        }
    }
    true
}

/// A piece of the file in memory.
struct Window<'a> {
    file: &'a dyn DiskFile,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Exactly `len` bytes at `offset`.
    fn get(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let end = offset + len as u64;
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            let want = len.max(WINDOW).min((self.len - offset) as usize);
            self.bytes.clear();
            self.bytes.resize(want, 0);
            self.start = offset;
            let got = match read_up_to(self.file, &mut self.bytes, offset) {
                Ok(got) => got,
                // One bad sector spoils a big read: ask for no more than is needed.
                Err(_) if want > len => {
                    self.bytes.truncate(len);
                    read_up_to(self.file, &mut self.bytes, offset).inspect_err(|_| self.bytes.clear())?
                }
                Err(error) => {
                    self.bytes.clear();
                    return Err(error);
                }
            };
            self.bytes.truncate(got);
        }
        let at = (offset - self.start) as usize;
        self.bytes.get(at..at + len).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn frame(&mut self, number: u64, salt: u64, at: u64) -> Option<Head> {
        Head::read(self.get(at, HEAD).ok()?, number, salt, at)
    }

    /// Do both parts have the checksums that the head says?
    fn is_whole(&mut self, head: &Head, at: u64) -> bool {
        if at + head.len() > self.len {
            return false;
        }
        let meta = at + HEAD as u64;
        let blob = meta + u64::from(head.meta);
        self.crc(blob, head.blob) == Some(head.blob_crc) && self.crc(meta, head.meta) == Some(head.meta_crc)
    }

    fn crc(&mut self, mut offset: u64, len: u32) -> Option<u32> {
        let mut crc = crc32fast::Hasher::new();
        let end = offset + u64::from(len);
        while offset < end {
            let some = WINDOW.min((end - offset) as usize);
            crc.update(self.get(offset, some).ok()?);
            offset += some as u64;
        }
        Some(crc.finalize())
    }

    /// The next valid head after `at`.
    fn next_frame(&mut self, number: u64, salt: u64, at: u64) -> Option<u64> {
        let needle = salt.to_le_bytes();
        let mut from = at + 1;
        while from + HEAD as u64 <= self.len {
            let want = (WINDOW as u64).min(self.len - from) as usize;
            let Ok(bytes) = self.get(from, want) else {
                // Unreadable: creep past it block by block. A salt may lie across the edge of two blocks.
                let block = (BLOCK - from % BLOCK).min(self.len - from);
                let reach = (block + 7).min(self.len - from);
                let readable = [reach, block].into_iter().find(|len| self.get(from, *len as usize).is_ok());
                if let Some(len) = readable
                    && let Some(found) = self.find(&needle, number, salt, from, len)
                {
                    return Some(found);
                }
                from += block;
                continue;
            };
            let len = bytes.len() as u64;
            match self.find(&needle, number, salt, from, len) {
                Some(found) => return Some(found),
                // A salt may lie across the edge of two windows.
                None if len > 7 && from + len < self.len => from += len - 7,
                None => return None,
            }
        }
        None
    }

    fn find(&mut self, needle: &[u8], number: u64, salt: u64, from: u64, len: u64) -> Option<u64> {
        let bytes = self.get(from, len as usize).ok()?;
        let found: Vec<u64> = memchr::memmem::find_iter(bytes, needle).map(|at| from + at as u64).collect();
        found.into_iter().find(|at| self.frame(number, salt, *at).is_some())
    }
}
