//! An mbox file: what is in it, by UID.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use bytes::Bytes;
use jiff::tz::TimeZone;

use super::head::{self, Base, Marks};
use super::lockfile::{Held, Locks};
use super::rewrite::{self, Piece};
use super::scan::{self, Place};
use super::uids::Uids;
use crate::foreign::{Facts, Listing, Seen, Words};
use crate::{Error, Owner, Result};

/// How the file looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Stamp {
        Stamp { inode: meta.ino(), size: meta.size(), modified: (meta.mtime(), meta.mtime_nsec()) }
    }
}

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub place: Place,
    pub marks: Marks,
    pub uid: u32,
    pub received: i64,
    pub size: u64,
}

/// A mailbox.
#[derive(Debug)]
pub struct Mbox {
    pub(super) path: PathBuf,
    pub(super) journal: PathBuf,
    pub(super) owner: Owner,
    pub(super) locks: Locks,
    pub(super) zone: TimeZone,
    pub(super) uids: Uids,
    /// What `X-IMAPbase` says, or would.
    pub(super) base: Base,
    /// By UID. Not UW's message of folder data.
    pub(super) messages: Vec<Message>,
    /// UW's message of folder data, at the front.
    pub(super) pseudo: Option<Message>,
    pub(super) stamp: Option<Stamp>,
    settled: bool,
}

impl Mbox {
    /// The mailbox in a file, which need not be there yet. `private` is a directory of ours for `name`'s journal.
    pub(super) fn open(
        path: PathBuf,
        private: &std::path::Path,
        name: &str,
        owner: &Owner,
        locks: Locks,
    ) -> Mbox {
        Mbox {
            journal: rewrite::journal(private, name),
            uids: Uids::new(private, name, owner),
            path,
            owner: owner.clone(),
            locks,
            zone: TimeZone::system(),
            base: Base::default(),
            messages: Vec::new(),
            pseudo: None,
            stamp: None,
            settled: false,
        }
    }

    pub(super) fn find(&self, uid: u32) -> Option<usize> {
        self.messages.binary_search_by_key(&uid, |message| message.uid).ok()
    }

    pub(super) fn look_at(&mut self, words: &mut Words, now: i64) -> Result<Option<Listing>> {
        let stamp = match std::fs::metadata(&self.path) {
            Ok(meta) => Some(Stamp::of(&meta)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("look at", &self.path, error)),
        };
        let quiet = stamp.is_none_or(|stamp| now > stamp.modified.0 + 1);
        // Two changes in one tick of the clock leave one time: once it is quiet, one more look.
        if self.base.uidvalidity != 0 && stamp == self.stamp && (self.settled || !quiet) {
            return Ok(None);
        }
        let complete = match self.locks.take(&self.path, false, now)? {
            Some(held) => !self.journal.exists() && self.read(&held.file, now)?,
            None => false,
        };
        match complete {
            true => self.uids.reserve(&self.base)?,
            false => self.update(now)?,
        }
        self.settled = quiet;
        Ok(Some(self.listing(words)))
    }

    /// Reads the file, gives UIDs to those without, and writes them into it.
    fn update(&mut self, now: i64) -> Result<()> {
        let Some(held) = self.write_lock(now)? else {
            self.absent(now)?;
            return Ok(());
        };
        self.read(&held.file, now)?;
        self.write_headers(&held, |_, _| {})
    }

    /// Locks for writing; finishes what was interrupted. `None` where there is no file.
    pub(super) fn write_lock(&mut self, now: i64) -> Result<Option<Held>> {
        let held = self.locks.take(&self.path, true, now)?;
        if let Some(held) = &held {
            rewrite::recover(&held.file, &self.path, &self.journal)?;
        }
        Ok(held)
    }

    /// Takes a file that is not there for an empty one.
    pub(super) fn absent(&mut self, now: i64) -> Result<()> {
        self.messages.clear();
        self.pseudo = None;
        self.stamp = None;
        self.base = self.uids.base(None, now)?;
        Ok(())
    }

    /// Has the file changed since it was read?
    pub(super) fn changed(&self, held: &Held) -> Result<bool> {
        let meta = held.file.metadata().map_err(|error| Error::io("look at", &self.path, error))?;
        Ok(self.stamp != Some(Stamp::of(&meta)))
    }

    /// Reads the file, which is locked. Messages without a UID get one; false where that is not in the file yet.
    pub(super) fn read(&mut self, file: &File, now: i64) -> Result<bool> {
        let meta = file.metadata().map_err(|error| Error::io("look at", &self.path, error))?;
        let found = scan::scan(file, &self.zone).map_err(|error| Error::io("read", &self.path, error))?;
        let Some(found) = found else {
            return Err(Error::Damaged(format!("{} is not an mbox file", self.path.display())));
        };
        self.stamp = Some(Stamp::of(&meta));
        let stored = found.first().and_then(|first| first.marks.base.clone());
        self.base = self.uids.base(stored.clone(), now)?;
        let mut complete = stored.is_some() || found.is_empty();
        self.messages.clear();
        self.pseudo = None;
        let mut last = 0;
        let mut broken = false;
        for (n, one) in found.into_iter().enumerate() {
            let visible = one.place.body_end - one.place.header - one.hidden + one.bare_lines;
            let mut message = Message {
                place: one.place,
                received: one.from.received,
                size: visible,
                uid: 0,
                marks: one.marks,
            };
            if n == 0 && message.marks.pseudo {
                self.pseudo = Some(message);
                continue;
            }
            // A number above those given so far was not given here: its sender wrote it.
            let known = message.marks.uid.filter(|uid| !broken && *uid > last && *uid <= self.base.last_uid);
            message.uid = match known {
                Some(uid) => uid,
                None => {
                    // Once one is out of order, those behind it cannot be kept.
                    broken = true;
                    complete = false;
                    self.base.last_uid =
                        self.base.last_uid.checked_add(1).ok_or(Error::Limit("UIDs of a mailbox"))?;
                    self.base.last_uid
                }
            };
            last = message.uid;
            self.messages.push(message);
        }
        Ok(complete)
    }

