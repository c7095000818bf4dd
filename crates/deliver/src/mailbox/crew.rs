//! The threads that write mailboxes: a bounded number, away from the async ones.
//!
//! Orders for the same writer wait at a *desk*. Whoever writes takes several Maildir orders at a time: under load the disk
//! and the scheduler are asked less often for each message. An mbox order may wait long for a lock, so it goes alone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue::Body;
use tokio::sync::{Semaphore, oneshot};

use super::failure::{Failure, Unexplained};
use super::frame::Content;
use super::{Batch, MailboxJob, Place};
use crate::hand;
use crate::privilege::Rights;

/// Most mailboxes written at a time. They wait for the disk, and a disk syncs many files as fast as one.
const WRITERS: usize = 32;
/// Most orders that one writer takes, and about how many bytes.
const ORDERS: usize = 16;
const BYTES: u64 = 512 * 1024;
/// A writer is called for so many waiting orders.
const CROWD: usize = 8;
/// A writer who finds fewer than that waiting after a batch lets them gather for so long.
const PACE: Duration = Duration::from_millis(1);
/// An order that still waits after this gets a writer of its own: the others may be stuck in a mailbox that hangs.
const LATE: Duration = Duration::from_millis(100);

/// Gives seconds since 1970.
pub type Seconds = Arc<dyn Fn() -> u64 + Send + Sync>;

/// One message for one mailbox.
pub struct Order {
    /// Where to.
    pub job: MailboxJob,
    /// What.
    pub content: Body,
}

/// Orders for one writer: all those of a deliverer, or all when this process writes by itself.
type Desks = HashMap<Option<Rights>, Desk>;

#[derive(Default)]
struct Desk {
    waiting: VecDeque<(Order, oneshot::Sender<Result<(), Failure>>)>,
    writers: usize,
}

impl Desk {
    fn wants_writer(&self) -> bool {
        let mbox = |order: &Order| matches!(order.job.place, Place::Mbox(_));
        let newest = self.waiting.back().is_some_and(|(order, _)| mbox(order));
        self.writers < WRITERS && (self.writers == 0 || newest || self.waiting.len() > self.writers * CROWD)
    }

    /// Would the next batch be a small one? An mbox order does not wait for others.
    fn gathers(&self) -> bool {
        let maildir = |order: &Order| matches!(order.job.place, Place::Maildir(_));
        self.waiting.len() < CROWD && self.waiting.front().is_some_and(|(order, _)| maildir(order))
    }

    /// The next orders for one writer.
    fn take(&mut self) -> Vec<(Order, oneshot::Sender<Result<(), Failure>>)> {
        let mut taken: Vec<(Order, _)> = Vec::new();
        let mut bytes = 0;
        while let Some((order, _)) = self.waiting.front() {
            let fits = match order.job.place {
                Place::Mbox(_) => taken.is_empty(),
                Place::Maildir(_) => taken.len() < ORDERS && bytes < BYTES,
            };
            let after_mbox = taken.last().is_some_and(|(last, _)| matches!(last.job.place, Place::Mbox(_)));
            if !fits || after_mbox {
                break;
            }
            bytes += order.content.len();
            taken.extend(self.waiting.pop_front());
        }
        taken
    }
}

/// Writes mailboxes on threads that may block.
#[derive(Clone)]
pub struct Crew {
    free: Arc<Semaphore>,
    desks: Arc<Mutex<Desks>>,
    seconds: Seconds,
}

impl Crew {
    /// A crew of its own; agents share one.
    pub fn new(seconds: Seconds) -> Crew {
        Crew { free: Arc::new(Semaphore::new(WRITERS)), desks: Arc::default(), seconds }
    }

    /// The clock it was given.
    pub fn clock(&self) -> Seconds {
        self.seconds.clone()
    }

    /// Delivers; returns once the message is on disk.
    pub async fn carry_out(&self, job: MailboxJob, content: Body) -> Result<(), Failure> {
        let whose = hand::hired().map(|_| hand::who(&job));
        let (answer, mut outcome) = oneshot::channel();
        {
            let mut desks = self.desks();
            let desk = desks.entry(whose).or_default();
            desk.waiting.push_back((Order { job, content }, answer));
            if desk.wants_writer() {
                desk.writers += 1;
                self.start(whose);
            }
        }
        let outcome = match tokio::time::timeout(LATE, &mut outcome).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.help(whose);
                outcome.await
            }
        };
        outcome.unwrap_or_else(|_| Err(Failure::plain("the mailbox writer died", Unexplained::LATER)))
    }

    /// Runs other blocking work of an agent (reading a `.forward`, asking the password database) on the same
    /// threads; `None` when it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _one = self.free.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(work).await.ok()
    }

    fn help(&self, whose: Option<Rights>) {
        let mut desks = self.desks();
        let waits = |desk: &&mut Desk| !desk.waiting.is_empty() && desk.writers < WRITERS;
        if let Some(desk) = desks.get_mut(&whose).filter(waits) {
            desk.writers += 1;
            self.start(whose);
        }
    }

    /// Starts a writer, who was counted.
    fn start(&self, whose: Option<Rights>) {
        let crew = self.clone();
        // There is none when the program ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let counted = Counted { crew, whose };
            let free = counted.crew.free.clone();
            let _one = free.acquire().await.expect("the semaphore is never closed");
            // A panic is what `Counted` and the senders that are dropped are for.
            let _ = tokio::task::spawn_blocking(move || counted.work()).await;
        });
    }

    fn desks(&self) -> MutexGuard<'_, Desks> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A writer who is counted at a desk.
struct Counted {
    crew: Crew,
    whose: Option<Rights>,
}

impl Counted {
    fn work(self) {
        loop {
            let taken = self.crew.desks().get_mut(&self.whose).map(Desk::take).unwrap_or_default();
            if taken.is_empty() {
                return;
            }
            let (orders, answers): (Vec<Order>, Vec<_>) = taken.into_iter().unzip();
            let outcomes = match (hand::hired(), self.whose) {
                (Some(hand), Some(who)) => hand.deliver(who, &orders),
                _ => write(&orders, &*self.crew.seconds),
            };
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // An agent that does not wait any more does not need to know.
                let _ = answer.send(outcome);
            }
            if self.crew.desks().get(&self.whose).is_some_and(Desk::gathers) {
                std::thread::sleep(PACE);
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut desks = self.crew.desks();
        let Some(desk) = desks.get_mut(&self.whose) else { return };
        desk.writers -= 1;
        if !desk.waiting.is_empty() {
            // It came after the last look, or this writer died.
            if desk.writers == 0 {
                desk.writers = 1;
                self.crew.start(self.whose);
            }
        } else if desk.writers == 0 {
            desks.remove(&self.whose);
        }
    }
}

/// Writes with the rights of this process.
fn write(orders: &[Order], now: &dyn Fn() -> u64) -> Vec<Result<(), Failure>> {
    let mut batch = Batch::default();
    for Order { job, content } in orders {
        batch.add(job, Content::Queued(content), now);
    }
    batch.finish()
}
