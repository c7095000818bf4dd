//! How `postqueue`, `postsuper` and `postcat` speak with the running program.
//!
//! Over the local socket [`SOCKET`] below `queue_directory`, one request after the other; each is answered by any
//! number of [`Answer`]s, the last of which is [`Answer::Done`] or [`Answer::Refused`]. A frame is its length (four
//! bytes, little-endian) and a value in the encoding of the journal. When the program is down the tools open the
//! queue themselves and call [`perform`], as the program does.

mod client;
mod codec;
mod perform;
mod server;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use jiff::Timestamp;
use mail::{Envelope, QueueId};

use crate::maildrop::Listed;
use crate::{Flush, Selection, State, Summary};

pub use client::Client;
pub use perform::{AsRoot, Policy, Right, perform};
pub use server::serve;

/// The socket, below `queue_directory`.
pub const SOCKET: &str = "public/facteur";

/// What a tool asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// All messages: [`Answer::Dropped`] for each in the maildrop, [`Answer::Summary`] for each in the queue.
    List,
    /// One message: [`Answer::Message`], then its content.
    Show(QueueId),
    /// Deliveries now.
    Flush(Flush),
    /// A change: [`Answer::Altered`].
    Alter(Alteration, Selection),
}

/// What `postsuper` does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// `-d`
    Delete,
    /// `-h`
    Hold,
    /// `-H`
    Release,
    /// `-r`
    Requeue,
    /// `-e`
    Expire,
}

/// What the program answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A message of the list.
    Summary(Summary),
    /// A message in the maildrop.
    Dropped(Listed),
    /// A message, without its content.
    Message(Box<Shown>),
    /// The next piece of its content.
    Content(Bytes),
    /// These messages were changed.
    Altered(Vec<QueueId>),
    /// The request was done.
    Done,
    /// The request was not done.
    Refused(Reason, String),
}

/// Why a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not by this user.
    Denied,
    /// There is no such message.
    NotFound,
    /// The site has no part in the fast flush service (`fast_flush_domains`).
    NotFlushed,
    /// Something failed; try again.
    Failed,
}

/// A message as `postcat` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its queue id.
    pub id: QueueId,
    /// In which queue it is.
    pub state: State,
    /// When it arrived.
    pub arrival: Timestamp,
    /// Length of its content.
    pub size: u64,
    /// Sender, recipients, client.
    pub envelope: Envelope,
    /// For each recipient, whether nothing is left to do.
    pub done: Vec<bool>,
}
