//! The mail as one person sees it: own mailboxes, perhaps below a prefix, and those that others share; every access
//! is held against the rights that the owner of a mailbox gives (RFC 4314).
//!
//! [`Spaces`] is put over an [`Account`] by whoever serves a person: IMAP, POP3, delivery, doveadm. Rights are kept
//! with each mailbox in its owner's account. That somebody shares something is noted in the account of whoever may look at
//! it, so that he finds it; the note alone gives no right. What is shared with groups or with everybody is
//! found by its name.

mod account;
mod guarded;
mod resolve;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::{Account, Identity, Result};

pub use guarded::Guarded;

/// The name under which it is noted in an account who shares something with it; the owner's name follows.
const NOTE: &str = "shared-by/";

/// Names of mailboxes that belong together. RFC 2342.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// What the names of own mailboxes begin with, with `/` between its levels and behind the last; INBOX does not.
    pub prefix: String,
    /// What the names of mailboxes of others begin with, in the same form, before the name of their owner; empty where
    /// nothing is shared.
    pub others: String,
}

impl Namespaces {
    /// A prefix as a parameter gives it: with its last separator or without.
    pub fn prefix(text: &str, separator: char) -> String {
        let levels: Vec<&str> = text.split(['/', separator]).filter(|level| !level.is_empty()).collect();
        if levels.is_empty() { String::new() } else { levels.join("/") + "/" }
    }
}

/// Opens the accounts of those who share.
pub trait Others: Send + Sync {
    /// The account of this name, without its [`Spaces`]; `None` where there is no such user, or he has no mailboxes
    /// yet and they are not to be made. Blocks.
    ///
    /// # Errors
    /// Nobody knows, or it cannot be opened.
    fn open(&self, user: &str, make: bool) -> Result<Option<Arc<dyn Account>>>;
}

/// An account as its owner sees it, with what others share.
pub struct Spaces {
    own: Arc<dyn Account>,
    me: Identity,
    names: Arc<Namespaces>,
    others: Option<Arc<dyn Others>>,
}

impl Spaces {
    /// The account of `me`. Without `others` nothing is shared.
    pub fn new(
        own: Arc<dyn Account>,
        me: Identity,
        names: Arc<Namespaces>,
        others: Option<Arc<dyn Others>>,
    ) -> Spaces {
        Spaces { own, me, names, others }
    }
}
