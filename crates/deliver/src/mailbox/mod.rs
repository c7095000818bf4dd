//! Writing a message into a Maildir, an mbox file, or any file: shared by virtual and local.
//!
//! A [`MailboxJob`] is plain data (paths, ids, bytes to put before the message): it can be carried out by this
//! program or be handed to a process with fewer rights. [`carry_out`] blocks; agents go through the [`crew`].

pub mod crew;
mod failure;
pub mod frame;
mod lock;
mod maildir;
mod mbox;
mod open;

pub use failure::{Failure, Unexplained, reason};
pub use lock::{Lock, Locking};

use std::path::PathBuf;

use queue::Body;

use self::frame::Content;
use crate::hand;
use crate::privilege::Rights;

/// One message into one mailbox.
#[derive(Clone, Debug)]
pub struct MailboxJob {
    /// Whose rights.
    pub rights: Rights,
    /// Where.
    pub place: Place,
    /// What stands before the content: `From ` line and headers, LF line ends.
    pub head: Vec<u8>,
    /// Largest size of the file in bytes; 0 is no limit.
    pub limit: u64,
}

/// Where a message goes.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory with `tmp`, `new` and `cur`, made when missing.
    Maildir {
        /// The directory.
        directory: PathBuf,
        /// Time of delivery for the file name: seconds and microseconds.
        stamp: (i64, u32),
        /// The host name in the file name.
        host: String,
    },
    /// A file that messages are appended to.
    Mbox(MboxPlace),
}

/// An mbox file and how it is opened.
#[derive(Clone, Debug)]
pub struct MboxPlace {
    /// The file.
    pub path: PathBuf,
    /// How it is locked.
    pub locking: Locking,
    /// Who opens and locks the file.
    pub open_as: OpenAs,
    /// Is it a failure when the file belongs to somebody else (`strict_mailbox_ownership`)?
    pub strict_owner: bool,
    /// May it be something else than a regular file (`/dev/null` in an alias)?
    pub special: bool,
    /// Status detail of an unexplained failure: `(2, 0)`, with its class.
    pub unexplained: Unexplained,
}

/// Whose rights open an mbox file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenAs {
    /// The user of the job.
    User,
    /// The user of the job with another group: a spool directory writable by group `mail`.
    Group(u32),
    /// The program itself; a new file is given to the user of the job.
    Ourselves,
}

/// Delivers; returns once the message is on disk.
///
/// Where another process has the rights for it, that one is asked.
pub fn carry_out(job: &MailboxJob, content: &Body, now: &dyn Fn() -> u64) -> Result<(), Failure> {
    match hand::hired() {
        Some(hand) => hand.deliver(job, content),
        None => carry_out_here(job, Content::Queued(content), now),
    }
}

/// Delivers with the rights of this process.
pub fn carry_out_here(job: &MailboxJob, content: Content<'_>, now: &dyn Fn() -> u64) -> Result<(), Failure> {
    match &job.place {
        Place::Maildir { directory, stamp, host } => maildir::deliver(job, directory, *stamp, host, content),
        Place::Mbox(place) => mbox::deliver(job, place, content, now),
    }
}

#[cfg(test)]
mod tests;
