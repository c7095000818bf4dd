//! `dovecot-uidlist` on the disk: locked, read, appended to, written anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::uidlist::{self, Record, Uidlist};
use crate::foreign::owned;
use crate::lock::{Dotlock, Patience};
use crate::{Error, Owner, Result};

/// Dovecot's own patience with this lock.
const PATIENCE: Patience = Patience { wait: Duration::from_secs(120), stale: Duration::from_secs(120) };

/// Which file it was, and how it looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Of a file or directory; `None` where there is none.
    pub fn of(path: &Path) -> Result<Option<Stamp>> {
        match std::fs::metadata(path) {
            Ok(meta) => Ok(Some(Stamp::from(&meta))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at", path, error)),
        }
    }

    /// When it was modified, seconds since 1970.
    pub fn seconds(&self) -> i64 {
        self.modified.0
    }
}

impl From<&std::fs::Metadata> for Stamp {
    fn from(meta: &std::fs::Metadata) -> Stamp {
        Stamp { inode: meta.ino(), size: meta.size(), modified: (meta.mtime(), meta.mtime_nsec()) }
    }
}

/// The file of a mailbox. Records are not held: only what an append needs to know.
#[derive(Debug)]
pub struct UidFile {
    path: PathBuf,
    owner: Owner,
    /// How the file looked when it was last read or written here.
    stamp: Option<Stamp>,
    /// The list without its records.
    head: Uidlist,
    /// Ends the file in the middle of a line?
    torn: bool,
}

impl UidFile {
    /// The file in this directory.
    pub fn new(directory: &Path, owner: &Owner) -> UidFile {
        UidFile {
            path: directory.join("dovecot-uidlist"),
            owner: owner.clone(),
            stamp: None,
            head: Uidlist::new(0, String::new()),
            torn: false,
        }
    }

    /// UIDVALIDITY, next UID and GUID as last read.
    pub fn head(&self) -> &Uidlist {
        &self.head
    }

    /// Has it changed since it was last read or written here?
    pub fn changed(&self) -> Result<bool> {
        Ok(Stamp::of(&self.path)? != self.stamp || self.stamp.is_none())
    }

    /// Reads all of it; `None` where there is none or it is broken, which is logged.
    pub fn read(&mut self) -> Result<Option<Uidlist>> {
        let (text, stamp) = match self.text() {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.stamp = None;
                return Ok(None);
            }
            Err(error) => return Err(Error::io("read", &self.path, error)),
        };
        match Uidlist::parse(&text) {
            Ok((list, whole)) => {
                self.torn = whole < text.len();
                self.stamp = Some(stamp);
                self.head = list.head();
                Ok(Some(list))
            }
            Err(broken) => {
                log::error!(
                    "{}: line {}: {}; the mailbox gets new UIDs",
                    self.path.display(),
                    broken.line,
                    broken.what
                );
                self.stamp = None;
                Ok(None)
            }
        }
    }

    fn text(&self) -> io::Result<(Vec<u8>, Stamp)> {
        let file = File::open(&self.path)?;
        let stamp = Stamp::from(&file.metadata()?);
        let mut text = vec![0; usize::try_from(stamp.size).unwrap_or(usize::MAX)];
        let mut have = 0;
        while have < text.len() {
            match file.read_at(&mut text[have..], have as u64)? {
                0 => break,
                n => have += n,
            }
        }
        text.truncate(have);
        Ok((text, stamp))
    }

    /// Locks it against Dovecot and other processes of ours. `now`: seconds since 1970.
    pub fn lock(&self, now: i64) -> Result<Dotlock> {
        Dotlock::take(&self.path, PATIENCE, u64::try_from(now).unwrap_or(0))
    }

    /// Appends records, durably. The file is locked, was read, and has not changed since.
    pub fn append(&mut self, records: &[Record]) -> Result<()> {
        let Some(last) = records.last() else { return Ok(()) };
        let next = last.uid.checked_add(1).ok_or(Error::Limit("UIDs of a mailbox"))?;
        if self.torn {
            // A line that another program left half would swallow the first of ours.
            let mut list = self.read()?.ok_or_else(|| Error::Damaged(self.path.display().to_string()))?;
            list.records.extend_from_slice(records);
            list.next_uid = next;
            return self.write(&list);
        }
        let failed = |error| Error::io("append to", &self.path, error);
        let file = OpenOptions::new().append(true).open(&self.path).map_err(failed)?;
        let before = file.metadata().map_err(failed)?.len();
        let done = (&file).write_all(&uidlist::lines(records)).and_then(|()| file.sync_data());
        if let Err(error) = done {
            if let Err(error) = file.set_len(before) {
                log::error!("cut {} back: {error}", self.path.display());
            }
            return Err(failed(error));
        }
        self.stamp = Some(Stamp::from(&file.metadata().map_err(failed)?));
        self.head.next_uid = next;
        Ok(())
    }

    /// Writes it anew, durably. It is locked.
    pub fn write(&mut self, list: &Uidlist) -> Result<()> {
        let new = self.path.with_file_name("dovecot-uidlist.tmp");
        let failed = |error| Error::io("write", &new, error);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(failed)?;
        file.write_all(&list.write()).and_then(|()| file.sync_data()).map_err(failed)?;
        owned::give_file(&file, &new, &self.owner)?;
        std::fs::rename(&new, &self.path).map_err(|error| Error::io("rename to", &self.path, error))?;
        self.stamp = Some(Stamp::from(&file.metadata().map_err(failed)?));
        self.head = list.head();
        self.torn = false;
        Ok(())
    }
}
