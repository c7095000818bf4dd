//! Changing a Maildir: messages put in and taken out, flags.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;

use super::files::{Maildir, Message};
use super::name::{self, Info};
use super::uidlist::Record;
use super::{keywords::Keywords, unique};
use crate::foreign::{Added, Facts, Seen, Source, Words, owned};
use crate::lock::{Dotlock, Patience};
use crate::{Error, Flags, NewMessage, Result, syncfs};

/// How long `dovecot-keywords` may be locked.
const PATIENCE: Patience = Patience { wait: Duration::from_secs(30), stale: Duration::from_secs(60) };

/// More files than this are synced together with their file system, where nobody else has much to write.
const SINGLY: usize = 4;

/// A file that is to become a message.
struct Ready {
    /// Where it is now; removed if it does not get there.
    from: PathBuf,
    message: Message,
    flags: Flags,
    keywords: u64,
    facts: Facts,
}

impl Ready {
    fn added(&self) -> Added {
        let Message { uid, base, .. } = &self.message;
        let seen = Seen { uid: *uid, flags: self.flags, keywords: self.keywords, key: unique::key(base) };
        Added { seen, facts: self.facts }
    }
}

/// A message of another mailbox, under this name, without a UID and its flags in the name.
fn one(source: &Source, from: PathBuf, base: Vec<u8>, words: &mut Words, now: i64) -> Ready {
    let extensions = match name::size(&base, b'W') {
        Some(_) => String::new(),
        None => format!("W{}", source.facts.size),
    };
    let keywords = source.keywords.iter().fold(0, |sum, word| sum | words.bit(word).unwrap_or(0));
    Ready {
        from,
        message: Message {
            uid: 0,
            extensions: extensions.into_bytes().into(),
            base: base.into(),
            suffix: Box::default(),
            new: false,
        },
        flags: source.flags,
        keywords,
        facts: Facts { saved: now, ..source.facts },
    }
}

/// Renames, unless there is a file of the new name.
fn rename_anew(from: &Path, to: &Path) -> nix::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)
}

impl Maildir {
    pub(super) fn append_all(
        &mut self,
        messages: &[NewMessage],
        recent: bool,
        words: &mut Words,
        now: i64,
    ) -> Result<Vec<Added>> {
        let mut ready = Vec::with_capacity(messages.len());
        let together = messages.len() > SINGLY && syncfs::tells_failures() && syncfs::little_waits();
        let mut failed = None;
        for message in messages {
            match self.write_tmp(message, recent, words, (now, !together)) {
                Ok(one) => ready.push(one),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if failed.is_none() && together {
            failed = sync_all(&self.home.directory.join("tmp")).err();
        }
        match failed {
            None => self.put(ready, now),
            Some(error) => {
                discard(&ready);
                Err(error)
            }
        }
    }

    fn write_tmp(
        &mut self,
        message: &NewMessage,
        recent: bool,
        words: &mut Words,
        (now, sync): (i64, bool),
    ) -> Result<Ready> {
        let wire = mime::crlf::size(&message.content).wire;
        let content = lf(&message.content);
        let base = unique::base(now, content.len() as u64, wire);
        let path = self.home.directory.join("tmp").join(std::ffi::OsStr::from_bytes(&base));
        let failed = |error| Error::io("write", &path, error);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let done = (&file).write_all(&content).and_then(|()| {
            let at = u64::try_from(message.received).unwrap_or(0);
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at))?;
            if sync { file.sync_all() } else { Ok(()) }
        });
        let done = done.map_err(failed).and_then(|()| owned::give_file(&file, &path, &self.owner));
        if let Err(error) = done {
            remove(&path);
            return Err(error);
        }
        let keywords = message.keywords.iter().fold(0, |sum, word| sum | words.bit(word).unwrap_or(0));
        let info = self.info(message.flags, keywords, words, now)?;
        let new = recent && message.flags == Flags::NONE && keywords == 0;
        let suffix = if new { Vec::new() } else { info.name(b"") };
        Ok(Ready {
            from: path,
            message: Message {
                uid: 0,
                extensions: Box::default(),
                base: base.into(),
                suffix: suffix.into(),
                new,
            },
            flags: message.flags,
            keywords,
            facts: Facts {
                size: u32::try_from(wire).unwrap_or(u32::MAX),
                received: message.received,
                saved: now,
            },
        })
    }

