//! The mailboxes of an account as directories: Maildir++ (`.Work.2026`) or one within the other (`Work/2026`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::files::{Home, Maildir};
use super::quota::{self, Maildirsize};
use super::uidlist::Uidlist;
use crate::foreign::{Tree, owned};
use crate::{Error, Layout, Limits, Name, Owner, Place, Result, Usage, from_utf7, to_utf7};

/// Where Dovecot moves what it deletes, and cleans up after itself.
const TRASHED: &str = "..DOVECOT-TRASHED";

/// An account.
#[derive(Debug)]
pub struct Maildirs {
    place: Place,
    owner: Owner,
    limits: Limits,
}

impl Maildirs {
    /// The account at a place.
    pub fn new(place: &Place, owner: &Owner, limits: Limits) -> Maildirs {
        Maildirs { place: place.clone(), owner: owner.clone(), limits }
    }

    /// Is there no mail yet?
    pub fn is_new(&self) -> bool {
        !self.inbox().join("cur").exists()
    }

    fn inbox(&self) -> &Path {
        self.place.inbox.as_deref().unwrap_or(&self.place.root)
    }

    fn control_root(&self) -> &Path {
        self.place.control.as_deref().unwrap_or(&self.place.root)
    }

    /// The directory of a mailbox below `root`.
    fn below(&self, root: &Path, name: &Name) -> Result<PathBuf> {
        match self.place.layout {
            Layout::MaildirPlusPlus => {
                let mut directory = String::new();
                for level in name.levels() {
                    if level.contains('.') {
                        return Err(Error::BadName("in a Maildir, a dot separates levels"));
                    }
                    directory.push('.');
                    directory.push_str(&to_utf7(level));
                }
                match directory.len() > 255 {
                    true => Err(Error::BadName("it is too long for a directory")),
                    false => Ok(root.join(directory)),
                }
            }
            Layout::Fs => {
                let mut path = root.to_owned();
                for level in name.levels() {
                    let level = to_utf7(level);
                    if matches!(&*level, "cur" | "new" | "tmp") || level.starts_with('.') || level.len() > 255
                    {
                        return Err(Error::BadName("a level of it is a name that Maildir keeps for itself"));
                    }
                    path.push(level);
                }
                Ok(path)
            }
        }
    }

    fn directory(&self, name: &Name) -> Result<PathBuf> {
        match name.is_inbox() {
            true => Ok(self.inbox().to_owned()),
            false => self.below(&self.place.root, name),
        }
    }

    fn home(&self, name: &Name) -> Result<Home> {
        let directory = self.directory(name)?;
        let control = match &self.place.control {
            None => directory.clone(),
            Some(root) => self.below(root, name)?,
        };
        Ok(Home { directory, control, top: self.control_root().to_owned() })
    }

    /// Every directory that belongs to a mailbox: where it is, and its control directory.
    fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.place.root).chain(&self.place.control).chain(&self.place.index)
    }

    fn walk(&self, directory: &Path, above: &[String], names: &mut Vec<(Name, bool)>) -> Result<()> {
        for entry in entries(directory)? {
            let Some(name) = entry.file_name().to_str().and_then(from_utf7) else { continue };
            let is_directory = std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
            if name.starts_with('.') || matches!(&*name, "cur" | "new" | "tmp") || !is_directory {
                continue;
            }
            let mut levels = above.to_vec();
            levels.push(name);
            if let Ok(name) = Name::new(&levels.join("/")) {
                names.push((name, entry.path().join("cur").is_dir()));
                self.walk(&entry.path(), &levels, names)?;
            }
        }
        Ok(())
    }

    fn quota_file(&self) -> PathBuf {
        self.place.root.join("maildirsize")
    }
}

fn entries(directory: &Path) -> Result<Vec<std::fs::DirEntry>> {
    match std::fs::read_dir(directory).and_then(Iterator::collect) {
        Ok(entries) => Ok(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("read", directory, error)),
    }
}

/// Removes a directory with what is in it; one that is not there is removed already.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

impl Tree for Maildirs {
    type Files = Maildir;

    fn separator(&self) -> char {
        match self.place.layout {
            Layout::MaildirPlusPlus => '.',
            Layout::Fs => '/',
        }
    }

    fn ledger(&self) -> PathBuf {
        self.place.index.as_ref().unwrap_or(&self.place.root).join("facteur.db")
    }

