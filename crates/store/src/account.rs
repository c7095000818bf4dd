//! The face of an account: its mailboxes and what belongs to all of them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Flags, HandedIn, Limits, Mailbox, Name, Namespaces, Result, Rights, Usage, Watch};

/// Whose mail it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The name of the account, as `%u`: `joe` or `joe@example.org`.
    pub user: String,
    /// Home directory.
    pub home: Option<PathBuf>,
    /// The user id that owns the files, where it is not that of this process.
    pub uid: Option<u32>,
    /// The group id that owns the files.
    pub gid: Option<u32>,
    /// Quota; `None` takes the default of the configuration.
    pub limits: Option<Limits>,
}

impl Owner {
    /// Only a name.
    pub fn named(user: &str) -> Owner {
        Owner { user: user.to_owned(), ..Owner::default() }
    }
}

/// What a mailbox is for (RFC 6154, RFC 8457).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Important`
    Important,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [SpecialUse; 8] = [
        SpecialUse::All,
        SpecialUse::Archive,
        SpecialUse::Drafts,
        SpecialUse::Flagged,
        SpecialUse::Important,
        SpecialUse::Junk,
        SpecialUse::Sent,
        SpecialUse::Trash,
    ];

    /// The attribute, with its backslash.
    pub fn attribute(self) -> &'static str {
        match self {
            SpecialUse::All => "\\All",
            SpecialUse::Archive => "\\Archive",
            SpecialUse::Drafts => "\\Drafts",
            SpecialUse::Flagged => "\\Flagged",
            SpecialUse::Important => "\\Important",
            SpecialUse::Junk => "\\Junk",
            SpecialUse::Sent => "\\Sent",
            SpecialUse::Trash => "\\Trash",
        }
    }

    /// The use with this attribute, whatever its case.
    pub fn from_attribute(text: &str) -> Option<SpecialUse> {
        SpecialUse::ALL.into_iter().find(|known| known.attribute().eq_ignore_ascii_case(text))
    }
}

/// A line of LIST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Name.
    pub name: Name,
    /// It can be selected. Where not, it is only a level above others.
    pub selectable: bool,
    /// There are mailboxes below it.
    pub children: bool,
    /// It is subscribed to.
    pub subscribed: bool,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// There can be mailboxes below it.
    pub inferiors: bool,
}

/// What STATUS tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// UIDNEXT.
    pub uidnext: u32,
    /// HIGHESTMODSEQ.
    pub modseq: u64,
    /// MESSAGES.
    pub messages: u32,
    /// RECENT.
    pub recent: u32,
    /// UNSEEN: how many are not `\Seen`.
    pub unseen: u32,
    /// DELETED: how many are `\Deleted`.
    pub deleted: u32,
    /// SIZE, in bytes.
    pub size: u64,
    /// DELETED-STORAGE, in bytes.
    pub deleted_size: u64,
    /// MAILBOXID.
    pub mailbox_id: String,
}

/// A message that arrives.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Where it goes. A mailbox other than INBOX that does not exist is made where `create` is set.
    pub mailbox: &'a Name,
    /// Make the mailbox if it is missing.
    pub create: bool,
    /// Which delivery it is, such as queue id and recipient: a second one of the same name is done already.
    pub id: Option<&'a str>,
    /// The message in pieces, its lines ended by LF or CRLF.
    pub content: &'a [&'a [u8]],
    /// INTERNALDATE, in seconds since 1970.
    pub received: i64,
    /// Its flags.
    pub flags: Flags,
    /// Its keywords.
    pub keywords: &'a [String],
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It is in the mailbox, durably.
    Stored,
    /// It was there already, durably.
    Already,
}

/// A name and a value: of an annotation, or of rights.
pub type Pair = (String, Vec<u8>);

