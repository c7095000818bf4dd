//! The body files of an account: `current`, which is appended to, and older ones under their numbers.
//!
//! Whoever appends holds the lock of `current` (flock), so several processes may deliver to one account. A file
//! becomes an old one by a rename under that lock, and is not written to after it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::Disk;
use super::record::{self, FILE_HEAD, FileHead, Meta, Salt};
use super::room;
use super::sync::Unsynced;
use crate::{Error, Result};

/// A new file is begun after so many bytes.
pub(crate) const FILE_SIZE: u64 = 64 << 20;
/// Old files kept open for reading.
const KEPT: usize = 4;

/// The body files of an account.
#[derive(Debug)]
pub(crate) struct Bodies {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    current: Mutex<Option<Arc<BodyFile>>>,
    old: Mutex<Vec<Arc<BodyFile>>>,
}

/// An open body file.
#[derive(Debug)]
pub(crate) struct BodyFile {
    pub(crate) file: File,
    pub(crate) number: u32,
    pub(crate) salt: Salt,
    /// Its records end in [`record::END`].
    pub(crate) ended: bool,
    path: PathBuf,
    node: (u64, u64),
    /// Where its records ended when somebody looked; 0 when nobody has.
    end: AtomicU64,
    /// Somebody in this process has appended to it who would use room.
    room_asked: AtomicBool,
}

/// A body file and where its records end: up to where an account is entered.
pub(crate) type Entered = (u64, u64);

/// The right to append, until it is dropped.
pub(crate) struct Tail<'a> {
    bodies: &'a Bodies,
    slot: MutexGuard<'a, Option<Arc<BodyFile>>>,
    pub(crate) file: Arc<BodyFile>,
    /// Where the records end.
    pub(crate) len: u64,
    /// Length of the file, in bytes: what is behind the records is room.
    held: u64,
    /// Directories or files were made that a sync of the file alone does not make durable.
    fresh: bool,
}

/// A message to append: what is known of it, and its content in CRLF lines.
pub(crate) struct Piece<'a> {
    pub(crate) meta: Meta,
    pub(crate) content: &'a [u8],
}

/// Where a content lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Number of the file.
    pub(crate) file: u32,
    /// Offset of the content, in bytes.
    pub(crate) at: u64,
    pub(crate) len: u32,
    pub(crate) crc: u32,
}

impl Bodies {
    pub(crate) fn new(account: &Path, disk: Arc<dyn Disk>) -> Bodies {
        let directory = account.join("bodies");
        Bodies { directory, disk, current: Mutex::default(), old: Mutex::default() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, number: u32) -> PathBuf {
        self.directory.join(format!("{number:08}"))
    }

    fn current_path(&self) -> PathBuf {
        self.directory.join("current")
    }

    /// Is there nothing to enter behind what was entered? Waits for nobody.
    pub(crate) fn is_entered(&self, entered: Option<Entered>) -> bool {
        let path = self.current_path();
        let Ok(meta) = fs::metadata(&path) else { return entered.is_none() };
        match entered {
            Some((node, end)) if node == meta.ino() && end <= meta.len() => {
                end == meta.len() || self.is_free(&path, node, end, meta.len())
            }
            _ => false,
        }
    }

    /// Is what follows the records of `current` still room?
    fn is_free(&self, path: &Path, node: u64, end: u64, len: u64) -> bool {
        // Who holds it may be appending.
        let Ok(slot) = self.current.try_lock() else { return false };
        let known = slot.as_ref().filter(|file| file.node.1 == node);
        match known {
            Some(file) => room::is_free(&file.file, end, len),
            None => File::open(path).and_then(|file| room::is_free(&file, end, len)),
        }
        .unwrap_or(false)
    }

    /// Waits for the right to append.
    pub(crate) fn tail(&self) -> Result<Tail<'_>> {
        let mut slot = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.current_path();
        let failed = |doing, error| Error::io(doing, &path, error);
        let mut fresh = false;
        loop {
            let file = match slot.take() {
                Some(file) => file,
                None => Arc::new(match self.open_file(&path) {
                    Err(Error::NoMessage) => {
                        self.create()?;
                        fresh = true;
                        continue;
                    }
                    opened => opened?,
                }),
            };
            file.file.lock().map_err(|error| failed("lock", error))?;
            // Between the opening and the lock it may have become an old file.
            let here = fs::metadata(&path).map(|meta| (meta.dev(), meta.ino()));
            if here.is_ok_and(|node| node == file.node) {
                let held = file.file.metadata().map_err(|error| failed("look at", error))?.len();
                let len = file.records_end(held).map_err(|error| failed("read", error))?;
                *slot = Some(Arc::clone(&file));
                return Ok(Tail { bodies: self, slot, file, len, held, fresh });
            }
            let _ = file.file.unlock();
        }
    }

