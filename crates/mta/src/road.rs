//! The road of a message: two short functions with a disk between them.
//!
//! `accept`: judge, clean up, put in the queue; only then may anyone say "250".
//! `carry`: route, hand over, settle.

use mail::{Envelope, QueueId, Recipient, Refusal};

pub use filter::{Orders, Probe};

/// Proof that a message is durably in the queue: the reply 250 is built from it and from nothing else.
#[derive(Clone, Debug)]
pub struct Queued(QueueId);

impl Queued {
    /// The id to print in `queued as`.
    pub fn id(&self) -> &QueueId {
        &self.0
    }
}

/// A message on its way in. It has an id from the first recipient on; nothing is promised until `finish`.
pub trait Incoming: Send {
    /// The queue id, for logs and the Received header.
    fn id(&self) -> &QueueId;

    /// Gives the envelope and opens the content; `trace` is the Received header (and what else goes on top), each
    /// line ended by LF.
    fn start(
        &mut self,
        envelope: Envelope,
        orders: Orders,
        trace: String,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Adds content, lines ended by LF. An error is reported by `finish` too; the caller may go on feeding.
    fn write(&mut self, chunk: &[u8]) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// The message is complete: clean up, put. Durable when it returns `Ok`.
    fn finish(self) -> impl Future<Output = Result<Queued, Refusal>> + Send;
}

/// Where sessions get an [`Incoming`] from, and what they may ask about addresses.
pub trait Door: Clone + Send + Sync + 'static {
    /// The message being received.
    type Incoming: Incoming;

    /// A new message with a fresh id.
    fn open(&self) -> Self::Incoming;

    /// Is there room (`queue_minfree`, `message_size_limit`) for a message of `size` bytes (0: not said)?
    fn room_for(&self, size: u64) -> Result<(), Refusal>;

    /// ETRN and `sendmail -qR`: try what waits for this domain.
    fn flush(&self, site: &str) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Address verification by probe (`reject_unverified_*`): what is known of this recipient.
    fn verify(&self, recipient: &Recipient) -> impl Future<Output = Probe> + Send;
}
