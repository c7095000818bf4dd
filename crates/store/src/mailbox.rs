//! The face of a mailbox.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Entry, FlagChange, Flags, Name, Result, Rights, UidSet, View, Watch};

/// A message to put into a mailbox.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The message. Line ends become CRLF.
    pub content: Bytes,
    /// Its flags.
    pub flags: Flags,
    /// Its keywords.
    pub keywords: Vec<String>,
    /// INTERNALDATE, in seconds since 1970.
    pub received: i64,
}

/// What became of STORE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreOutcome {
    /// UIDs whose flags were set, ascending; also where they were so already.
    pub stored: Vec<u32>,
    /// UIDs left alone because they were changed after `UNCHANGEDSINCE` (`MODIFIED`).
    pub modified: UidSet,
}

/// What became of COPY or MOVE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyOutcome {
    /// UIDVALIDITY of the mailbox copied to.
    pub uidvalidity: u32,
    /// UIDs that were copied, ascending.
    pub from: Vec<u32>,
    /// The UIDs of the copies, in the same order.
    pub to: Vec<u32>,
}

/// What is kept of a message so that lists of messages need not read it.
///
/// Sections of a message (`BODY[1.2]`) are found by `mime::parse` of its [`Mailbox::body`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// ENVELOPE, as `mime::imap::envelope` words it.
    pub envelope: Bytes,
    /// BODYSTRUCTURE, as `mime::imap::bodystructure` words it.
    pub bodystructure: Bytes,
}

impl Summary {
    /// Of a message with CRLF line ends.
    pub fn of(message: &[u8]) -> Summary {
        let structure = mime::parse(message, &mime::Limits::default());
        let (mut envelope, mut bodystructure) = (Vec::new(), Vec::new());
        if let Some(values) = &structure.root().envelope {
            mime::imap::envelope(values, &mut envelope);
        }
        mime::imap::bodystructure(&structure, &mut bodystructure);
        Summary { envelope: envelope.into(), bodystructure: bodystructure.into() }
    }
}

/// Which text of a message is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within<'a> {
    /// Header and text parts, decoded (`TEXT`).
    Text,
    /// Text parts, decoded (`BODY`).
    Body,
    /// The values of a header field, decoded (`HEADER`, `SUBJECT`, `FROM`…).
    Field(&'a str),
}

/// Why a mailbox keeps its UIDVALIDITY.
pub(crate) const NOT_EMPTY: &str = "only an empty mailbox takes up another UIDVALIDITY";

/// An open mailbox, shared by all who have it open.
///
/// Functions that change something give back when it is done and have put the new state into [`Mailbox::view`];
/// the watch has rung by then. A message that was appended, copied or moved is durable then. A mailbox that was
/// deleted answers [`crate::Error::Gone`] to everything, and its view says so.
pub trait Mailbox: Send + Sync {
    /// Its name now; another one after it was renamed.
    fn name(&self) -> Name;

    /// MAILBOXID.
    fn mailbox_id(&self) -> String;

    /// EMAILID of a message: the same for copies.
    fn email_id(&self, entry: &Entry) -> Option<String>;

    /// THREADID of a message.
    fn thread_id(&self, entry: &Entry) -> Result<Option<String>>;

    /// What its reader may do with it.
    fn rights(&self) -> Rights {
        Rights::ALL
    }

    /// May nothing be changed?
    fn read_only(&self) -> bool {
        false
    }

    /// What is in it, as far as is known here. No I/O.
    fn view(&self) -> Arc<View>;

    /// Looks for changes by other programs first.
    fn refresh(&self) -> Result<Arc<View>>;

    /// Would a look for changes by other programs, and at the headers of these messages, wait for nothing: neither
    /// for the disk, nor for somebody who waits for it?
    fn is_at_hand(&self, headers: &[u32]) -> bool {
        let _ = headers;
        false
    }

    /// Rings when the view changes.
    fn watch(&self) -> &Watch;

    /// Takes the `\Recent` messages for the session that calls: those with this UID and above are its recent
    /// ones, and nobody else's.
    fn claim_recent(&self) -> Result<u32>;

    /// A whole message, with CRLF line ends.
    fn body(&self, uid: u32) -> Result<Bytes>;

    /// A part of it; what lies beyond its end is left out.
    fn body_range(&self, uid: u32, range: Range<u64>) -> Result<Bytes> {
        let whole = self.body(uid)?;
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
        let (from, to) = (at(range.start), at(range.end));
        Ok(whole.slice(from..to.max(from)))
    }

    /// Reads the summaries of messages; those that are gone are passed over. Stops early when `each` says no.
    fn summaries(&self, uids: &[u32], each: &mut dyn FnMut(u32, Summary) -> bool) -> Result<()>;

    /// Reads the headers of messages, the empty line at the end included, with CRLF line ends; those that are gone
    /// are passed over. Stops early when `each` says no.
    fn headers(&self, uids: &[u32], each: &mut dyn FnMut(u32, Bytes) -> bool) -> Result<()>;

    /// Puts messages in, all or none; gives their UIDs.
    fn append(&self, messages: &[NewMessage]) -> Result<Vec<u32>>;

    /// Takes up the numbers of another store: a UIDVALIDITY, which only an empty mailbox can change, and the next UID,
    /// which never goes back while the UIDVALIDITY stays.
    fn renumber(&self, uidvalidity: u32, uidnext: u32) -> Result<()>;

    /// Changes flags.
    fn store(&self, uids: &UidSet, change: &FlagChange) -> Result<StoreOutcome>;

    /// Copies messages into another mailbox, all or none. The store of the other may be of another kind.
    fn copy(&self, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome>;

    /// Moves messages into another mailbox.
    fn move_to(&self, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome>;

    /// Removes the messages that are `\Deleted`, or those of them in `uids`; gives the UIDs removed.
    fn expunge(&self, uids: Option<&UidSet>) -> Result<UidSet>;

    /// UIDs that vanished after a MODSEQ (RFC 7162). Where that is no longer known: all that are not there.
    fn vanished_since(&self, modseq: u64) -> Result<UidSet>;

    /// Which of the messages contain a text: without regard to case, anywhere in a word.
    fn find_text(&self, within: Within<'_>, needle: &str, among: &[u32]) -> Result<Vec<u32>>;

    /// For copies within one store.
    fn as_any(&self) -> &dyn Any;
}
