//! A Maildir: what is in it, by UID.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::keywords::Keywords;
use super::name::{self, Info};
use super::uidfile::{Stamp, UidFile};
use super::uidlist::{Record, Uidlist};
use super::unique;
use crate::foreign::{Facts, Listing, Seen, Words, validity};
use crate::{Error, Owner, Result};

/// Messages in tmp/ that nobody has touched for so many seconds were given up by whoever wrote them.
const GIVEN_UP: i64 = 36 * 3600;

/// Where a mailbox is.
#[derive(Clone, Debug)]
pub struct Home {
    /// cur/, new/ and tmp/ are in it.
    pub directory: PathBuf,
    /// `dovecot-uidlist` and `dovecot-keywords` are in it.
    pub control: PathBuf,
    /// `dovecot-uidvalidity` is in it.
    pub top: PathBuf,
}

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub uid: u32,
    /// As in `dovecot-uidlist`.
    pub extensions: Box<[u8]>,
    /// The file's name up to its flags.
    pub base: Box<[u8]>,
    /// The flags.
    pub suffix: Box<[u8]>,
    /// In new/, not in cur/.
    pub new: bool,
}

impl Message {
    pub fn file_name(&self) -> Vec<u8> {
        [&*self.base, &*self.suffix].concat()
    }

    pub fn record(&self) -> Record {
        Record { uid: self.uid, extensions: self.extensions.clone(), base: self.base.clone() }
    }

    /// Its size with CRLF line ends, where a name or the list tells.
    pub fn size(&self) -> Option<u64> {
        name::size(&self.base, b'W').or_else(|| self.record().number(b'W'))
    }
}

/// A mailbox.
#[derive(Debug)]
pub struct Maildir {
    pub(super) home: Home,
    pub(super) owner: Owner,
    pub(super) uids: UidFile,
    /// By UID.
    pub(super) messages: Vec<Message>,
    pub(super) keywords: Keywords,
    pub(super) keywords_stamp: Option<Stamp>,
    /// new/ and cur/ when they were last read, or changed here.
    stamps: Option<[Stamp; 2]>,
    /// Was the last look late enough that nothing can have happened in the same moment?
    settled: bool,
    /// Lines of the UID list without a file.
    stale: usize,
}

/// What a directory holds.
struct Found {
    base: Box<[u8]>,
    suffix: Box<[u8]>,
    new: bool,
}

impl Maildir {
    /// Opens the mailbox in a directory that exists; makes what is missing in it.
    pub fn open(home: Home, owner: &Owner, now: i64) -> Result<Maildir> {
        for part in ["cur", "new", "tmp"] {
            crate::foreign::owned::directories(&home.directory.join(part), owner)?;
        }
        crate::foreign::owned::directories(&home.control, owner)?;
        clean(&home.directory.join("tmp"), now);
        let mut maildir = Maildir {
            uids: UidFile::new(&home.control, owner),
            home,
            owner: owner.clone(),
            messages: Vec::new(),
            keywords: Keywords::default(),
            keywords_stamp: None,
            stamps: None,
            settled: false,
            stale: 0,
        };
        if maildir.uids.read()?.is_none() {
            let _lock = maildir.uids.lock(now)?;
            if maildir.uids.read()?.is_none() {
                maildir.new_list(now)?;
            }
        }
        Ok(maildir)
    }

    /// The file of a message.
    pub(super) fn path(&self, message: &Message) -> PathBuf {
        let part = if message.new { "new" } else { "cur" };
        let mut path = self.home.directory.join(part);
        path.push(std::ffi::OsStr::from_bytes(&message.file_name()));
        path
    }

    pub(super) fn find(&self, uid: u32) -> Option<usize> {
        self.messages.binary_search_by_key(&uid, |message| message.uid).ok()
    }

    fn stamps_now(&self) -> Result<[Stamp; 2]> {
        let of = |part: &str| {
            let path = self.home.directory.join(part);
            Stamp::of(&path)?.ok_or(Error::Gone)
        };
        Ok([of("new")?, of("cur")?])
    }

    /// Takes what was changed here for known. If another program did something in the same moment, the look after
    /// a second of quiet will see it.
    pub(super) fn note(&mut self) -> Result<()> {
        if self.stamps.is_some() {
            self.stamps = Some(self.stamps_now()?);
            self.settled = false;
        }
        Ok(())
    }

