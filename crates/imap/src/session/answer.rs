//! What a command comes to.

use std::borrow::Cow;

use super::{Session, Tell};
use crate::grammar::Bad;
use crate::grammar::mailbox::BAD_NAME;
use crate::grammar::search::Refused;
use crate::login::Login;

/// What a command comes to.
pub type Answer = Result<Done, Fail>;

/// A command that was done, or goes on.
pub enum Done {
    /// `OK`, after what has happened in the mailbox meanwhile.
    Ok {
        /// The response code, without its brackets; may be empty.
        code: String,
        /// The text.
        text: Cow<'static, str>,
        /// What may be told before it.
        tell: Tell,
    },
    /// It goes on in slices.
    Slices(Box<dyn Slices>),
    /// It waits for DONE.
    Idle,
    /// The handshake comes next.
    StartTls,
    /// Compression begins.
    Compress,
    /// Somebody decides about a login.
    Login(Login),
    /// The session ends.
    Logout,
}

impl Done {
    /// `OK` with this text.
    pub fn ok(text: &'static str, tell: Tell) -> Done {
        Done::Ok { code: String::new(), text: Cow::Borrowed(text), tell }
    }

    /// `OK` with a response code.
    pub fn with(code: String, text: &'static str, tell: Tell) -> Done {
        Done::Ok { code, text: Cow::Borrowed(text), tell }
    }
}

/// A command that was not done.
#[derive(Debug)]
pub enum Fail {
    /// Its words are wrong.
    Bad(Bad),
    /// It is not for this state of the session.
    Refused(&'static str),
    /// `NO`, with a response code that may be empty.
    No {
        /// Without its brackets.
        code: Cow<'static, str>,
        /// The text.
        text: Cow<'static, str>,
    },
    /// The selected mailbox is gone: the session ends.
    Gone,
}

impl Fail {
    /// `NO` with a response code.
    pub fn no(code: &'static str, text: impl Into<Cow<'static, str>>) -> Fail {
        Fail::No { code: Cow::Borrowed(code), text: text.into() }
    }
}

impl From<Bad> for Fail {
    fn from(bad: Bad) -> Fail {
        if bad == BAD_NAME { Fail::no("CANNOT", format!("{}.", bad.0)) } else { Fail::Bad(bad) }
    }
}

impl From<Refused> for Fail {
    fn from(refused: Refused) -> Fail {
        match refused {
            Refused::Bad(bad) => bad.into(),
            Refused::Charset => Fail::no("BADCHARSET (US-ASCII UTF-8)", "Unknown charset."),
        }
    }
}

impl From<store::Error> for Fail {
    fn from(error: store::Error) -> Fail {
        use store::Error;
        match error {
            Error::NoMailbox => Fail::no("NONEXISTENT", "Mailbox doesn't exist."),
            Error::Exists => Fail::no("ALREADYEXISTS", "Mailbox already exists."),
            Error::BadName(why) => Fail::no("CANNOT", format!("Invalid mailbox name: {why}.")),
            Error::Gone => Fail::Gone,
            Error::NoPermission => Fail::no("NOPERM", "Permission denied."),
            Error::NoMessage => Fail::no("EXPUNGEISSUED", "Some of the requested messages no longer exist."),
            Error::OverQuota(_) => Fail::no("OVERQUOTA", "Quota exceeded (mailbox for user is full)."),
            Error::Limit(what) => Fail::no("LIMIT", format!("Limit reached: {what}.")),
            Error::Unsupported(what) => {
                Fail::no("CANNOT", format!("Not possible in this mail store: {what}."))
            }
            Error::Damaged(what) => {
                log::error!(target: "imap", "{what}");
                Fail::no("SERVERBUG", "The stored mail is damaged; the administrator has been told.")
            }
            Error::Trouble(trouble) => {
                log::error!(target: "imap", "{trouble}");
                Fail::no("UNAVAILABLE", "Internal error occurred. Try again later.")
            }
        }
    }
}

/// A command whose answer is long: it is made step by step, and the client reads in between.
pub trait Slices: Send {
    /// Makes a part of the answer; `Some` at the end.
    fn step(&mut self, session: &mut Session) -> Option<Answer>;
}
