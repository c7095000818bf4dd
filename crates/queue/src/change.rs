//! What the queue tells the queue manager, and what administrators ask of it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use jiff::Timestamp;
use mail::QueueId;

use crate::shared::Pending;
use crate::{Failure, State};

/// What happened to the queue that the queue manager must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A message was accepted: look at it now.
    Ready(QueueId),
    /// A message waits for this time: it was found so at start, or was released from hold.
    Waiting(QueueId, Timestamp),
    /// `postsuper -r`: pass it through cleanup again, then deliver.
    Requeued(QueueId),
    /// A message went on hold: start no further delivery.
    Held(QueueId),
    /// A message was deleted by an administrator: start no further delivery.
    Removed(QueueId),
    /// A message is to be returned to its sender at the next look.
    Expired(QueueId),
    /// Somebody asked for deliveries now.
    Flush(Flush),
}

/// What is to be delivered now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flush {
    /// All deferred mail (`postqueue -f`).
    All,
    /// Mail for one site (`postqueue -s`, ETRN).
    Site(String),
    /// One message (`postqueue -i`).
    Message(QueueId),
}

/// Which messages an administrator means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// One message, if it is in one of these queues.
    One(QueueId, Vec<State>),
    /// These messages, those of them that are in these queues.
    These(Vec<QueueId>, Vec<State>),
    /// All messages in these queues.
    All(Vec<State>),
}

/// A change on its way to the disk. Ready when the record is durable; the change itself has happened, and
/// dropping this does not undo it.
#[must_use = "await it to know that it is durable, or drop it on purpose"]
#[derive(Debug)]
pub struct Commit<T> {
    value: Option<T>,
    pending: Pending,
}

impl<T> Commit<T> {
    pub(crate) fn new(value: T, pending: Pending) -> Commit<T> {
        Commit { value: Some(value), pending }
    }

    /// What changed, known at once. Nothing is waited for: the record will be durable soon.
    pub fn now(mut self) -> T {
        self.value.take().expect("a commit is used once")
    }

    /// Waits on this thread, for programs without a runtime. Panics within one.
    pub fn wait(mut self) -> Result<T, Failure> {
        self.pending.wait()?;
        Ok(self.value.take().expect("a commit is used once"))
    }
}

impl<T: Unpin> Future for Commit<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let done = ready!(Pin::new(&mut self.pending).poll(cx));
        Poll::Ready(done.map(|()| self.value.take().expect("a future is not polled after it is ready")))
    }
}