    /// What is known may be wrong: the next look reads everything.
    pub(super) fn doubt(&mut self) {
        self.stamps = None;
    }

    /// Reads the directories where they, the UID list or the keywords may have changed.
    pub(super) fn look_at(&mut self, words: &mut Words, now: i64) -> Result<Option<Listing>> {
        let stamps = self.stamps_now()?;
        let keywords = self.read_keywords()?;
        if self.stamps == Some(stamps) && !keywords && !self.uids.changed()? {
            // Two changes in one tick of the clock leave one time: once it is quiet, one more look.
            let quiet = stamps.iter().all(|stamp| now > stamp.seconds() + 1);
            if self.settled || !quiet {
                return Ok(None);
            }
        }
        self.scan(now)?;
        let quiet = |stamp: &Stamp| now > stamp.seconds() + 1;
        self.settled = self.stamps.is_some_and(|stamps| stamps.iter().all(quiet));
        Ok(Some(self.listing(words)))
    }

    fn listing(&self, words: &mut Words) -> Listing {
        let bits: Vec<u64> = (0..26)
            .map(|letter| self.keywords.name(letter).and_then(|name| words.bit(name)).unwrap_or(0))
            .collect();
        let head = self.uids.head();
        let recent = self.messages.iter().find(|message| message.new).map(|message| message.uid);
        let seen = |message: &Message| {
            let info = name::info(&message.suffix);
            Seen {
                uid: message.uid,
                flags: info.flags,
                keywords: bits_of(&info, &bits),
                key: unique::key(&message.base),
            }
        };
        Listing {
            uidvalidity: head.uidvalidity,
            uidnext: head.next_uid,
            recent_from: recent.unwrap_or(head.next_uid),
            messages: self.messages.iter().map(seen).collect(),
        }
    }

    /// Reads everything, and gives UIDs to new files.
    fn scan(&mut self, now: i64) -> Result<()> {
        let mut found = self.read_directories()?;
        let mut list = self.uids.read()?;
        let mut matched = list.as_ref().map(|list| Matched::new(list, &found));
        if matched.as_ref().is_some_and(|matched| !matched.missing.is_empty()) {
            // A file that gets another name while its directory is read may be passed over: only what is missing
            // twice is missing.
            found.extend(self.read_directories()?);
            dedup(&mut found);
            matched = list.as_ref().map(|list| Matched::new(list, &found));
        }
        if matched.as_ref().is_none_or(|matched| !matched.unknown.is_empty()) {
            let lock = self.uids.lock(now)?;
            if list.is_none() || self.uids.changed()? {
                list = self.uids.read()?;
            }
            let list = match list {
                Some(list) => list,
                None => self.new_list(now)?,
            };
            self.stale = Matched::new(&list, &found).missing.len();
            self.give_uids(list, found)?;
            drop(lock);
            return Ok(());
        }
        if let (Some(list), Some(matched)) = (list, matched) {
            self.stale = matched.missing.len();
            let here = matched.here;
            let mut found: Vec<Option<Found>> = found.into_iter().map(Some).collect();
            self.messages = here
                .into_iter()
                .filter_map(|(record, at)| Some(message(&list.records[record], found[at].take()?)))
                .collect();
        }
        Ok(())
    }

    pub(super) fn go_on_with(&mut self, uidvalidity: u32, uidnext: u32, now: i64) -> Result<()> {
        let _lock = self.uids.lock(now)?;
        let mut list = match self.uids.read()? {
            Some(list) => list,
            None => self.new_list(now)?,
        };
        if list.uidvalidity != uidvalidity {
            list.records.clear();
        }
        list.uidvalidity = uidvalidity;
        list.next_uid = uidnext;
        self.uids.write(&list)?;
        self.doubt();
        Ok(())
    }

    fn new_list(&mut self, now: i64) -> Result<Uidlist> {
        let uidvalidity = validity::next(&self.home.top, &self.owner, now)?;
        let list = Uidlist::new(uidvalidity, unique::guid());
        self.uids.write(&list)?;
        Ok(list)
    }

