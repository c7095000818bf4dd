//! What the queue's handles, its committer and its janitor share.

use std::collections::VecDeque;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use mail::QueueId;
use tokio::sync::{Notify, oneshot};

use crate::disk::Disk;
use crate::frame::Frame;
use crate::fresh::Fresh;
use crate::index::Index;
use crate::layout::Layout;
use crate::record::MessageHead;
use crate::{Failure, Kind, Settings};

/// So many records are written even if nobody waits for one of them.
pub(crate) const LAZY_COUNT: usize = 512;

/// So many records do not wait for more.
pub(crate) const COMPANY: usize = 8;

/// Tells one waiter what became of its record.
pub(crate) type Waiter = oneshot::Sender<Result<(), Failure>>;

/// A record for the committer, and what to do when it is in the journal.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) frame: Frame,
    pub(crate) then: Then,
    pub(crate) waiter: Option<Waiter>,
}

/// What follows when a record is in the journal.
#[derive(Debug)]
pub(crate) enum Then {
    /// A message enters the queue. It does not if the record fails.
    Insert(Box<(MessageHead, Fresh)>),
    /// A message has a new place, unless it changed meanwhile. It has not if the record fails.
    Move { id: QueueId, version: u32 },
    /// The index has the new state already; the record must come to the journal some day.
    Note { id: QueueId, serial: u64 },
    /// The same, with nothing to remember, and files that may go when the record is durable.
    Forget(Vec<PathBuf>),
}

impl Then {
    /// Is the record of something that has happened, and that no failure of the disk takes back?
    pub(crate) fn must_be_written(&self) -> bool {
        matches!(self, Then::Note { .. } | Then::Forget(_))
    }
}

/// What is behind the lock.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) index: Index,
    /// Records for the committer, in the order in which the index was changed.
    pub(crate) jobs: Vec<Job>,
    pub(crate) serial: u64,
    /// Files that may be removed.
    pub(crate) trash: Vec<PathBuf>,
    /// Messages whose notes should be gathered in one record.
    pub(crate) crowded: VecDeque<QueueId>,
    pub(crate) closing: bool,
    /// How the committer waits.
    pub(crate) rest: Rest,
    /// Somebody waits for one of the records.
    pub(crate) awaited: bool,
    pub(crate) janitor_called: bool,
}

/// What the committer is doing while there is nothing to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It works, or has been woken.
    #[default]
    Awake,
    /// It will look in a moment: records that nobody waits for gather meanwhile.
    Gathering,
    /// It has just synced: records gather, whoever waits for them.
    Pacing,
    /// There is nothing to write; it looks when it is woken.
    Sleeping,
}

/// Shared by all handles and the two threads.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inner: Mutex<Inner>,
    pub(crate) committer: Condvar,
    pub(crate) janitor: Condvar,
    pub(crate) changed: Notify,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) layout: Layout,
    pub(crate) settings: Settings,
    /// Opened to look only.
    pub(crate) read_only: bool,
}

impl Shared {
    /// A panic while the lock was held leaves at worst one message half changed: go on with the others.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a record that somebody waits for.
    pub(crate) fn submit(&self, inner: &mut Inner, frame: Frame, then: Then) -> Pending {
        self.hand_over(inner, frame, then, true)
    }

    /// Hands over a record that may wait a moment for company, unless somebody waits for it after all.
    pub(crate) fn submit_lazily(self: &Arc<Self>, inner: &mut Inner, frame: Frame, then: Then) -> Pending {
        let pending = self.hand_over(inner, frame, then, false);
        Pending { hurry: Some(self.clone()), ..pending }
    }

    /// Somebody waits for what was handed over.
    fn hurry(&self) {
        let mut inner = self.lock();
        if !inner.jobs.is_empty() {
            inner.awaited = true;
            if inner.rest == Rest::Gathering {
                inner.rest = Rest::Awake;
                self.committer.notify_one();
            }
        }
    }

    fn hand_over(&self, inner: &mut Inner, frame: Frame, then: Then, awaited: bool) -> Pending {
        if inner.closing || self.read_only {
            return Pending::failed(Failure::new(Kind::Closed, "the queue is closed"));
        }
        let (waiter, pending) = oneshot::channel();
        inner.jobs.push(Job { frame, then, waiter: Some(waiter) });
        inner.awaited |= awaited;
        let wake = match inner.rest {
            Rest::Awake => false,
            Rest::Gathering => awaited || inner.jobs.len() >= LAZY_COUNT,
            Rest::Pacing => inner.jobs.len() >= COMPANY,
            Rest::Sleeping => true,
        };
        if wake {
            inner.rest = Rest::Awake;
            self.committer.notify_one();
        }
        Pending { answer: Some(Ok(pending)), hurry: None }
    }

    /// Hands over a record of fates; the index holds it in memory until it is in the journal.
    pub(crate) fn next_note(&self, inner: &mut Inner, meta: Bytes) -> (u64, crate::index::Note) {
        inner.serial += 1;
        (inner.serial, crate::index::Note::Memory(Box::new((inner.serial, meta))))
    }

    /// Wakes the janitor.
    pub(crate) fn call_janitor(&self, inner: &mut Inner) {
        if !std::mem::replace(&mut inner.janitor_called, true) {
            self.janitor.notify_one();
        }
    }
}

/// The answer of the committer, not yet there.
#[derive(Debug)]
pub(crate) struct Pending {
    answer: Option<Result<oneshot::Receiver<Result<(), Failure>>, Failure>>,
    /// To be told when somebody begins to wait.
    hurry: Option<Arc<Shared>>,
}

impl Pending {
    /// Nothing had to be written.
    pub(crate) fn nothing() -> Pending {
        Pending { answer: None, hurry: None }
    }

    pub(crate) fn failed(failure: Failure) -> Pending {
        Pending { answer: Some(Err(failure)), hurry: None }
    }

    fn hurry(&mut self) {
        if let Some(shared) = self.hurry.take() {
            shared.hurry();
        }
    }

    /// Waits without a runtime.
    pub(crate) fn wait(mut self) -> Result<(), Failure> {
        self.hurry();
        match self.answer {
            None => Ok(()),
            Some(Err(failure)) => Err(failure),
            Some(Ok(receiver)) => receiver.blocking_recv().unwrap_or_else(|_| Err(stopped())),
        }
    }
}

impl Future for Pending {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.hurry();
        match &mut self.answer {
            None => Poll::Ready(Ok(())),
            Some(Err(failure)) => Poll::Ready(Err(failure.clone())),
            Some(Ok(receiver)) => {
                let answer = ready!(Pin::new(receiver).poll(cx));
                Poll::Ready(answer.unwrap_or_else(|_| Err(stopped())))
            }
        }
    }
}

fn stopped() -> Failure {
    Failure::new(Kind::Closed, "the queue was closed before the record was durable")
}
