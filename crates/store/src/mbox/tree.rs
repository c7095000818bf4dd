//! The mailboxes of an account as files: INBOX in the spool, the others below a directory.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::files::Mbox;
use super::lockfile::Locks;
use super::{scan, uids};
use crate::foreign::{Tree, owned};
use crate::{Error, Name, Owner, Place, Result, Usage, from_utf7, to_utf7};

/// An account.
#[derive(Debug)]
pub struct Mboxes {
    place: Place,
    owner: Owner,
    locks: Locks,
}

impl Mboxes {
    /// The account at a place.
    pub fn new(place: &Place, owner: &Owner, locks: Locks) -> Mboxes {
        Mboxes { place: place.clone(), owner: owner.clone(), locks }
    }

    fn inbox(&self) -> PathBuf {
        self.place.inbox.clone().unwrap_or_else(|| self.place.root.join("inbox"))
    }

    /// Our directory, which Dovecot also keeps its indexes in, and which no program lists.
    fn private(&self) -> PathBuf {
        self.place.index.clone().unwrap_or_else(|| self.place.root.join(".imap"))
    }

    fn path(&self, name: &Name) -> Result<PathBuf> {
        if name.is_inbox() {
            return Ok(self.inbox());
        }
        let mut path = self.place.root.clone();
        for level in name.levels() {
            let level = to_utf7(level);
            if level.starts_with('.') || level.ends_with(".lock") || level.len() > 255 {
                return Err(Error::BadName("a level of it is a name that mbox folders keep for themselves"));
            }
            path.push(level);
        }
        Ok(path)
    }

    fn walk(&self, directory: &Path, above: &[String], names: &mut Vec<(Name, bool)>) -> Result<()> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("read", directory, error)),
        };
        let inbox = self.inbox();
        for entry in entries {
            let entry = entry.map_err(|error| Error::io("read", directory, error))?;
            let Some(level) = entry.file_name().to_str().and_then(from_utf7) else { continue };
            let path = entry.path();
            if level.starts_with('.') || level.ends_with(".lock") || path == inbox {
                continue;
            }
            let Ok(meta) = std::fs::metadata(&path) else { continue };
            let mut levels = above.to_vec();
            levels.push(level);
            if let Ok(name) = Name::new(&levels.join("/"))
                && (meta.is_file() || meta.is_dir())
            {
                names.push((name, meta.is_file()));
                if meta.is_dir() {
                    self.walk(&path, &levels, names)?;
                }
            }
        }
        Ok(())
    }

    /// Sees to it that there can be a file of this name: no level above it is a file, and what is left of mailboxes below
    /// it, empty directories, goes.
    fn make_way(&self, name: &Name) -> Result<()> {
        let mut above = name.parent();
        while let Some(parent) = above {
            if self.path(&parent)?.is_file() {
                return Err(Error::Unsupported("an mbox file holds messages or other mailboxes, not both"));
            }
            above = parent.parent();
        }
        let path = self.path(name)?;
        if path.is_dir() {
            remove_empty(&path).map_err(|error| match error.kind() {
                // There are mailboxes below it.
                io::ErrorKind::DirectoryNotEmpty => Error::Exists,
                _ => Error::io("remove", &path, error),
            })?;
        }
        Ok(())
    }
}

/// Removes a directory with those in it, where there is nothing else.
fn remove_empty(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        remove_empty(&entry.path())?;
    }
    std::fs::remove_dir(directory)
}

impl Tree for Mboxes {
    type Files = Mbox;

    fn separator(&self) -> char {
        '/'
    }

    fn ledger(&self) -> PathBuf {
        self.private().join("facteur.db")
    }

    fn names(&self) -> Result<Vec<(Name, bool)>> {
        let mut names = Vec::new();
        self.walk(&self.place.root, &[], &mut names)?;
        Ok(names)
    }

    fn exists(&self, name: &Name) -> Result<bool> {
        Ok(name.is_inbox() || self.path(name)?.is_file())
    }

    fn both(&self) -> bool {
        false
    }

    fn create(&self, name: &Name) -> Result<()> {
        self.make_way(name)?;
        self.open(name, 0)?.create()
    }

    fn create_level(&self, name: &Name) -> Result<()> {
        self.make_way(name)?;
        owned::directories(&self.path(name)?, &self.owner)
    }

    fn delete_level(&self, name: &Name) -> Result<bool> {
        let path = self.path(name)?;
        match std::fs::remove_dir(&path) {
            Ok(()) => Ok(true),
            Err(_) if !path.is_dir() => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                Err(Error::Unsupported("there are mailboxes below it, delete them first"))
            }
            Err(error) => Err(Error::io("remove", &path, error)),
        }
    }

    fn delete(&self, name: &Name) -> Result<()> {
        let path = self.path(name)?;
        std::fs::remove_file(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoMailbox,
            _ => Error::io("remove", &path, error),
        })?;
        // The next mailbox of this name is another one: its UIDs start anew, with another UIDVALIDITY.
        let ours = self.open(name, 0)?;
        ours.uids.forget()
    }

    fn rename(&self, from: &Name, to: &Name) -> Result<()> {
        self.make_way(to)?;
        let (old, new) = (self.path(from)?, self.path(to)?);
        if let Some(parent) = new.parent() {
            owned::directories(parent, &self.owner)?;
        }
        let names = self.names()?;
        std::fs::rename(&old, &new).map_err(|error| Error::io("rename", &old, error))?;
        for (name, _) in names {
            if let Some(renamed) = name.renamed(from, to)? {
                let private = self.private();
                let moved = (uids::path(&private, name.as_str()), uids::path(&private, renamed.as_str()));
                match std::fs::rename(&moved.0, &moved.1) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::io("rename", &moved.0, error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn open(&self, name: &Name, _now: i64) -> Result<Mbox> {
        let private = self.private();
        owned::directories(&private, &self.owner)?;
        Ok(Mbox::open(self.path(name)?, &private, name.as_str(), &self.owner, self.locks.clone()))
    }

    fn tally(&self, name: &Name) -> Result<(u64, Option<u32>)> {
        let path = self.path(name)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, None)),
            Err(error) => return Err(Error::io("open", &path, error)),
        };
        let found = scan::scan(&file, &TimeZone::UTC).map_err(|error| Error::io("read", &path, error))?;
        let found = found.unwrap_or_default();
        let base = found.first().and_then(|first| first.marks.base.as_ref());
        let hidden = found.iter().filter(|message| message.marks.pseudo).count();
        Ok(((found.len() - hidden) as u64, base.map(|base| base.uidvalidity)))
    }

    fn subscriptions(&self) -> PathBuf {
        self.place.control.as_ref().unwrap_or(&self.place.root).join(".subscriptions")
    }

    fn counted(&self, _now: i64) -> Result<Option<Usage>> {
        Ok(None)
    }

    fn write_count(&self, _usage: Usage) -> Result<()> {
        Ok(())
    }

    fn count_change(&self, _bytes: i64, _messages: i64) -> Result<()> {
        Ok(())
    }
}