    /// Gives UIDs to the files that have none, oldest first. The list is locked.
    fn give_uids(&mut self, mut list: Uidlist, found: Vec<Found>) -> Result<()> {
        let matched = Matched::new(&list, &found);
        let mut unknown = matched.unknown;
        unknown.sort_by(|a, b| name::order(&found[*a].base, &found[*b].base));
        let mut fresh = Vec::with_capacity(unknown.len());
        for at in &unknown {
            let one = &found[*at];
            let extensions = match name::size(&one.base, b'W') {
                Some(_) => Vec::new(),
                None => self.measure(one).unwrap_or_default(),
            };
            let uid = list.next_uid;
            list.next_uid = uid.checked_add(1).ok_or(Error::Limit("UIDs of a mailbox"))?;
            fresh.push(Record { uid, extensions: extensions.into(), base: one.base.clone() });
        }
        let stale = matched.missing.len();
        let mut found: Vec<Option<Found>> = found.into_iter().map(Some).collect();
        let known =
            matched.here.iter().filter_map(|(record, at)| Some((&list.records[*record], found[*at].take()?)));
        let mut messages: Vec<Message> = known.map(|(record, found)| message(record, found)).collect();
        let new =
            fresh.iter().zip(&unknown).filter_map(|(record, at)| Some(message(record, found[*at].take()?)));
        messages.extend(new);
        // Lines of files long gone are left out when the list is written anyway, or has become half of them.
        if fresh.len() + stale > 64 && (stale > list.records.len() / 4 || fresh.len() > list.records.len()) {
            list.records = messages.iter().map(Message::record).collect();
            self.uids.write(&list)?;
            self.stale = 0;
        } else {
            self.uids.append(&fresh)?;
        }
        self.messages = messages;
        Ok(())
    }

    /// `S… W…` of a file whose name does not tell: kept in the list, so that it is counted once.
    fn measure(&self, found: &Found) -> Option<Vec<u8>> {
        let part = if found.new { "new" } else { "cur" };
        let name = [&*found.base, &*found.suffix].concat();
        let path = self.home.directory.join(part).join(std::ffi::OsStr::from_bytes(&name));
        let size = mime::crlf::size(&std::fs::read(path).ok()?);
        Some(format!("S{} W{}", size.stored, size.wire).into_bytes())
    }

    fn read_directories(&mut self) -> Result<Vec<Found>> {
        self.stamps = Some(self.stamps_now()?);
        let mut found = Vec::with_capacity(self.messages.len() + 16);
        for (part, new) in [("new", true), ("cur", false)] {
            read_directory(&self.home.directory.join(part), new, &mut found)?;
        }
        dedup(&mut found);
        Ok(found)
    }

