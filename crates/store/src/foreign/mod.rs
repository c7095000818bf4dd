//! Mail in formats of others, as they are found on the disk: what Maildir and mbox have in common.
//!
//! [`Files`] is a mailbox in such a format and [`Tree`] the mailboxes of an account; [`Shared`] and [`Household`]
//! make of them what the rest of the house knows as [`crate::Mailbox`] and [`crate::Account`]. What the formats have
//! no place for is in a [`ledger`].

pub mod ledger;
pub mod owned;
pub mod validity;

mod account;
#[cfg(test)]
mod crash_tests;
mod delivery;
mod mailbox;
mod moving;
mod state;
mod summaries;
#[cfg(test)]
pub(crate) mod testing;
mod words;

use std::path::PathBuf;

use bytes::Bytes;

pub use account::Household;
pub use mailbox::Shared;
pub use words::Words;

use crate::{Flags, Name, NewMessage, Result, Usage};

/// A message, as the files show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// UID.
    pub uid: u32,
    /// System flags.
    pub flags: Flags,
    /// Keywords, as bits of [`Words`].
    pub keywords: u64,
    /// [`crate::Entry::key`]
    pub key: u64,
}

/// A mailbox, as the files show it.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// UIDNEXT.
    pub uidnext: u32,
    /// Messages from this UID on were in no session yet.
    pub recent_from: u32,
    /// All messages, UIDs ascending.
    pub messages: Vec<Seen>,
}

/// What takes a look at the message itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Octets with CRLF line ends.
    pub size: u32,
    /// INTERNALDATE, seconds since 1970.
    pub received: i64,
    /// SAVEDATE, seconds since 1970.
    pub saved: i64,
}

/// A message that was put in.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// UID and flags.
    pub seen: Seen,
    /// The rest.
    pub facts: Facts,
}

/// The files of a mailbox. Not shared: one thread at a time.
pub trait Files: Send + 'static {
    /// Does [`Files::body`] find a message by itself, whatever others have done since the last look?
    const FINDS: bool;

    /// What other programs know the mailbox by, wherever it is moved: 32 hexadecimal digits. `None` where the format
    /// has nothing like it.
    fn guid(&self) -> Option<String>;

    /// Reads what is there; `None` where nothing has changed since the last look. `now`: seconds since 1970.
    fn look(&mut self, words: &mut Words, now: i64) -> Result<Option<Listing>>;

    /// Facts of a message that [`Files::look`] has shown; `None` where it is gone by now.
    fn facts(&mut self, uid: u32) -> Result<Option<Facts>>;

    /// A message, with CRLF line ends; `None` where it is gone by now.
    fn body(&mut self, uid: u32, now: i64) -> Result<Option<Bytes>>;

    /// Puts messages in, durably, all or none. `recent`: they arrive, and are news to the next session.
    fn append(
        &mut self,
        messages: &[NewMessage],
        recent: bool,
        words: &mut Words,
        now: i64,
    ) -> Result<Vec<Added>>;

    /// Goes on with these numbers; with another UIDVALIDITY there are no messages.
    fn renumber(&mut self, uidvalidity: u32, uidnext: u32, now: i64) -> Result<()>;

    /// Sets flags and keywords; messages that are gone are passed over. Gives the UIDs that were done.
    fn set_flags(&mut self, changes: &[(u32, Flags, u64)], words: &Words, now: i64) -> Result<Vec<u32>>;

    /// Removes messages; gives the UIDs that are gone by now.
    fn expunge(&mut self, uids: &[u32], now: i64) -> Result<Vec<u32>>;

    /// The recent messages are somebody's now.
    fn claim_recent(&mut self, now: i64) -> Result<()>;

    /// The files that hold these messages, for [`Files::link`]; `None` where messages have no files of their own.
    fn sources(&mut self, uids: &[u32]) -> Option<Vec<(u32, Source)>>;

    /// Puts messages in by linking files of another mailbox of this kind, all or none. `None` where that cannot be,
    /// and they have to be copied.
    fn link(&mut self, sources: &[Source], words: &mut Words, now: i64) -> Result<Option<Vec<Added>>>;

    /// Takes the files of another mailbox of this kind away from it: each is in one of both at any moment. Gives those
    /// that came, durably, by their places in `sources`. `None` where that cannot be, and they have to be copied.
    fn take(
        &mut self,
        sources: &[Source],
        words: &mut Words,
        now: i64,
    ) -> Result<Option<Vec<(usize, Added)>>>;

    /// The files of these messages were taken by another mailbox.
    fn let_go(&mut self, uids: &[u32], now: i64) -> Result<()>;
}

/// A message that is a file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Its flags.
    pub flags: Flags,
    /// Names of its keywords.
    pub keywords: Vec<String>,
    /// The rest.
    pub facts: Facts,
}

/// The mailboxes of an account.
pub trait Tree: Send + Sync + 'static {
    /// Their files.
    type Files: Files;

    /// What stands between the levels of a name, where the configuration says nothing.
    fn separator(&self) -> char;

    /// Where the ledger is.
    fn ledger(&self) -> PathBuf;

    /// All names but INBOX, and whether each can be selected.
    fn names(&self) -> Result<Vec<(Name, bool)>>;

    /// Is there such a mailbox?
    fn exists(&self, name: &Name) -> Result<bool>;

    /// Can a mailbox hold messages and other mailboxes, too?
    fn both(&self) -> bool {
        true
    }

    /// Makes a mailbox. There is none of this name.
    fn create(&self, name: &Name) -> Result<()>;

    /// Makes a level that mailboxes shall be below, where [`Tree::both`] says no. There is no mailbox of this name.
    fn create_level(&self, name: &Name) -> Result<()> {
        self.create(name)
    }

    /// Removes a level without mailboxes below it; false where there is none.
    fn delete_level(&self, _: &Name) -> Result<bool> {
        Ok(false)
    }

    /// Deletes a mailbox that is there.
    fn delete(&self, name: &Name) -> Result<()>;

    /// Renames a mailbox that is there, or a level, with those below. There is none of the new name.
    fn rename(&self, from: &Name, to: &Name) -> Result<()>;

    /// Opens a mailbox that is there. `now`: seconds since 1970.
    fn open(&self, name: &Name, now: i64) -> Result<Self::Files>;

    /// How many messages are in a mailbox, and its UIDVALIDITY where one was given. Nothing is touched.
    fn tally(&self, name: &Name) -> Result<(u64, Option<u32>)>;

    /// The file of subscriptions.
    fn subscriptions(&self) -> PathBuf;

    /// The quota file's count of what the account holds, where the format has one and it is to be believed.
    fn counted(&self, now: i64) -> Result<Option<Usage>>;

    /// Writes a count into the quota file, where the format has one.
    fn write_count(&self, usage: Usage) -> Result<()>;

    /// Notes that messages have come or gone, where the format has a quota file and there is one.
    fn count_change(&self, bytes: i64, messages: i64) -> Result<()>;
}
