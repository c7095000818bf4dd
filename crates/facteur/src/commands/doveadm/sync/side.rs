//! The two sides of a synchronization: an account on a disk, and what any side can do.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use store::{Account, FlagChange, Mailbox, Mode, Name, NewMessage, SpecialUse, UidSet};

use super::super::whom::Error;
use super::plan::{Contents, Marks, Message};

/// A mailbox that can be selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub name: Name,
    pub special: Option<SpecialUse>,
}

/// An account, wherever it is. Names have `/` between their levels, and no prefix of a namespace.
pub(super) trait Side {
    /// Its mailboxes.
    fn folders(&mut self) -> Result<Vec<Found>, Error>;

    /// The names subscribed to.
    fn subscriptions(&mut self) -> Result<Vec<Name>, Error>;

    /// Makes a mailbox.
    fn create(&mut self, found: &Found) -> Result<(), Error>;

    /// Deletes one.
    fn delete(&mut self, name: &Name) -> Result<(), Error>;

    /// Subscribes or unsubscribes.
    fn subscribe(&mut self, name: &Name, on: bool) -> Result<(), Error>;

    /// What is in a mailbox now.
    fn contents(&mut self, name: &Name) -> Result<Contents, Error>;

    /// A message; `None` where it is gone.
    fn read(&mut self, name: &Name, uid: u32) -> Result<Option<Vec<u8>>, Error>;

    /// Can messages have the UIDs they had elsewhere?
    fn takes_numbers(&self) -> bool;

    /// The mailbox, empty for another UIDVALIDITY, takes up these numbers.
    fn renumber(&mut self, name: &Name, uidvalidity: u32, uidnext: u32) -> Result<(), Error>;

    /// Puts messages in.
    fn append(&mut self, name: &Name, messages: &[NewMessage]) -> Result<(), Error>;

    /// Sets flags and keywords.
    fn mark(&mut self, name: &Name, changes: &[(u32, Marks)]) -> Result<(), Error>;

    /// Removes messages.
    fn expunge(&mut self, name: &Name, uids: &[u32]) -> Result<(), Error>;
}

/// The fields by which a message is known again.
pub(super) const FIELDS: [&str; 4] = ["message-id", "date", "from", "subject"];

/// A hash of [`FIELDS`], however they are folded.
pub(super) fn print(header: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(header).replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let mut hasher = DefaultHasher::new();
    for field in FIELDS {
        let value = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim_end().eq_ignore_ascii_case(field).then_some(value)
        });
        let words: Vec<&str> = value.unwrap_or_default().split_whitespace().collect();
        words.hash(&mut hasher);
    }
    hasher.finish()
}

/// An account of ours.
pub(super) struct Local {
    store: Arc<dyn Account>,
    /// What names of its own mailboxes begin with.
    prefix: String,
}

impl Local {
    /// The account as its user sees it; what others share with him is left out.
    pub fn new(store: Arc<dyn Account>) -> Local {
        let prefix = store.namespaces().prefix;
        Local { store, prefix }
    }

    fn shown(&self, name: &Name) -> Result<Name, Error> {
        if self.prefix.is_empty() || name.is_inbox() {
            return Ok(name.clone());
        }
        let text = format!("{}{}", self.prefix, name.as_str());
        Name::new(&text).map_err(|error| Error::store("Mailbox", &text, &error))
    }

    fn bare(&self, name: &Name) -> Option<Name> {
        if name.is_inbox() {
            return Some(name.clone());
        }
        Name::new(name.as_str().strip_prefix(&self.prefix)?).ok()
    }

    fn open(&self, name: &Name) -> Result<Arc<dyn Mailbox>, Error> {
        let shown = self.shown(name)?;
        self.store.open(&shown).map_err(|error| failed("Opening", name, &error))
    }
}

fn failed(doing: &str, name: &Name, error: &store::Error) -> Error {
    Error::store(format!("{doing} mailbox {} failed", name.as_str()), name.as_str(), error)
}

impl Side for Local {
    fn folders(&mut self) -> Result<Vec<Found>, Error> {
        let folders = self.store.folders();
        let folders = folders.map_err(|error| Error::store("Listing mailboxes failed", "", &error))?;
        let own = &self.store.owner().user;
        let found = folders.into_iter().filter(|folder| folder.selectable).filter_map(|folder| {
            let is_own = self.store.owner_of(&folder.name).is_ok_and(|owner| owner == *own);
            let name = self.bare(&folder.name).filter(|_| is_own)?;
            Some(Found { name, special: folder.special_use })
        });
        Ok(found.collect())
    }