    /// Reads the keywords where they changed; tells whether they did.
    pub(super) fn read_keywords(&mut self) -> Result<bool> {
        let path = self.home.control.join("dovecot-keywords");
        let stamp = Stamp::of(&path)?;
        if stamp == self.keywords_stamp {
            return Ok(false);
        }
        self.keywords = match std::fs::read(&path) {
            Ok(text) => Keywords::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Keywords::default(),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        self.keywords_stamp = stamp;
        Ok(true)
    }

    /// Does something with a message's file. Where it has got another name meanwhile, looks again; `None` where it is
    /// gone.
    pub(super) fn with_file<T>(
        &mut self,
        uid: u32,
        doing: &str,
        work: impl Fn(&Path) -> io::Result<T>,
    ) -> Result<Option<T>> {
        for again in [true, false] {
            let Some(at) = self.find(uid) else { return Ok(None) };
            let path = self.path(&self.messages[at]);
            match work(&path) {
                Ok(done) => return Ok(Some(done)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.rescan()?;
                    if !again {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(Error::io(doing, &path, error)),
            }
        }
        Ok(None)
    }

    /// Finds the names that files have now. The next look shows what else is new.
    pub(super) fn rescan(&mut self) -> Result<()> {
        let found = self.read_directories()?;
        let mut names: HashMap<&[u8], &Found> = found.iter().map(|found| (&*found.base, found)).collect();
        self.messages.retain_mut(|message| match names.remove(&*message.base) {
            Some(found) => {
                (message.suffix, message.new) = (found.suffix.clone(), found.new);
                true
            }
            None => false,
        });
        self.doubt();
        Ok(())
    }

    pub(super) fn facts_of(&mut self, uid: u32) -> Result<Option<Facts>> {
        let Some(meta) = self.with_file(uid, "look at", |path| std::fs::metadata(path))? else {
            return Ok(None);
        };
        let known = self.find(uid).and_then(|at| self.messages[at].size());
        let size = match known {
            Some(size) => size,
            None => {
                let Some(body) = self.body_of(uid)? else { return Ok(None) };
                body.len() as u64
            }
        };
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        Ok(Some(Facts { size, received: meta.mtime(), saved: meta.ctime() }))
    }

    pub(super) fn body_of(&mut self, uid: u32) -> Result<Option<Bytes>> {
        let stored = self.with_file(uid, "read", |path| {
            let mut file = File::open(path)?;
            // A file in a Maildir is whole, and stays as it is.
            let mut stored = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX)];
            file.read_exact(&mut stored)?;
            Ok(stored)
        })?;
        Ok(stored.map(|stored| match mime::crlf::wire(&stored) {
            std::borrow::Cow::Owned(wire) => Bytes::from(wire),
            std::borrow::Cow::Borrowed(_) => Bytes::from(stored),
        }))
    }

    /// Drops what is known of messages that were removed.
    pub(super) fn removed(&mut self, gone: &[u32]) {
        self.messages.retain(|message| gone.binary_search(&message.uid).is_err());
        self.stale += gone.len();
    }

    /// The list has no line without a file any more.
    pub(super) fn forget_stale(&mut self) {
        self.stale = 0;
    }

    /// How many lines of the list are without a file.
    pub(super) fn stale(&self) -> usize {
        self.stale
    }
}

pub(super) fn bits_of(info: &Info, bits: &[u64]) -> u64 {
    (0..26).filter(|letter| info.keywords & (1 << letter) != 0).fold(0, |sum, letter| sum | bits[letter])
}

fn message(record: &Record, found: Found) -> Message {
    Message {
        uid: record.uid,
        extensions: record.extensions.clone(),
        base: found.base,
        suffix: found.suffix,
        new: found.new,
    }
}

/// Which lines of a list have which file.
struct Matched {
    /// Places in the list and in what was found.
    here: Vec<(usize, usize)>,
    /// Places in the list.
    missing: Vec<usize>,
    /// Places in what was found.
    unknown: Vec<usize>,
}

impl Matched {
    fn new(list: &Uidlist, found: &[Found]) -> Matched {
        let mut by_base: HashMap<&[u8], usize> =
            found.iter().enumerate().map(|(at, found)| (&*found.base, at)).collect();
        let mut matched =
            Matched { here: Vec::with_capacity(found.len()), missing: Vec::new(), unknown: Vec::new() };
        // A file that was taken away and brought back has two lines: the last one counts, as with Dovecot.
        for (n, record) in list.records.iter().enumerate().rev() {
            match by_base.remove(&*record.base) {
                Some(at) => matched.here.push((n, at)),
                None => matched.missing.push(n),
            }
        }
        matched.here.reverse();
        matched.missing.reverse();
        matched.unknown = by_base.into_values().collect();
        matched.unknown.sort_unstable();
        matched
    }
}

/// One of each base: where a file is in new/ and in cur/, or was met before and after it got another name, the last
/// look counts.
fn dedup(found: &mut Vec<Found>) {
    let last: HashMap<&[u8], usize> = found.iter().enumerate().map(|(at, one)| (&*one.base, at)).collect();
    if last.len() < found.len() {
        let mut keep = vec![false; found.len()];
        last.into_values().for_each(|at| keep[at] = true);
        let mut keep = keep.into_iter();
        found.retain(|_| keep.next().unwrap_or(false));
    }
}

fn read_directory(path: &Path, new: bool, found: &mut Vec<Found>) -> Result<()> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Error::Gone,
        _ => Error::io("read", path, error),
    };
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().into_vec();
        if name::is_message(&name) {
            let (base, suffix) = name.split_at(name::base(&name).len());
            found.push(Found { base: base.into(), suffix: suffix.into(), new });
        }
    }
    Ok(())
}

/// Removes what was given up in tmp/.
fn clean(tmp: &Path, now: i64) {
    let Ok(entries) = std::fs::read_dir(tmp) else { return };
    for entry in entries.flatten() {
        let old = entry.metadata().is_ok_and(|meta| {
            meta.is_file() && now - meta.mtime() > GIVEN_UP && now - meta.ctime() > GIVEN_UP
        });
        if old && let Err(error) = std::fs::remove_file(entry.path()) {
            log::warn!("remove {}: {error}", entry.path().display());
        }
    }
}
