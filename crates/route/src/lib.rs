//! From an address to the next stop: rewriting, aliases, classes, transport.
//!
//! What trivial-rewrite(8) does, and the table-driven part of cleanup(8). A [`Router`] is an immutable snapshot
//! of one configuration; every question it answers can leave its reasons on a [`mail::Trail`].
//!
//! This room opens no socket and knows no queue and no message body. A table that fails is [`mail::Trouble`],
//! never "not found".

mod bcc;
mod canonical;
mod classes;
mod domain;
mod header_clients;
mod listed;
mod mapping;
mod normal;
mod open;
pub mod params;
mod resolve;
mod rewrite;
mod router;
pub mod takeover;
#[cfg(test)]
mod testing;
mod transport;
mod virtual_alias;

pub use canonical::Place;
pub use classes::DomainClass;
pub use header_clients::ClientFacts;
pub use listed::Listing;
pub use mapping::{Extension, note};
pub use resolve::Stop;
pub use rewrite::Context;
pub use router::Router;