    fn subscriptions(&mut self) -> Result<Vec<Name>, Error> {
        let names = self.store.subscriptions();
        let names = names.map_err(|error| Error::store("Listing subscriptions failed", "", &error))?;
        Ok(names.iter().filter_map(|name| self.bare(name)).collect())
    }

    fn create(&mut self, found: &Found) -> Result<(), Error> {
        match self.store.create(&self.shown(&found.name)?, found.special) {
            Ok(_) | Err(store::Error::Exists) => Ok(()),
            Err(error) => Err(failed("Creating", &found.name, &error)),
        }
    }

    fn delete(&mut self, name: &Name) -> Result<(), Error> {
        self.store.delete(&self.shown(name)?).map_err(|error| failed("Deleting", name, &error))
    }

    fn subscribe(&mut self, name: &Name, on: bool) -> Result<(), Error> {
        let done = self.store.subscribe(&self.shown(name)?, on);
        done.map_err(|error| failed("Subscribing to", name, &error))
    }

    fn contents(&mut self, name: &Name) -> Result<Contents, Error> {
        let mailbox = self.open(name)?;
        let view = mailbox.view();
        let uids: Vec<u32> = view.iter().map(|entry| entry.uid).collect();
        let mut messages = Vec::with_capacity(uids.len());
        let mut each = |uid: u32, header: bytes::Bytes| {
            if let Some(entry) = view.find(uid) {
                let mut keywords: Vec<String> =
                    view.keyword_names(entry.keywords).map(str::to_owned).collect();
                keywords.sort();
                messages.push(Message {
                    uid,
                    flags: entry.flags,
                    keywords,
                    received: entry.received,
                    size: entry.size.into(),
                    print: print(&header),
                });
            }
            true
        };
        mailbox.headers(&uids, &mut each).map_err(|error| failed("Reading", name, &error))?;
        messages.sort_by_key(|message| message.uid);
        Ok(Contents { uidvalidity: view.uidvalidity, uidnext: view.uidnext, messages })
    }

    fn read(&mut self, name: &Name, uid: u32) -> Result<Option<Vec<u8>>, Error> {
        match self.open(name)?.body(uid) {
            Ok(body) => Ok(Some(body.to_vec())),
            Err(store::Error::NoMessage) => Ok(None),
            Err(error) => Err(failed("Reading", name, &error)),
        }
    }

    fn takes_numbers(&self) -> bool {
        true
    }

    fn renumber(&mut self, name: &Name, uidvalidity: u32, uidnext: u32) -> Result<(), Error> {
        let done = self.open(name)?.renumber(uidvalidity, uidnext);
        done.map_err(|error| failed("Updating", name, &error))
    }

    fn append(&mut self, name: &Name, messages: &[NewMessage]) -> Result<(), Error> {
        self.open(name)?.append(messages).map(drop).map_err(|error| failed("Saving to", name, &error))
    }

    fn mark(&mut self, name: &Name, changes: &[(u32, Marks)]) -> Result<(), Error> {
        let mailbox = self.open(name)?;
        for (uid, (flags, keywords)) in changes {
            let change = FlagChange { keywords: keywords.clone(), ..FlagChange::new(Mode::Replace, *flags) };
            let done = mailbox.store(&std::iter::once(*uid).collect(), &change);
            done.map_err(|error| failed("Flags in", name, &error))?;
        }
        Ok(())
    }

    fn expunge(&mut self, name: &Name, uids: &[u32]) -> Result<(), Error> {
        let mailbox = self.open(name)?;
        let uids: UidSet = uids.iter().copied().collect();
        let deleted = FlagChange::new(Mode::Add, store::Flags::DELETED);
        let done = mailbox.store(&uids, &deleted).and_then(|_| mailbox.expunge(Some(&uids)));
        done.map(drop).map_err(|error| failed("Expunging from", name, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_fields() {
        let one = print(b"Received: x\r\nMessage-ID: <1@a>\r\nSubject: two\r\n words\r\n\r\n");
        assert_eq!(print(b"subject:  two words\nmessage-id: <1@a>\n"), one);
        assert_ne!(print(b"Subject: two words\r\nMessage-ID: <2@a>\r\n"), one);
    }
}