    /// Links the files of another mailbox, under the same names where they are free.
    pub(super) fn link_all(
        &mut self,
        sources: &[Source],
        words: &mut Words,
        now: i64,
    ) -> Result<Option<Vec<Added>>> {
        let tmp = self.home.directory.join("tmp");
        let mut ready: Vec<Ready> = Vec::with_capacity(sources.len());
        for (source, base) in sources.iter().zip(self.landings(sources, now)) {
            let path = tmp.join(std::ffi::OsStr::from_bytes(&base));
            match std::fs::hard_link(&source.path, &path) {
                Ok(()) => {}
                Err(error) => {
                    discard(&ready);
                    return match error.kind() {
                        io::ErrorKind::NotFound => Err(Error::NoMessage),
                        // Another file system, or one without links.
                        _ => Ok(None),
                    };
                }
            }
            ready.push(one(source, path, base, words, now));
        }
        for one in &mut ready {
            one.message.suffix = self.info(one.flags, one.keywords, words, now)?.name(b"").into();
        }
        self.put(ready, now).map(Some)
    }

    /// The names that files of another mailbox get here: their own where those are free.
    fn landings(&self, sources: &[Source], now: i64) -> Vec<Vec<u8>> {
        let mut taken: HashSet<Box<[u8]>> =
            self.messages.iter().map(|message| message.base.clone()).collect();
        let name = |source: &Source| {
            let old = source.path.file_name().map(|name| name::base(name.as_bytes()).to_vec());
            let old = old.unwrap_or_default();
            if taken.insert(old.as_slice().into()) {
                return old;
            }
            let wire = u64::from(source.facts.size);
            let stored = std::fs::metadata(&source.path).map_or(wire, |meta| meta.len());
            unique::base(now, stored, wire)
        };
        sources.iter().map(name).collect()
    }

    /// Renames files of another mailbox into this one; each is in one of both at any moment. Gives those that came, by
    /// their places in `sources`: one that is gone by now does not. `None` where none can be renamed.
    pub(super) fn take_all(
        &mut self,
        sources: &[Source],
        words: &mut Words,
        now: i64,
    ) -> Result<Option<Vec<(usize, Added)>>> {
        let mut wanted: Vec<Ready> = Vec::with_capacity(sources.len());
        for (source, base) in sources.iter().zip(self.landings(sources, now)) {
            let mut one = one(source, source.path.clone(), base, words, now);
            one.message.suffix = self.info(one.flags, one.keywords, words, now)?.name(b"").into();
            wanted.push(one);
        }
        let lock = self.uids.lock(now)?;
        self.number(&mut wanted)?;
        // A line without a file is nothing; a file without a line would get another UID from whoever looks first.
        let records: Vec<Record> = wanted.iter().map(|one| one.message.record()).collect();
        self.uids.append(&records)?;
        let mut came = Vec::with_capacity(wanted.len());
        for (at, one) in wanted.into_iter().enumerate() {
            let to = self.path(&one.message);
            match rename_anew(&one.from, &to) {
                Ok(()) => came.push((at, one)),
                Err(Errno::ENOENT) => {}
                // Another file system, or one that cannot promise to replace nothing.
                Err(Errno::EXDEV | Errno::EINVAL | Errno::ENOSYS) if came.is_empty() => return Ok(None),
                Err(error) => {
                    log::error!("rename {} to {}: {}", one.from.display(), to.display(), error.desc());
                    break;
                }
            }
        }
        drop(lock);
        if came.is_empty() {
            return Ok(Some(Vec::new()));
        }
        sync(&self.home.directory.join("cur"))?;
        let added = came.iter().map(|(at, one)| (*at, one.added())).collect();
        self.messages.extend(came.into_iter().map(|(_, one)| one.message));
        self.note()?;
        Ok(Some(added))
    }