    fn names(&self) -> Result<Vec<(Name, bool)>> {
        let mut names = Vec::new();
        match self.place.layout {
            Layout::Fs => self.walk(&self.place.root, &[], &mut names)?,
            Layout::MaildirPlusPlus => {
                for entry in entries(&self.place.root)? {
                    let file = entry.file_name();
                    let Some(levels) = file.to_str().and_then(|file| file.strip_prefix('.')) else {
                        continue;
                    };
                    let name = from_utf7(levels).and_then(|name| Name::with_separator(&name, '.').ok());
                    if let Some(name) = name
                        && std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir())
                    {
                        names.push((name, true));
                    }
                }
                // Levels without a mailbox of their own.
                let known: std::collections::BTreeSet<Name> =
                    names.iter().map(|(name, _)| name.clone()).collect();
                let mut above: Vec<Name> = known.iter().filter_map(Name::parent).collect();
                while let Some(name) = above.pop() {
                    above.extend(name.parent());
                    if !known.contains(&name) && !names.iter().any(|(other, _)| *other == name) {
                        names.push((name, false));
                    }
                }
            }
        }
        Ok(names)
    }

    fn exists(&self, name: &Name) -> Result<bool> {
        if name.is_inbox() {
            return Ok(true);
        }
        let directory = self.directory(name)?;
        Ok(match self.place.layout {
            Layout::MaildirPlusPlus => directory.is_dir(),
            Layout::Fs => directory.join("cur").is_dir(),
        })
    }

    fn create(&self, name: &Name) -> Result<()> {
        let directory = self.directory(name)?;
        for part in ["cur", "new", "tmp"] {
            owned::directories(&directory.join(part), &self.owner)?;
        }
        let marker = directory.join("maildirfolder");
        let made = OpenOptions::new().append(true).create(true).mode(0o600).open(&marker);
        made.map_err(|error| Error::io("create", &marker, error))?;
        owned::give(&marker, &self.owner)
    }

    fn delete(&self, name: &Name) -> Result<()> {
        let directory = self.directory(name)?;
        let trash = self.place.root.join(TRASHED);
        remove(&trash)?;
        let children =
            self.place.layout == Layout::Fs && self.names()?.iter().any(|(other, _)| other.is_below(name));
        if children {
            // The level stays for those below.
            for part in ["new", "tmp", "cur"] {
                remove(&directory.join(part))?;
            }
            for file in ["dovecot-uidlist", "dovecot-keywords", "maildirfolder"] {
                let path = directory.join(file);
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::io("remove", &path, error));
                    }
                    _ => {}
                }
            }
            return Ok(());
        }
        std::fs::rename(&directory, &trash).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoMailbox,
            _ => Error::io("rename", &directory, error),
        })?;
        remove(&trash)?;
        for root in [&self.place.control, &self.place.index].into_iter().flatten() {
            remove(&self.below(root, name)?)?;
        }
        Ok(())
    }

    fn rename(&self, from: &Name, to: &Name) -> Result<()> {
        let names = self.names()?;
        for root in self.roots() {
            let mut pairs = Vec::new();
            match self.place.layout {
                Layout::Fs => pairs.push((self.below(root, from)?, self.below(root, to)?)),
                Layout::MaildirPlusPlus => {
                    for (name, _) in &names {
                        if let Some(renamed) = name.renamed(from, to)? {
                            pairs.push((self.below(root, name)?, self.below(root, &renamed)?));
                        }
                    }
                }
            }
            for (old, new) in pairs {
                if let Some(parent) = new.parent() {
                    owned::directories(parent, &self.owner)?;
                }
                match std::fs::rename(&old, &new) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::io("rename", &old, error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn open(&self, name: &Name, now: i64) -> Result<Maildir> {
        Maildir::open(self.home(name)?, &self.owner, now)
    }

    fn tally(&self, name: &Name) -> Result<(u64, Option<u32>)> {
        let home = self.home(name)?;
        let mut messages = 0;
        for part in ["cur", "new"] {
            let files = entries(&home.directory.join(part))?;
            messages +=
                files.iter().filter(|file| !file.file_name().as_bytes().starts_with(b".")).count() as u64;
        }
        let list = home.control.join("dovecot-uidlist");
        let uidvalidity = match std::fs::read(&list) {
            Ok(text) => Uidlist::parse(&text).ok().map(|(list, _)| list.uidvalidity),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("read", &list, error)),
        };
        Ok((messages, uidvalidity))
    }

    fn subscriptions(&self) -> PathBuf {
        self.control_root().join("subscriptions")
    }

    fn counted(&self, now: i64) -> Result<Option<Usage>> {
        let path = self.quota_file();
        let meta = match std::fs::metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("look at", &path, error)),
        };
        if meta.len() > quota::LONGEST {
            return Ok(None);
        }
        let text = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        let Some(read) = Maildirsize::parse(&text) else { return Ok(None) };
        let limits = [(self.limits.bytes, read.octets_limit), (self.limits.messages, read.messages_limit)];
        let same_limits = limits.iter().all(|(own, file)| own.unwrap_or(0) == *file);
        let usage = Usage { bytes: read.octets.unsigned_abs(), messages: read.messages.unsigned_abs() };
        let over = self.limits.passed(usage, Usage { bytes: 1, messages: 1 }).is_some();
        let old = now - meta.mtime() > quota::OLDEST;
        let recent = !(over && old);
        Ok((same_limits && recent).then_some(usage))
    }

    fn write_count(&self, usage: Usage) -> Result<()> {
        let path = self.quota_file();
        // Where nothing is limited and nobody has begun one, the file would only cost.
        if self.limits.is_unlimited() && !path.exists() {
            return Ok(());
        }
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let text = Maildirsize {
            octets_limit: self.limits.bytes.unwrap_or(0),
            messages_limit: self.limits.messages.unwrap_or(0),
            octets: signed(usage.bytes),
            messages: signed(usage.messages),
        };
        let new = self.place.root.join("tmp").join(format!("maildirsize.{}", std::process::id()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
        let written = file.and_then(|mut file: File| file.write_all(text.write().as_bytes()));
        written.map_err(|error| Error::io("write", &new, error))?;
        owned::give(&new, &self.owner)?;
        std::fs::rename(&new, &path).map_err(|error| Error::io("rename to", &path, error))
    }

    fn count_change(&self, bytes: i64, messages: i64) -> Result<()> {
        let path = self.quota_file();
        match OpenOptions::new().append(true).open(&path) {
            Ok(mut file) => file
                .write_all(quota::change(bytes, messages).as_bytes())
                .map_err(|error| Error::io("append to", &path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("open", &path, error)),
        }
    }
}