/// The mail of one user. Sessions of the same user share one.
///
/// Calls block on the disk. What a call has changed is durable where it says so, and seen at once by all others;
/// changes by other programs are seen at the next call.
pub trait Account: Send + Sync {
    /// Whose it is.
    fn owner(&self) -> &Owner;

    /// What stands between the levels of a name for clients.
    fn separator(&self) -> char;

    /// All mailboxes, INBOX first, then by name.
    fn folders(&self) -> Result<Vec<Folder>>;

    /// Makes a mailbox, and the levels above it where the kind needs them; gives its MAILBOXID.
    fn create(&self, name: &Name, special_use: Option<SpecialUse>) -> Result<String>;

    /// Says that mailboxes shall be below this name; it becomes a mailbox, too, where it can be both. Gives its
    /// MAILBOXID then.
    fn create_level(&self, name: &Name) -> Result<Option<String>> {
        self.create(name, None).map(Some)
    }

    /// Deletes a mailbox with its messages. Those below it stay. INBOX cannot be deleted.
    fn delete(&self, name: &Name) -> Result<()>;

    /// Renames a mailbox with those below it. INBOX is emptied into a new mailbox and stays.
    fn rename(&self, from: &Name, to: &Name) -> Result<()>;

    /// Subscribes or unsubscribes a name, whether there is such a mailbox or not.
    fn subscribe(&self, name: &Name, on: bool) -> Result<()>;

    /// The names subscribed to, by name.
    fn subscriptions(&self) -> Result<Vec<Name>>;

    /// Counts the messages of a mailbox.
    fn status(&self, name: &Name) -> Result<Status>;

    /// Opens a mailbox. All who have it open share it.
    fn open(&self, name: &Name) -> Result<Arc<dyn Mailbox>>;

    /// Would the opening of this mailbox wait for nothing: neither for the disk, nor for somebody who waits for it?
    fn is_at_hand(&self, mailbox: &Name) -> bool {
        let _ = mailbox;
        false
    }

    /// What the account holds.
    fn usage(&self) -> Result<Usage>;

    /// What it may hold at most.
    fn limits(&self) -> Limits;

    /// Counts again what the account holds (`doveadm quota recalc`).
    fn recount(&self) -> Result<Usage>;

    /// Takes a message in; returns when it is durable.
    fn deliver(&self, delivery: &Delivery<'_>) -> Result<Delivered>;

    /// Takes a message in, which a [`Round`](crate::Round) makes durable together with others where the kind can.
    fn hand_in(&self, delivery: &Delivery<'_>) -> Result<HandedIn> {
        self.deliver(delivery).map(HandedIn::durable)
    }

    /// Annotations (RFC 5464) of a mailbox, or of the account; by name.
    fn metadata(&self, mailbox: Option<&Name>) -> Result<Vec<Pair>>;

    /// Sets or removes an annotation.
    fn set_metadata(&self, mailbox: Option<&Name>, entry: &str, value: Option<&[u8]>) -> Result<()>;

    /// Rights granted on a mailbox: identifier and letters (RFC 4314); by identifier.
    fn acl(&self, mailbox: &Name) -> Result<Vec<(String, String)>>;

    /// Grants rights to an identifier, or removes it.
    fn set_acl(&self, mailbox: &Name, identifier: &str, rights: Option<&str>) -> Result<()>;

    /// What the user may do with a mailbox: everything with his own, where nothing else is said.
    fn rights(&self, mailbox: &Name) -> Result<Rights> {
        self.acl(mailbox).map(|_| Rights::ALL)
    }

    /// The name of the account that a mailbox is in.
    fn owner_of(&self, mailbox: &Name) -> Result<String> {
        self.acl(mailbox).map(|_| self.owner().user.clone())
    }

    /// What the names of mailboxes begin with.
    fn namespaces(&self) -> Namespaces {
        Namespaces::default()
    }

    /// Rings when mailboxes come, go, or are renamed, or a delivery has come to any of them.
    fn watch(&self) -> &Watch;
}
