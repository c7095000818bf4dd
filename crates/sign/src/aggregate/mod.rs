//! Aggregate reports of DMARC (RFC 7489 7.2): what we saw of other domains' mail, told to those who publish `rua=`, and what
//! others saw of ours.
//!
//! [`Store`] keeps both, bounded, in one SQLite file. [`Seen`] is what one message adds; [`finished`] makes the messages
//! that a past day owes; [`Received`] is a report of somebody else, out of a message or a file.

mod addresses;
mod archive;
mod letter;
mod received;
mod seen;
mod settings;
mod store;
mod xml;

#[cfg(test)]
mod tests;

pub use letter::{Letter, Owed, finished};
pub use received::{Received, Row};
pub use seen::Seen;
pub use settings::Settings;
pub use store::{Listed, Pending, Store};
