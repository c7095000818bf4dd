//! What the queue knows of a message: its state, and the fate of each recipient.

use std::sync::Arc;

use jiff::Timestamp;
use mail::{Address, Envelope, QueueId, Refusal, RemoteReply};

use crate::Body;

/// In which of Postfix's queues a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Accepted; the queue manager has not looked at it.
    Incoming,
    /// Being delivered. Known in memory only: after a restart such a message is `Incoming` again, or `Deferred`.
    Active,
    /// Waits for its next attempt.
    Deferred,
    /// Waits for an administrator.
    Hold,
}

impl State {
    /// All states, in the order in which Postfix lists its queues.
    pub const ALL: [State; 4] = [State::Hold, State::Incoming, State::Active, State::Deferred];

    /// The queue's name: `incoming`, `active`, `deferred`, `hold`.
    pub fn name(self) -> &'static str {
        match self {
            State::Incoming => "incoming",
            State::Active => "active",
            State::Deferred => "deferred",
            State::Hold => "hold",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// How a message enters the queue, beside its envelope and content.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it arrived (for `sendmail` mail: when it was submitted).
    pub arrival: Timestamp,
    /// Put on hold by a rule, instead of going to the queue manager.
    pub hold: bool,
}

impl Entry {
    /// A message for the queue manager.
    pub fn at(arrival: Timestamp) -> Entry {
        Entry { arrival, hold: false }
    }
}

/// What was done with a recipient, in the words of RFC 3464 2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet.
    Delayed,
    /// In a mailbox.
    Delivered,
    /// Given to a server that sends no notices of success.
    Relayed,
    /// Replaced by several others.
    Expanded,
}

impl Action {
    /// As RFC 3464 writes it.
    pub fn name(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        }
    }
}

/// What one attempt had to say about one recipient: enough for `mailq` and for a notice to the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was done.
    pub action: Action,
    /// Enhanced status code in full: `4.2.0`.
    pub status: String,
    /// The sentence within parentheses of `mailq` and of the log.
    pub reason: String,
    /// What the remote server answered, when one did.
    pub remote: Option<RemoteReply>,
    /// Diagnostic type and text where no remote server spoke: `x-unix; …`.
    pub diagnostic: Option<String>,
    /// The relay as logged: `host[addr]:port`, `local`, `none`.
    pub relay: String,
    /// When.
    pub at: Timestamp,
}

impl Report {
    /// The report of a refusal: delayed or failed, as its class says.
    pub fn refused(refusal: &Refusal, relay: impl Into<String>, at: Timestamp) -> Report {
        let action = match refusal.class() {
            mail::Class::Later => Action::Delayed,
            mail::Class::Never => Action::Failed,
        };
        Report {
            action,
            status: refusal.status().to_string(),
            reason: refusal.log_text().to_owned(),
            remote: refusal.remote.clone(),
            diagnostic: refusal.diagnostic.clone(),
            relay: relay.into(),
            at,
        }
    }
}

/// Where a recipient stands. A message leaves the queue when all its recipients are [`Fate::Done`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Not tried yet.
    #[default]
    Pending,
    /// Tried; will be tried again.
    Deferred(Report),
    /// Given up; a notice of failure is owed to the sender.
    Failed(Report),
    /// Delivered; a notice of success is owed to the sender.
    Delivered(Report),
    /// Nothing is left to do.
    Done,
}

impl Fate {
    /// Is there still something to deliver?
    pub fn is_pending(&self) -> bool {
        matches!(self, Fate::Pending | Fate::Deferred(_))
    }

    /// What the last attempt said.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Fate::Deferred(report) | Fate::Failed(report) | Fate::Delivered(report) => Some(report),
            Fate::Pending | Fate::Done => None,
        }
    }
}

/// What is to be recorded about a message after (part of) an attempt, in one durable record.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// New fates, by recipient index in the envelope.
    pub fates: Vec<(u32, Fate)>,
    /// The attempt is over; the message goes to `deferred` until then.
    pub defer_until: Option<Timestamp>,
    /// A notice of delay was sent.
    pub delay_warned: bool,
}

impl Settlement {
    /// Only fates.
    pub fn fates(fates: Vec<(u32, Fate)>) -> Settlement {
        Settlement { fates, ..Settlement::default() }
    }
}

/// What is left of a message after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// So many recipients are not [`Fate::Done`].
    Recipients(u32),
    /// Nothing: the message was removed by this change.
    Removed,
    /// The message had been removed before (`postsuper -d`).
    Gone,
}

/// A message with all that is known of it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its queue id.
    pub id: QueueId,
    /// Who sent it, who gets it; shared, for it may be large.
    pub envelope: Arc<Envelope>,
    /// Header and body.
    pub body: Body,
    /// Where each recipient stands, by index in `envelope.recipients`.
    pub fates: Vec<Fate>,
    /// When it arrived.
    pub arrival: Timestamp,
    /// In which queue it is.
    pub state: State,
    /// When it is tried next, if it is deferred.
    pub next_attempt: Timestamp,
    /// How many attempts ended so far.
    pub attempts: u32,
    /// `postsuper -e`: is returned to the sender at the next look.
    pub forced_expire: bool,
    /// A notice of delay was sent.
    pub delay_warned: bool,
    /// It was in the queue when the program started: it may have been delivered by the one before, which did not live
    /// to record it.
    pub inherited: bool,
}

impl Stored {
    /// A message as it is when it has just been put.
    pub fn fresh(id: QueueId, envelope: Envelope, body: Body, arrival: Timestamp) -> Stored {
        let fates = vec![Fate::Pending; envelope.recipients.len()];
        Stored {
            id,
            envelope: Arc::new(envelope),
            body,
            fates,
            arrival,
            state: State::Incoming,
            next_attempt: arrival,
            attempts: 0,
            forced_expire: false,
            delay_warned: false,
            inherited: false,
        }
    }
}

/// One line of bookkeeping: what the queue manager needs of a message before it loads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Its queue id.
    pub id: QueueId,
    /// In which queue it is.
    pub state: State,
    /// When it arrived.
    pub arrival: Timestamp,
    /// When it is tried next, if it is deferred.
    pub next_attempt: Timestamp,
    /// How many attempts ended so far.
    pub attempts: u32,
    /// Length of the content, in bytes.
    pub size: u64,
    /// Recipients in all.
    pub recipients: u32,
    /// Recipients that are not [`Fate::Done`].
    pub left: u32,
    /// `postsuper -e`.
    pub forced_expire: bool,
    /// A notice of delay was sent.
    pub delay_warned: bool,
}

/// What `postqueue -p` shows of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The bookkeeping.
    pub brief: Brief,
    /// Reverse-path.
    pub sender: Address,
    /// The recipients still to be delivered, each with the reason of its last delay.
    pub recipients: Vec<Waiting>,
}

/// A recipient in a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its address.
    pub address: Address,
    /// Why it was not delivered yet, when it was tried.
    pub reason: Option<String>,
}
