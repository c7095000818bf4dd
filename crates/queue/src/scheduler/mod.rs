//! The queue manager's head: what is delivered next, where, by how many at a time.

pub mod limits;

use jiff::Timestamp;
use mail::QueueId;

pub use limits::{Feedback, Limits, TransportLimits};

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

/// The scheduler.
#[derive(Debug)]
pub struct Scheduler {}

impl Scheduler {
    /// A scheduler; `transports` gives the limits of a transport when it is first seen.
    pub fn new(_limits: Limits, _transports: Box<dyn Fn(&str) -> TransportLimits + Send>) -> Scheduler {
        todo!()
    }

    /// Takes new limits (reload); what is in flight stays.
    pub fn reconfigure(&mut self, _limits: Limits, _transports: Box<dyn Fn(&str) -> TransportLimits + Send>) {
        todo!()
    }

    /// A message is ready: new, released, requeued.
    pub fn ready(&mut self, _id: QueueId) {
        todo!()
    }

    /// A message waits until `at`.
    pub fn deferred(&mut self, _id: QueueId, _at: Timestamp) {
        todo!()
    }

    /// The answer to [`Step::Read`]; `more` says that recipients were left unread.
    pub fn add(&mut self, _id: &QueueId, _targets: Vec<Target>, _more: bool, _now: Timestamp) {
        todo!()
    }

    /// A message is held or deleted: nothing more of it is started.
    pub fn forget(&mut self, _id: &QueueId) {
        todo!()
    }

    /// Tries all deferred mail now, and dead destinations too.
    pub fn flush_all(&mut self, _now: Timestamp) {
        todo!()
    }

    /// Tries one deferred message now.
    pub fn flush_message(&mut self, _id: &QueueId) {
        todo!()
    }

    /// What to do next; `None` until something finishes, arrives, or [`Scheduler::wakeup`] has come.
    pub fn next(&mut self, _now: Timestamp) -> Option<Step> {
        todo!()
    }

    /// When to call [`Scheduler::next`] again if nothing else happens.
    pub fn wakeup(&self) -> Option<Timestamp> {
        todo!()
    }

    /// A delivery has ended.
    pub fn finished(&mut self, _ticket: Ticket, _health: Health, _now: Timestamp) {
        todo!()
    }
}

/// When a message is tried again: its age, within `minimal_backoff_time` and `maximal_backoff_time`.
pub fn next_attempt(_limits: &Limits, _arrival: Timestamp, _now: Timestamp) -> Timestamp {
    todo!()
}

/// Has the message been in the queue for too long (`maximal_queue_lifetime`, or `bounce_queue_lifetime` for a
/// notice)?
pub fn too_old(_limits: &Limits, _null_sender: bool, _arrival: Timestamp, _now: Timestamp) -> bool {
    todo!()
}
