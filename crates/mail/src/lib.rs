//! The nouns of mail: address, envelope, header, date, queue id, and the verdict on a message or recipient.
//!
//! This room does no I/O, reads no clock, knows no configuration and no async. Everything else stands on it,
//! so it changes rarely.

pub mod address;
pub mod addresses;
pub mod date;
pub mod envelope;
pub mod header;
pub mod logline;
pub mod mime;
pub mod queue_id;
pub mod trail;
pub mod verdict;

pub use address::Address;
pub use envelope::{BodyType, Client, DeliveryReport, Envelope, Notify, Recipient, Ret};
pub use queue_id::QueueId;
pub use trail::{Because, Trail};
pub use verdict::{Blame, Class, Detail, Outcome, Refusal, RemoteReply, Trouble};