    pub(super) fn listing(&self, words: &mut Words) -> Listing {
        let next = self.base.last_uid.saturating_add(1);
        let recent = self.messages.iter().rev().take_while(|message| !message.marks.old).last();
        let seen = |message: &Message| Seen {
            uid: message.uid,
            flags: message.marks.flags,
            keywords: message.marks.keywords.iter().fold(0, |sum, word| sum | words.bit(word).unwrap_or(0)),
            key: self.key(message.uid),
        };
        Listing {
            uidvalidity: self.base.uidvalidity,
            uidnext: next,
            recent_from: recent.map_or(next, |message| message.uid),
            messages: self.messages.iter().map(seen).collect(),
        }
    }

    pub(super) fn key(&self, uid: u32) -> u64 {
        u64::from(self.base.uidvalidity) << 32 | u64::from(uid)
    }

    pub(super) fn facts_of(&self, uid: u32) -> Option<Facts> {
        let message = &self.messages[self.find(uid)?];
        let size = u32::try_from(message.size).unwrap_or(u32::MAX);
        Some(Facts { size, received: message.received, saved: message.received })
    }

    pub(super) fn body_of(&mut self, uid: u32, now: i64) -> Result<Option<Bytes>> {
        let Some(held) = self.locks.take(&self.path, false, now)? else { return Ok(None) };
        if self.changed(&held)? {
            self.read(&held.file, now)?;
            // The next look shows what else is new.
            self.stamp = None;
        }
        let Some(at) = self.find(uid) else { return Ok(None) };
        let place = self.messages[at].place.clone();
        let failed = |error| Error::io("read", &self.path, error);
        let mut stored = head::visible(&range(&held.file, place.header, place.body).map_err(failed)?);
        stored.extend_from_slice(&range(&held.file, place.body, place.body_end).map_err(failed)?);
        Ok(Some(match mime::crlf::wire(&stored) {
            std::borrow::Cow::Owned(wire) => Bytes::from(wire),
            std::borrow::Cow::Borrowed(_) => Bytes::from(stored),
        }))
    }

    /// Changes marks of messages and writes every header that is not as it should be. The file is locked for writing
    /// and was read.
    pub(super) fn write_headers(&mut self, held: &Held, change: impl Fn(u32, &mut Marks)) -> Result<()> {
        // Before a UID is in the file it is known to be used.
        self.uids.reserve(&self.base)?;
        let failed = |error| Error::io("read", &self.path, error);
        let mut changes: Vec<(Place, Vec<u8>)> = Vec::new();
        let first = self.pseudo.iter().map(|pseudo| (0, pseudo));
        let all = first.chain(self.messages.iter().map(|message| (message.uid, message)));
        for (n, (uid, message)) in all.enumerate() {
            let mut marks = message.marks.clone();
            marks.uid = (uid != 0).then_some(uid);
            marks.base = (n == 0).then(|| self.base.clone());
            if uid != 0 {
                change(uid, &mut marks);
            }
            if marks != message.marks {
                let place = message.place.clone();
                let old = range(&held.file, place.header, place.body).map_err(failed)?;
                changes.push((place, head::write(&old, &marks)));
            }
        }
        let len = held.file.metadata().map_err(failed)?.len();
        self.replace(held, len, &changes)
    }

    /// Puts new headers into the file: where they are, or moving what follows.
    fn replace(&mut self, held: &Held, len: u64, changes: &[(Place, Vec<u8>)]) -> Result<()> {
        let Some((first, _)) = changes.first() else { return Ok(()) };
        let failed = |error| Error::io("write", &self.path, error);
        if changes.iter().all(|(place, new)| place.body - place.header == new.len() as u64) {
            for (place, new) in changes {
                held.file.write_all_at(new, place.header).map_err(failed)?;
            }
            held.file.sync_data().map_err(failed)?;
        } else {
            let mut pieces = Vec::with_capacity(2 * changes.len());
            for (n, (place, new)) in changes.iter().enumerate() {
                pieces.push(Piece::New(new.clone()));
                let next = changes.get(n + 1).map_or(len, |(place, _)| place.header);
                pieces.push(Piece::Old(place.body..next));
            }
            rewrite::rewrite(&held.file, &self.path, &self.journal, first.header, &pieces)?;
        }
        self.reread(held)
    }

    /// Reads the file again after it was written here.
    pub(super) fn reread(&mut self, held: &Held) -> Result<()> {
        // The time only matters where there is no UIDVALIDITY yet, and there is one.
        self.read(&held.file, i64::from(self.base.uidvalidity))?;
        self.settled = false;
        Ok(())
    }
}

/// A part of a file.
pub(super) fn range(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(to.saturating_sub(from)).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut text = vec![0; len];
    file.read_exact_at(&mut text, from)?;
    Ok(text)
}
