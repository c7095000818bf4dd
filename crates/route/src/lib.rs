//! From an address to the next stop: rewriting, aliases, classes, transport.
//!
//! What trivial-rewrite(8) does, and the table-driven part of cleanup(8). A [`Router`] is an immutable snapshot
//! of one configuration; every question it answers can leave its reasons on a [`mail::Trail`].
//!
//! This room opens no socket and knows no queue and no message body. A table that fails is [`mail::Trouble`],
//! never "not found".

pub mod classes;
pub mod listed;
pub mod params;
pub mod resolve;
pub mod rewrite;
pub mod router;

pub use classes::DomainClass;
pub use listed::Listing;
pub use resolve::Stop;
pub use rewrite::Context;
pub use router::Router;
