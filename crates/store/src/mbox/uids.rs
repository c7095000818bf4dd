//! UIDVALIDITY and the highest UID of an mbox, for the time when no message is there to hold them.
//!
//! `X-IMAPbase` is in the first message, and goes with it when another program removes that. A small file of ours
//! knows a UID above all that were given; it is written ahead, not for every message.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::head::Base;
use crate::foreign::{owned, validity};
use crate::{Error, Owner, Result};

/// So many UIDs are reserved at a time.
const AHEAD: u32 = 100;

/// The file.
#[derive(Debug)]
pub struct Uids {
    directory: PathBuf,
    path: PathBuf,
    owner: Owner,
    known: Option<(u32, u32)>,
    /// UIDVALIDITY of a mailbox that has nothing in it, nor ever had.
    fresh: Option<u32>,
    /// The highest UID given here.
    highest: u32,
}

impl Uids {
    /// Of the mailbox `name`, in a directory of ours.
    pub fn new(directory: &Path, name: &str, owner: &Owner) -> Uids {
        let path = path(directory, name);
        let known = std::fs::read_to_string(&path).ok().and_then(|text| {
            let (uidvalidity, reserved) = text.trim().split_once(' ')?;
            Some((uidvalidity.parse().ok()?, reserved.parse().ok()?))
        });
        Uids { directory: directory.to_owned(), path, owner: owner.clone(), known, fresh: None, highest: 0 }
    }

    /// The base that the first message has, or one that goes on where the last one ended, or a new one. `now`: seconds
    /// since 1970.
    pub fn base(&mut self, stored: Option<Base>, now: i64) -> Result<Base> {
        Ok(match (stored, self.known) {
            (Some(stored), Some((uidvalidity, reserved))) if stored.uidvalidity == uidvalidity => {
                // A program that writes back what it has read long ago takes the number back, too.
                let last_uid = stored.last_uid.max(self.highest);
                let taken_back = last_uid < reserved.saturating_sub(AHEAD);
                Base { last_uid: if taken_back { reserved } else { last_uid }, ..stored }
            }
            (Some(stored), _) => stored,
            (None, Some((uidvalidity, reserved))) => {
                Base { uidvalidity, last_uid: reserved, keywords: Vec::new() }
            }
            (None, None) => {
                let uidvalidity = match self.fresh {
                    Some(fresh) => fresh,
                    None => validity::next(&self.directory, &self.owner, now)?,
                };
                self.fresh = Some(uidvalidity);
                Base { uidvalidity, last_uid: 0, keywords: Vec::new() }
            }
        })
    }

    /// Makes it durable that the UIDs of `base` are used.
    pub fn reserve(&mut self, base: &Base) -> Result<()> {
        self.highest = base.last_uid;
        let enough = self.known.is_some_and(|(uidvalidity, reserved)| {
            uidvalidity == base.uidvalidity && base.last_uid <= reserved
        });
        if enough {
            return Ok(());
        }
        let reserved = base.last_uid.saturating_add(AHEAD);
        let written = self.write(base.uidvalidity, reserved);
        written.map_err(|error| Error::io("write", &self.path, error))?;
        self.known = Some((base.uidvalidity, reserved));
        owned::give(&self.path, &self.owner)
    }

    /// The mailbox has these numbers from now on.
    pub fn go_on_with(&mut self, uidvalidity: u32, last_uid: u32) -> Result<()> {
        let written = self.write(uidvalidity, last_uid);
        written.map_err(|error| Error::io("write", &self.path, error))?;
        (self.known, self.fresh, self.highest) = (Some((uidvalidity, last_uid)), None, last_uid);
        owned::give(&self.path, &self.owner)
    }

    /// The mailbox is gone.
    pub fn forget(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }

    fn write(&self, uidvalidity: u32, reserved: u32) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(format!("{uidvalidity} {reserved}\n").as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&new, &self.path)
    }
}

/// The file of a mailbox.
pub fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{}.uids", name.replace('/', "%2f")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_when_the_first_message_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Uids::new(directory.path(), "a/b", &Owner::default());
        assert_eq!(open().base(None, 99).unwrap().uidvalidity, 99);
        let mut uids = open();
        uids.reserve(&Base { uidvalidity: 7, last_uid: 5, keywords: Vec::new() }).unwrap();
        let base = open().base(None, 99).unwrap();
        assert_eq!((base.uidvalidity, base.last_uid), (7, 105));
        let stored = Base { uidvalidity: 8, last_uid: 3, keywords: vec!["x".into()] };
        assert_eq!(open().base(Some(stored.clone()), 99).unwrap(), stored);
        let stored = |last_uid| Some(Base { uidvalidity: 7, last_uid, keywords: Vec::new() });
        // Taken back, while we know it and after we have forgotten.
        assert_eq!(uids.base(stored(4), 99).unwrap().last_uid, 5);
        assert_eq!(open().base(stored(4), 99).unwrap().last_uid, 105);
        assert_eq!(open().base(stored(200), 99).unwrap().last_uid, 200);
    }
}
