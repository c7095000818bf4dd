//! What the office lends its agents: a way back into the queue, and a way to another agent.

use mail::{Envelope, QueueId, Trouble};
use queue::Body;

use crate::{Boxed, Report, Request};

/// A new message made of an old one: an alias, a `.forward`, a list with an owner.
pub struct Letter {
    /// Sender, recipients and options of the new message. Sender and recipients are in internal form and not yet
    /// rewritten or expanded.
    pub envelope: Envelope,
    /// The message it forwards.
    pub from: QueueId,
    /// Header lines to put before the content, each with its line end: `Delivered-To: user@example.org`.
    pub prepend: Vec<u8>,
    /// The content that is forwarded.
    pub content: Body,
}

/// The door into the queue.
pub trait Reinject: Send + Sync {
    /// Queues a letter; returns once it is durable.
    fn resubmit(&self, letter: Letter) -> Boxed<'_, Result<QueueId, Trouble>>;
}

/// The door to another agent: `mailbox_transport`, `fallback_transport`, `best_mx_transport`.
pub trait Pass: Send + Sync {
    /// Hands `request` to the service named by `request.transport`; unknown services are temporary failures.
    fn pass(&self, request: Request) -> Boxed<'_, Report>;
}
