//! What can go wrong with the queue, and what the peer is told about it.

use std::io;

use mail::{Blame, Detail, Refusal, Trouble};

/// What kind of failure this is: decides what a client is told and whether it makes sense to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The disk (or the quota) is full.
    NoSpace,
    /// Any other failure of the disk.
    Disk,
    /// There is no such message (any more).
    NotFound,
    /// Another program has this queue open.
    Locked,
    /// The queue is being closed.
    Closed,
}

/// A queue operation that failed. Always temporary: nothing is ever refused for good because of our disk.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What kind of failure.
    pub kind: Kind,
    /// What failed, with its path, for the log.
    pub trouble: Trouble,
}

impl Failure {
    /// A failure without an error underneath.
    pub fn new(kind: Kind, what: impl Into<String>) -> Failure {
        Failure { kind, trouble: Trouble::new(what) }
    }

    /// The failure of an operation on a file; ENOSPC, EDQUOT and EFBIG are told apart from the rest.
    pub fn from_io(what: impl Into<String>, error: io::Error) -> Failure {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Kind::NoSpace
            }
            _ => Kind::Disk,
        };
        Failure { kind, trouble: Trouble::from_error(what, error) }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.trouble.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        failure.trouble
    }
}

/// `452 4.3.1` when there is no room, `451 4.3.0` for all else, as smtpd and cleanup say it.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        let refusal = match failure.kind {
            Kind::NoSpace => {
                Refusal::later(52, Detail(3, 1), Blame::Ourselves, "Insufficient system storage")
            }
            _ => Refusal::later(51, Detail(3, 0), Blame::Ourselves, "Error: queue file write error"),
        };
        refusal.logged(failure.to_string())
    }
}