    /// Makes the first file, or the next where a crash left none.
    fn create(&self) -> Result<()> {
        let failed = |error| Error::io("create body file in", &self.directory, error);
        fs::DirBuilder::new()
            .recursive(true)
            .create(&self.directory)
            .and_then(|()| private(self.directory.parent().unwrap_or(&self.directory)))
            .map_err(failed)?;
        let number = self.numbers()?.last().map_or(1, |last| last + 1);
        match self.begin(number) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            begun => begun.map_err(failed),
        }
    }

    /// Puts an empty file with a head in the place of `current`, which must not be there.
    fn begin(&self, number: u32) -> io::Result<()> {
        let mut salt = Salt::default();
        File::open("/dev/urandom")?.read_exact(&mut salt)?;
        // Room is told from a record by it.
        salt[0] |= 1;
        let draft = self.directory.join(format!("draft.{}.{}", std::process::id(), u64::from_le_bytes(salt)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let head = record::file_head(number, salt);
        let linked = self
            .disk
            .write(&file, &[IoSlice::new(&head)], 0)
            .and_then(|()| fs::hard_link(&draft, self.current_path()));
        fs::remove_file(&draft)?;
        linked
    }

    /// The numbers of the old files, ascending.
    pub(crate) fn numbers(&self) -> Result<Vec<u32>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Error::io("list", &self.directory, error))?,
        };
        let mut numbers: Vec<u32> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A file by its number, for reading.
    pub(crate) fn file(&self, number: u32) -> Result<Arc<BodyFile>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(file) = current.filter(|file| file.number == number) {
            return Ok(file);
        }
        let mut old = self.old.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = old.iter().position(|file| file.number == number) {
            return Ok(Arc::clone(&old[at]));
        }
        // The file may become an old one between the two looks; then the third finds it.
        let mut opened = self.open_file(&self.path(number));
        if matches!(opened, Err(Error::NoMessage)) {
            opened = self.open_file(&self.current_path());
        }
        if opened.as_ref().is_ok_and(|file| file.number != number) || matches!(opened, Err(Error::NoMessage))
        {
            opened = self.open_file(&self.path(number));
        }
        let file = Arc::new(opened.map_err(|error| match error {
            Error::NoMessage => {
                Error::Damaged(format!("{}: the file is missing", self.path(number).display()))
            }
            other => other,
        })?);
        if old.len() == KEPT {
            old.remove(0);
        }
        old.push(Arc::clone(&file));
        Ok(file)
    }

    /// Opens a file; [`Error::NoMessage`] when it is not there.
    fn open_file(&self, path: &Path) -> Result<BodyFile> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::NoMessage),
            file => file.map_err(|error| Error::io("open", path, error))?,
        };
        let mut head = [0; FILE_HEAD];
        let read = file.read_exact_at(&mut head, 0).ok().and_then(|()| record::read_file_head(&head));
        let FileHead { number, salt, ended } =
            read.ok_or_else(|| Error::Damaged(format!("{}: not a body file", path.display())))?;
        let meta = file.metadata().map_err(|error| Error::io("look at", path, error))?;
        Ok(BodyFile {
            file,
            number,
            salt,
            ended,
            path: path.to_owned(),
            node: (meta.dev(), meta.ino()),
            end: AtomicU64::default(),
            room_asked: AtomicBool::default(),
        })
    }

    /// Reads a part of a content.
    pub(crate) fn read(&self, spot: &Spot, from: u64, to: u64) -> Result<Vec<u8>> {
        let (from, to) = (from.min(spot.len.into()), to.min(spot.len.into()));
        let mut bytes = vec![0; to.saturating_sub(from) as usize];
        let file = self.file(spot.file)?;
        file.read(&mut bytes, spot.at + from)?;
        // Only the whole can be checked.
        if bytes.len() == spot.len as usize && crc32fast::hash(&bytes) != spot.crc {
            let path = file.path.display();
            return Err(Error::Damaged(format!(
                "{path}: the message at {} is not what was written",
                spot.at
            )));
        }
        Ok(bytes)
    }

    /// Closes what is open; it is opened again when needed.
    pub(crate) fn close(&self) {
        self.old.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut slot = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = slot.take() {
            self.give_room_back(&file);
        }
    }

    /// Takes the room away that this process has made, unless somebody appends. What remains of it does no harm.
    fn give_room_back(&self, file: &BodyFile) {
        if !file.room_asked.load(Ordering::Relaxed) || file.file.try_lock().is_err() {
            return;
        }
        let here = fs::metadata(self.current_path()).is_ok_and(|meta| (meta.dev(), meta.ino()) == file.node);
        if here && let Ok(held) = file.file.metadata() {
            let cut = |end| if end < held.len() { file.file.set_len(end) } else { Ok(()) };
            let _ = file.records_end(held.len()).and_then(cut);
        }
        let _ = file.file.unlock();
    }

    /// Removes an old file.
    pub(crate) fn remove(&self, number: u32) -> Result<()> {
        self.old.lock().unwrap_or_else(PoisonError::into_inner).retain(|file| file.number != number);
        let path = self.path(number);
        fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))
    }
}

