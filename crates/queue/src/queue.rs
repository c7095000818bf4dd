//! The public face of the durable queue.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use jiff::Timestamp;
use mail::{Envelope, QueueId};

use crate::{Body, Brief, Draft, Entry, Failure, Left, Settlement, State, Stored, Summary};

/// How a queue is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `queue_directory`.
    pub directory: PathBuf,
    /// `enable_long_queue_ids`.
    pub long_ids: bool,
    /// Content up to this many bytes lives in the journal; more goes to a file of its own.
    pub inline_limit: usize,
    /// A new segment is begun after so many bytes.
    pub segment_size: u64,
    /// So many bytes of fresh content are kept in memory for the delivery that follows.
    pub cache_size: usize,
}

impl Settings {
    /// The usual sizes.
    pub fn new(directory: impl Into<PathBuf>) -> Settings {
        Settings {
            directory: directory.into(),
            long_ids: false,
            inline_limit: 64 << 10,
            segment_size: 32 << 20,
            cache_size: 16 << 20,
        }
    }
}

/// What was found when the queue was opened.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Messages in the queue.
    pub messages: usize,
    /// Bytes of torn records cut from the end of segments: nobody was told that they are safe.
    pub cut: u64,
    /// Damaged records, set aside in `corrupt`.
    pub damaged: Vec<Damage>,
}

/// A piece of the journal that could not be read.
#[derive(Clone, Debug)]
pub struct Damage {
    /// The segment.
    pub segment: PathBuf,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
    /// Where its bytes are now.
    pub set_aside: Option<PathBuf>,
}

/// What happened to the queue that the queue manager must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A message was accepted, released from hold or requeued: look at it now.
    Ready(QueueId),
    /// A message went on hold: start no further delivery.
    Held(QueueId),
    /// A message was deleted by an administrator: start no further delivery.
    Removed(QueueId),
    /// A message is to be returned to its sender.
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
    /// All messages in these queues.
    All(Vec<State>),
}

/// The durable queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {}

/// A change on its way to the disk. Ready when the record is durable; dropping it does not undo the change.
#[must_use = "await it to know that it is durable, or drop it on purpose"]
#[derive(Debug)]
pub struct Commit<T> {
    outcome: Option<Result<T, Failure>>,
}

impl<T: Unpin> Future for Commit<T> {
    type Output = Result<T, Failure>;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _ = &self.outcome;
        todo!()
    }
}

impl Queue {
    /// Opens the queue: takes its lock, reads the journal, cuts torn tails, sets damaged records aside.
    pub fn open(_settings: Settings, _now: Timestamp) -> Result<(Queue, Recovered), Failure> {
        todo!()
    }

    /// A queue id nobody has, known before the content is complete.
    pub fn new_id(&self, _now: Timestamp) -> QueueId {
        todo!()
    }

    /// Begins the content of a message of about `size_hint` bytes.
    pub fn draft(&self, _size_hint: u64) -> Draft {
        todo!()
    }

    /// Free bytes in the file system of the queue, for `queue_minfree`.
    pub fn free_space(&self) -> Result<u64, Failure> {
        todo!()
    }

    /// Puts a message into the queue. Returns when it is durable, and only then.
    pub async fn put(
        &self,
        _id: QueueId,
        _draft: Draft,
        _envelope: Envelope,
        _entry: Entry,
    ) -> Result<(), Failure> {
        todo!()
    }

    /// A message with envelope, fates and content. Reads the disk unless the message is fresh.
    pub fn load(&self, _id: &QueueId) -> Result<Stored, Failure> {
        todo!()
    }

    /// Marks a message as being delivered, until it is settled with `defer_until`, held or removed.
    pub fn activate(&self, _id: &QueueId) -> Option<Brief> {
        todo!()
    }

    /// Records what became of recipients. The record is handed over now, in order; the last `Done` removes the
    /// message.
    pub fn settle(&self, _id: &QueueId, _settlement: Settlement) -> Commit<Left> {
        todo!()
    }

    /// What the queue knows of a message without reading the disk.
    pub fn brief(&self, _id: &QueueId) -> Option<Brief> {
        todo!()
    }

    /// Up to `max` messages after `after`, in the order of their ids, without reading the disk.
    pub fn briefs(&self, _after: Option<&QueueId>, _max: usize) -> Vec<Brief> {
        todo!()
    }

    /// Up to `max` messages after `after`, as `postqueue -p` shows them.
    pub fn list(&self, _after: Option<&QueueId>, _max: usize) -> Vec<Summary> {
        todo!()
    }

    /// Messages in each state of [`State::ALL`].
    pub fn counts(&self) -> [(State, usize); 4] {
        todo!()
    }

    /// `postsuper -h`: how many were put on hold.
    pub fn hold(&self, _which: Selection) -> Commit<Vec<QueueId>> {
        todo!()
    }

    /// `postsuper -H`: which were released.
    pub fn release(&self, _which: Selection) -> Commit<Vec<QueueId>> {
        todo!()
    }

    /// `postsuper -r`: which go to the queue manager again.
    pub fn requeue(&self, _which: Selection) -> Commit<Vec<QueueId>> {
        todo!()
    }

    /// `postsuper -e` (and `-f`, which releases from hold as well): which will be returned to the sender.
    pub fn expire(&self, _which: Selection, _release: bool) -> Commit<Vec<QueueId>> {
        todo!()
    }

    /// `postsuper -d`: which were deleted.
    pub fn delete(&self, _which: Selection) -> Commit<Vec<QueueId>> {
        todo!()
    }

    /// Asks the queue manager for deliveries now.
    pub fn flush(&self, _what: Flush) {
        todo!()
    }

    /// The next changes, in order; waits for one. For the queue manager alone.
    pub async fn changes(&self) -> Vec<Change> {
        todo!()
    }

    /// The content of a message that is being looked at elsewhere (`postcat`).
    pub fn body(&self, _id: &QueueId) -> Result<Body, Failure> {
        todo!()
    }

    /// Writes and syncs what is waiting, and stops the committer.
    pub fn close(&self) {
        todo!()
    }
}
