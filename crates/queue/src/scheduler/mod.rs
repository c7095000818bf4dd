//! The queue manager's head: what is delivered next, where, by how many at a time.
//!
//! Terms and parameters are those of qmgr(8). No step looks at more than a handful of messages, however many
//! there are.

pub mod limits;

mod destination;
mod machine;
mod transport;
mod waiting;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use mail::QueueId;

pub use limits::{Feedback, Limits, TransportLimits};
pub use machine::{LimitsOf, Scheduler};

/// Names one delivery in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// One recipient with where it goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// Index in the envelope.
    pub index: u32,
    /// Delivery transport.
    pub transport: String,
    /// Next hop, as the agent gets it.
    pub nexthop: String,
    /// What shares concurrency and rate limits: the next hop, or the recipient where the transport's recipient
    /// limit is 1 (as in qmgr).
    pub destination: String,
}

/// One delivery: hand these recipients to that agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// To be given back to [`Scheduler::finished`].
    pub ticket: Ticket,
    /// The message.
    pub id: QueueId,
    /// Delivery transport.
    pub transport: String,
    /// Next hop.
    pub nexthop: String,
    /// Recipients, by index in the envelope.
    pub recipients: Vec<u32>,
}

/// What the queue manager is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Load the message (mark it active), resolve up to `room` recipients not given before, and call
    /// [`Scheduler::add`].
    Read {
        /// The message.
        id: QueueId,
        /// How many recipients there is room for.
        room: usize,
    },
    /// Start a delivery.
    Deliver(Work),
    /// The destination is dead for now: defer these recipients with this reason, without an attempt.
    Suspend {
        /// The message.
        id: QueueId,
        /// Recipients, by index in the envelope.
        recipients: Vec<u32>,
        /// Enhanced status and sentence of the failure that made the destination dead.
        why: Dead,
    },
    /// Every recipient of this attempt has been told of: settle the message and call
    /// [`Scheduler::deferred`] when something is left.
    Over {
        /// The message.
        id: QueueId,
    },
}

/// Why a destination is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// Enhanced status code: `4.4.1`.
    pub status: String,
    /// The sentence of the last failure, without `delivery temporarily suspended: `.
    pub reason: String,
}

/// How a delivery went, as far as the destination is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The destination took it or answered sensibly.
    Good,
    /// The destination could not be reached or was in no state to talk: counts against it.
    Bad(Dead),
}

/// When a message is tried again: after as long as it has been in the queue, within `minimal_backoff_time` and
/// `maximal_backoff_time`.
pub fn next_attempt(limits: &Limits, arrival: Timestamp, now: Timestamp) -> Timestamp {
    let age = Duration::try_from(now.duration_since(arrival)).unwrap_or_default();
    let pause = age.min(limits.maximal_backoff).max(limits.minimal_backoff);
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

/// Has the message been in the queue for too long (`maximal_queue_lifetime`, or `bounce_queue_lifetime` for a
/// notice)?
pub fn too_old(limits: &Limits, null_sender: bool, arrival: Timestamp, now: Timestamp) -> bool {
    let lifetime = if null_sender { limits.bounce_lifetime } else { limits.maximal_lifetime };
    Duration::try_from(now.duration_since(arrival)).is_ok_and(|age| age >= lifetime)
}
