//! What may go wrong with a mailbox.

use std::fmt;
use std::io;
use std::path::Path;

use mail::Trouble;

/// Why something was not done. Everything but [`Error::Trouble`] is an answer; that one is "not now".
#[derive(Clone, Debug)]
pub enum Error {
    /// There is no such mailbox (`NONEXISTENT`).
    NoMailbox,
    /// There is one already (`ALREADYEXISTS`).
    Exists,
    /// The name breaks this rule (`CANNOT`).
    BadName(&'static str),
    /// The mailbox was deleted while it was open.
    Gone,
    /// The user may not do it (`NOPERM`).
    NoPermission,
    /// The message is not, or no longer, in the mailbox (`EXPUNGEISSUED`).
    NoMessage,
    /// The quota of this resource would be passed (`OVERQUOTA`).
    OverQuota(crate::Resource),
    /// A bound of the store would be passed (`LIMIT`).
    Limit(&'static str),
    /// The kind of store cannot do it (`CANNOT`).
    Unsupported(&'static str),
    /// What is on the disk is not what was written: the file and what is wrong.
    Damaged(String),
    /// Something outside failed; temporary by nature.
    Trouble(Trouble),
}

/// What functions of this room return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the system, with what was done and to which file.
    pub fn io(doing: &str, path: &Path, error: io::Error) -> Error {
        Error::Trouble(Trouble::from_error(format!("{doing} {}", path.display()), error))
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Error {
        Error::Trouble(trouble)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoMailbox => f.write_str("no such mailbox"),
            Error::Exists => f.write_str("the mailbox exists already"),
            Error::BadName(why) => write!(f, "bad mailbox name: {why}"),
            Error::Gone => f.write_str("the mailbox was deleted"),
            Error::NoPermission => f.write_str("permission denied"),
            Error::NoMessage => f.write_str("the message is gone"),
            Error::OverQuota(resource) => write!(f, "quota exceeded ({})", resource.name()),
            Error::Limit(what) => write!(f, "limit reached: {what}"),
            Error::Unsupported(what) => write!(f, "not possible in this mail store: {what}"),
            Error::Damaged(what) => write!(f, "damaged: {what}"),
            Error::Trouble(trouble) => trouble.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