    /// The files of these messages are another mailbox's now.
    pub(super) fn let_go_of(&mut self, uids: &[u32], now: i64) -> Result<()> {
        self.removed(uids);
        self.note()?;
        self.compress_some_time(now)
    }

    /// Moves files that are ready to their places and gives them UIDs, durably. None stays when one fails.
    fn put(&mut self, mut ready: Vec<Ready>, now: i64) -> Result<Vec<Added>> {
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        let lock = self.uids.lock(now)?;
        self.number(&mut ready)?;
        let done = self.move_in(&ready);
        let records: Vec<Record> = ready.iter().map(|one| one.message.record()).collect();
        if let Err(error) = done.and_then(|()| self.uids.append(&records)) {
            discard(&ready);
            for one in &ready {
                remove(&self.path(&one.message));
            }
            self.doubt();
            return Err(error);
        }
        drop(lock);
        let added = ready.iter().map(Ready::added).collect();
        self.messages.extend(ready.into_iter().map(|one| one.message));
        self.note()?;
        Ok(added)
    }

    /// Gives the next UIDs. The list is locked.
    fn number(&mut self, ready: &mut [Ready]) -> Result<()> {
        // Others may have given UIDs since the last look; their files are for the next one to see.
        if self.uids.changed()? {
            self.uids.read()?.ok_or(Error::Gone)?;
            self.doubt();
        }
        let mut uid = self.uids.head().next_uid;
        for one in ready {
            one.message.uid = uid;
            uid = uid.checked_add(1).ok_or(Error::Limit("UIDs of a mailbox"))?;
        }
        Ok(())
    }

    fn move_in(&self, ready: &[Ready]) -> Result<()> {
        for one in ready {
            let to = self.path(&one.message);
            std::fs::rename(&one.from, &to).map_err(|error| Error::io("rename to", &to, error))?;
        }
        for (part, new) in [("new", true), ("cur", false)] {
            if ready.iter().any(|one| one.message.new == new) {
                sync(&self.home.directory.join(part))?;
            }
        }
        Ok(())
    }

