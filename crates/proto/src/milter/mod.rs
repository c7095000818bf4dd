//! The milter protocol, versions 2 to 6, from the side of the mail server.
//!
//! Packets are a length (32 bits, network order), a letter and its data. [`packet`] makes ours, [`Response`] reads
//! those of a filter, [`Agreement`] is what both sides settled on when the connection was opened.

mod agreement;
mod packet;
mod response;

pub use agreement::{Agreement, Disagreement, Offer};
pub use packet::{CHUNK, Event, Peer, connect, macros, packet, strings};
pub use response::{Change, LIMIT, Malformed, Response};
