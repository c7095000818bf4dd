//! Our own kind: a directory for each account.
//!
//! ```text
//! catalogue            SQLite: mailboxes, UIDs, flags, cached parts of messages
//! bodies/00000001…     messages, appended and never changed; each record says which mailbox it came to
//! bodies/current       the one that is appended to; it may end in zeros, room for what comes next
//! ```
//!
//! A delivery appends a record to `current` and waits until it is durable, together with whoever else waits. The
//! catalogue is an index of the records: it remembers up to where it has entered them, and enters the rest
//! when the account is next looked at. So a delivery to an account that nobody looks at costs one write.

mod account;
mod bodies;
mod catalogue;
mod change;
mod deliver;
mod disk;
mod enter;
mod fields;
mod folders;
mod heads;
mod inside;
mod mailbox;
#[allow(unsafe_code, reason = "the one module that looks into the memory SQLite shares")]
mod pulse;
mod record;
mod room;
mod rows;
mod scan;
mod schema;
mod shared;
mod signature;
mod summary;
mod sync;
mod transfer;
pub mod upkeep;
#[allow(unsafe_code, reason = "the one module that calls sync_file_range(2)")]
mod writeback;

pub(crate) use account::FacteurAccount;
pub(crate) use deliver::{Written, settle};

use crate::Kind;
use crate::backends::Backend;

/// The line of the list.
pub const BACKEND: Backend = Backend { kind: Kind::Facteur, open: account::open };

#[cfg(test)]
mod tests;