    pub(super) fn change_flags(
        &mut self,
        changes: &[(u32, Flags, u64)],
        words: &Words,
        now: i64,
    ) -> Result<Vec<u32>> {
        let mut done = Vec::with_capacity(changes.len());
        for (uid, flags, keywords) in changes {
            let wanted = self.info(*flags, *keywords, words, now)?;
            for _ in 0..2 {
                let Some(at) = self.find(*uid) else { break };
                let old = &self.messages[at];
                let suffix: Box<[u8]> = name::info(&old.suffix).with(&wanted).name(b"").into();
                let new = Message { suffix, new: false, ..old.clone() };
                let (from, to) = (self.path(old), self.path(&new));
                match if from == to { Ok(()) } else { std::fs::rename(&from, &to) } {
                    Ok(()) => {
                        self.messages[at] = new;
                        done.push(*uid);
                        break;
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => self.rescan()?,
                    Err(error) => return Err(Error::io("rename to", &to, error)),
                }
            }
        }
        self.note()?;
        Ok(done)
    }

    pub(super) fn remove(&mut self, uids: &[u32], now: i64) -> Result<Vec<u32>> {
        let mut gone = Vec::with_capacity(uids.len());
        for uid in uids {
            self.with_file(*uid, "remove", |path| std::fs::remove_file(path))?;
            gone.push(*uid);
        }
        self.removed(&gone);
        self.note()?;
        self.compress_some_time(now)?;
        Ok(gone)
    }

    fn compress_some_time(&mut self, now: i64) -> Result<()> {
        if self.stale() > 64 && self.stale() > self.messages.len() / 4 { self.compress(now) } else { Ok(()) }
    }

    /// Writes the list without the lines of removed messages.
    fn compress(&mut self, now: i64) -> Result<()> {
        let _lock = self.uids.lock(now)?;
        let Some(mut list) = self.uids.read()? else { return Ok(()) };
        let last = self.messages.last().map_or(0, |message| message.uid);
        // Lines behind are of messages that others have put in since the last look.
        list.records.retain(|record| record.uid > last || self.find(record.uid).is_some());
        self.uids.write(&list)?;
        self.forget_stale();
        Ok(())
    }

    pub(super) fn claim(&mut self) -> Result<()> {
        for at in 0..self.messages.len() {
            let old = &self.messages[at];
            if !old.new {
                continue;
            }
            let suffix = name::info(&old.suffix).name(b"").into();
            let new = Message { suffix, new: false, ..old.clone() };
            let (from, to) = (self.path(old), self.path(&new));
            match std::fs::rename(&from, &to) {
                Ok(()) => self.messages[at] = new,
                // Another program has claimed or removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.doubt(),
                Err(error) => return Err(Error::io("rename to", &to, error)),
            }
        }
        self.note()
    }

    /// Flags and keywords as a name has them. A keyword that is new gets a letter.
    fn info(&mut self, flags: Flags, keywords: u64, words: &Words, now: i64) -> Result<Info> {
        let mut letters = 0;
        let names: Vec<String> = words.names(keywords).map(str::to_owned).collect();
        if names.iter().any(|name| self.keywords.find(name).is_none()) {
            self.add_keywords(&names, now)?;
        }
        for letter in names.iter().filter_map(|name| self.keywords.find(name)) {
            letters |= 1 << letter;
        }
        Ok(Info::new(flags, letters))
    }

    fn add_keywords(&mut self, names: &[String], now: i64) -> Result<()> {
        let path = self.home.control.join("dovecot-keywords");
        let _lock = Dotlock::take(&path, PATIENCE, u64::try_from(now).unwrap_or(0))?;
        self.read_keywords()?;
        let before = self.keywords.clone();
        let left_out: Vec<_> = names.iter().filter(|name| self.keywords.add(name).is_none()).collect();
        if !left_out.is_empty() {
            return Err(Error::Limit("26 keywords in a Maildir"));
        }
        if self.keywords != before {
            write_keywords(&path, &self.keywords).map_err(|error| Error::io("write", &path, error))?;
            owned::give(&path, &self.owner)?;
            self.keywords_stamp = super::uidfile::Stamp::of(&path)?;
        }
        Ok(())
    }
}

/// A message with LF line ends, as Maildirs have them.
fn lf(content: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(content, b"\r\n").is_none() {
        return Cow::Borrowed(content);
    }
    let mut stored = Vec::with_capacity(content.len());
    let mut from = 0;
    for at in memchr::memmem::find_iter(content, b"\r\n") {
        stored.extend_from_slice(&content[from..at]);
        from = at + 1;
    }
    stored.extend_from_slice(&content[from..]);
    Cow::Owned(stored)
}

fn write_keywords(path: &Path, keywords: &Keywords) -> io::Result<()> {
    let new = path.with_file_name("dovecot-keywords.tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&keywords.write())?;
    std::fs::rename(new, path)
}

fn sync(directory: &Path) -> Result<()> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| Error::io("sync", directory, error))
}

/// Waits until everything in the file system of a directory is on the disk.
fn sync_all(directory: &Path) -> Result<()> {
    let synced = File::open(directory).and_then(|directory| Ok(nix::unistd::syncfs(&directory)?));
    synced.map_err(|error| Error::io("sync", directory, error))
}

fn discard(ready: &[Ready]) {
    ready.iter().for_each(|one| remove(&one.from));
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("remove {}: {error}", path.display());
    }
}