impl Drop for Bodies {
    fn drop(&mut self) {
        self.close();
    }
}

/// Only the owner looks into an account.
fn private(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

impl BodyFile {
    /// Fills `into` from `at` on.
    pub(crate) fn read(&self, into: &mut [u8], at: u64) -> Result<()> {
        self.file.read_exact_at(into, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Damaged(format!("{}: too short", self.path.display())),
            _ => Error::io("read", &self.path, error),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where its records end.
    pub(crate) fn len(&self) -> Result<u64> {
        let held = self.file.metadata().map_err(|error| Error::io("look at", &self.path, error))?.len();
        self.records_end(held).map_err(|error| Error::io("read", &self.path, error))
    }

    /// Where its records end, when it has `held` bytes.
    fn records_end(&self, held: u64) -> io::Result<u64> {
        if !self.ended {
            return Ok(held);
        }
        let end = room::records_end(&self.file, held, self.end.load(Ordering::Relaxed))?;
        // The head may end in zeros.
        let end = end.max(FILE_HEAD as u64);
        self.end.store(end, Ordering::Relaxed);
        Ok(end)
    }

    /// Is it the same file?
    pub(crate) fn same_as(&self, other: &BodyFile) -> bool {
        self.node == other.node
    }

    /// The device it is on.
    pub(crate) fn device(&self) -> u64 {
        self.node.0
    }
}

impl Tail<'_> {
    /// Appends messages; on failure the file is as before. Nothing is durable yet.
    pub(crate) fn append(&mut self, pieces: &[Piece<'_>]) -> Result<Vec<Spot>> {
        let end = if self.file.ended { &[record::END][..] } else { &[] };
        let mut at = self.len;
        let (mut heads, mut spots) = (Vec::with_capacity(pieces.len()), Vec::with_capacity(pieces.len()));
        for piece in pieces {
            let len = u32::try_from(piece.content.len()).map_err(|_| Error::Limit("4 GB in a message"))?;
            let crc = crc32fast::hash(piece.content);
            let head = record::encode(self.file.salt, &piece.meta, len, crc);
            spots.push(Spot { file: self.file.number, at: at + head.len() as u64, len, crc });
            at += head.len() as u64 + u64::from(len) + end.len() as u64;
            heads.push(head);
        }
        let slices: Vec<IoSlice<'_>> = heads
            .iter()
            .zip(pieces)
            .flat_map(|(head, piece)| [head, piece.content, end].map(IoSlice::new))
            .collect();
        let written = self.bodies.disk.write(&self.file.file, &slices, self.len);
        if let Err(error) = written {
            // Should this fail too, readers pass over what is half written.
            let _ = self.file.file.set_len(self.len);
            self.held = self.len;
            return Err(Error::io("write", &self.file.path, error));
        }
        self.len = at;
        self.held = self.held.max(at);
        self.file.end.store(at, Ordering::Relaxed);
        Ok(spots)
    }

    /// Up to where everything is entered once what was appended is.
    pub(crate) fn entered(&self) -> Entered {
        (self.file.node.1, self.len)
    }

    /// Makes room for records to come, where some have come before. What cannot be had is done without.
    pub(crate) fn make_room(&mut self) {
        let often = self.file.room_asked.swap(true, Ordering::Relaxed);
        let missing = room::missing(self.len, self.held - self.len).filter(|_| often && self.file.ended);
        let Some(len) = missing else { return };
        let disk = &*self.bodies.disk;
        match room::make(disk, &self.file.file, self.len, len) {
            Ok(()) => {
                disk.begin(&self.file.file, self.len, len);
                self.held = self.held.max(self.len + len);
            }
            Err(_) => {
                let _ = self.file.file.set_len(self.len);
                self.held = self.len;
            }
        }
    }

    /// Begins to write what was appended from `start` on to the disk, so that there is less to wait for later.
    pub(crate) fn begin_sync(&self, start: u64) {
        self.bodies.disk.begin(&self.file.file, start, self.len - start);
    }

    /// Gives the right to append back; what was appended is not durable yet.
    pub(crate) fn release(self) -> Unsynced {
        Unsynced { disk: Arc::clone(&self.bodies.disk), file: Arc::clone(&self.file), names: self.fresh }
    }

    /// Waits until everything appended is durable, and keeps the right to append.
    pub(crate) fn sync(&self) -> Result<()> {
        let synced = match self.fresh {
            true => self.bodies.disk.sync_all(&self.file.file),
            false => self.bodies.disk.sync(&self.file.file),
        };
        synced.map_err(|error| Error::io("sync", &self.file.path, error))
    }

    /// An older file, for reading.
    pub(crate) fn old_file(&self, number: u32) -> Result<Arc<BodyFile>> {
        self.bodies.open_file(&self.bodies.path(number)).map(Arc::new).map_err(|error| match error {
            Error::NoMessage => Error::Damaged(format!("{}: missing", self.bodies.path(number).display())),
            other => other,
        })
    }

    /// Makes the file an old one and begins the next.
    pub(crate) fn rotate(&mut self) -> Result<()> {
        let bodies = self.bodies;
        let number = self.file.number;
        let failed = |error| Error::io("begin a body file in", &bodies.directory, error);
        self.file.file.set_len(self.len).map_err(failed)?;
        self.sync()?;
        fs::rename(bodies.current_path(), bodies.path(number)).map_err(failed)?;
        bodies.begin(number + 1).map_err(failed)?;
        let next = Arc::new(bodies.open_file(&bodies.current_path())?);
        next.file.lock().map_err(failed)?;
        File::open(&bodies.directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        let _ = self.file.file.unlock();
        self.len = FILE_HEAD as u64;
        self.held = self.len;
        *self.slot = Some(Arc::clone(&next));
        self.file = next;
        Ok(())
    }
}

impl Drop for Tail<'_> {
    fn drop(&mut self) {
        let _ = self.file.file.unlock();
    }
}
