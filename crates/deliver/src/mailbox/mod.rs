//! Writing a message into a Maildir, an mbox file, or any file: shared by virtual and local.
//!
//! A [`MailboxJob`] is plain data (paths, ids, bytes to put before the message): it can be carried out by this
//! program or be handed to a process with fewer rights. A [`Batch`] blocks; agents go through the [`crew`].

pub mod crew;
mod failure;
pub mod frame;
mod lock;
mod maildir;
mod mbox;
mod open;
mod together;

pub use failure::{Failure, Unexplained, reason};
pub use lock::{Lock, Locking};

use std::path::PathBuf;

use self::frame::Content;
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
    Maildir(MaildirPlace),
    /// A file that messages are appended to.
    Mbox(MboxPlace),
}

/// A Maildir, and the name of the file in it.
#[derive(Clone, Debug)]
pub struct MaildirPlace {
    /// The directory.
    pub directory: PathBuf,
    /// Time of delivery: seconds and microseconds.
    pub stamp: (i64, u32),
    /// Names the delivery: an attempt that is made `again` knows by it what an earlier one has left.
    pub token: String,
    /// The host name.
    pub host: String,
    /// May the message be there already?
    pub again: bool,
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

/// Deliveries with the rights of this process that are made durable together: a disk writes several files in
/// little more time than one.
#[derive(Default)]
pub struct Batch(Vec<Result<Option<maildir::Written>, Failure>>);

impl Batch {
    /// Writes one message. One for a Maildir can be seen there only after [`finish`](Batch::finish).
    pub fn add(&mut self, job: &MailboxJob, content: Content<'_>, now: &dyn Fn() -> u64) {
        self.0.push(match &job.place {
            Place::Maildir(place) => maildir::write(job, place, content),
            Place::Mbox(place) => mbox::deliver(job, place, content, now).map(|()| None),
        });
    }

    /// A message that must not be written.
    pub fn refuse(&mut self, failure: Failure) {
        self.0.push(Err(failure));
    }

    /// Returns once the messages are on disk, with what became of each, in the order in which they were added.
    pub fn finish(self) -> Vec<Result<(), Failure>> {
        let files = self.0.iter().filter_map(|one| one.as_ref().ok()?.as_ref()).map(maildir::Written::file);
        let synced = together::sync(files);
        let show =
            |written: Option<maildir::Written>| written.map_or(Ok(()), |written| written.show(&synced));
        self.0.into_iter().map(|one| one.and_then(show)).collect()
    }
}

#[cfg(test)]
mod tests;
