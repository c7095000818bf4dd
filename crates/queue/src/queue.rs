//! The public face of the durable queue.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use jiff::Timestamp;
use mail::{Envelope, QueueId};
use tokio::sync::Notify;

use crate::body::Content;
use crate::committer::Committer;
use crate::disk::{Disk, RealDisk};
use crate::frame::Frame;
use crate::fresh::{Fresh, FreshCache};
use crate::layout::Layout;
use crate::load::Snapshot;
use crate::lock::{QueueLock, is_held};
use crate::record::{MessageHead, RecordKind, Status, write_message, write_settled};
use crate::replay::{Replayed, replay};
use crate::shared::{Inner, Pending, Shared, Then};
use crate::{
    Body, Brief, Change, Commit, Draft, Entry, Failure, Flush, Kind, Left, Recovered, Settings, Settlement,
    State, Stored, Summary, Waiting, id, janitor,
};

/// The durable queue. Cheap to clone; closed when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    serial: AtomicU32,
    drafts: AtomicU64,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _lock: Option<QueueLock>,
}

impl Queue {
    /// Opens the queue: takes its lock, reads the journal, cuts torn tails, sets damaged records aside. Creates what
    /// is missing within `queue_directory`, which must exist.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another program has it open; otherwise the disk.
    pub fn open(settings: Settings, now: Timestamp) -> Result<(Queue, Recovered), Failure> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let layout = Layout::new(&settings.directory);
        make_directories(&*disk, &layout)?;
        let lock = QueueLock::take(&layout.lock())?;
        let (queue, recovered) = Queue::start(disk, settings, now, Some(lock))?;
        queue.spawn("queue-janitor", janitor::run)?;
        Ok((queue, recovered))
    }

    /// Opens the queue on any disk, without a lock and without background work.
    pub(crate) fn start(
        disk: Arc<dyn Disk>,
        settings: Settings,
        now: Timestamp,
        lock: Option<QueueLock>,
    ) -> Result<(Queue, Recovered), Failure> {
        let layout = Layout::new(&settings.directory);
        make_directories(&*disk, &layout)?;
        let replayed = replay(&*disk, &layout, false)?;
        let next_number = replayed.next_number;
        let (queue, recovered) = Queue::assemble(disk, settings, now, replayed, false, lock);
        queue.spawn("queue-committer", move |shared| Committer::new(shared, next_number).run())?;
        Ok((queue, recovered))
    }

    /// Looks at a queue that no program has open. Nothing on disk is touched; whatever would change something
    /// fails with [`Kind::Closed`].
    pub fn look(settings: Settings, now: Timestamp) -> Result<(Queue, Recovered), Failure> {
        let layout = Layout::new(&settings.directory);
        let replayed = replay(&RealDisk, &layout, true)?;
        Ok(Queue::assemble(Arc::new(RealDisk), settings, now, replayed, true, None))
    }

    /// Does a program have the queue in this directory open?
    pub fn is_open(directory: &std::path::Path) -> bool {
        is_held(&Layout::new(directory).lock())
    }

    fn assemble(
        disk: Arc<dyn Disk>,
        settings: Settings,
        now: Timestamp,
        replayed: Replayed,
        read_only: bool,
        lock: Option<QueueLock>,
    ) -> (Queue, Recovered) {
        let mut index = replayed.index;
        index.fresh = FreshCache::new(settings.cache_size);
        let shared = Shared {
            inner: Mutex::new(Inner { index, ..Inner::default() }),
            committer: Condvar::new(),
            janitor: Condvar::new(),
            changed: Notify::new(),
            disk,
            layout: Layout::new(&settings.directory),
            settings,
            read_only,
        };
        shared.changed.notify_one();
        let handle = Handle {
            shared: Arc::new(shared),
            // Two runs of the program do not begin alike.
            serial: AtomicU32::new(now.as_second() as u32),
            drafts: AtomicU64::new(0),
            threads: Mutex::new(Vec::new()),
            _lock: lock,
        };
        (Queue(Arc::new(handle)), replayed.recovered)
    }

    fn spawn(&self, name: &str, run: impl FnOnce(Arc<Shared>) + Send + 'static) -> Result<(), Failure> {
        let shared = self.0.shared.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(shared))
            .map_err(|error| Failure::from_io(format!("start thread {name}"), error))?;
        self.0.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// A queue id nobody has, known before the content is complete.
    pub fn new_id(&self, now: Timestamp) -> QueueId {
        loop {
            // Six digits at most, and never few: they keep the length of ids steady, as inode numbers do.
            let serial = 0x1_0000 + self.0.serial.fetch_add(1, Ordering::Relaxed) % 0xF0_0000;
            let id = match self.0.shared.settings.long_ids {
                true => id::long(now, serial),
                false => id::short(now, serial),
            };
            if self.0.shared.lock().index.get(&id).is_none() {
                return id;
            }
        }
    }

    /// Begins the content of a message of about `size_hint` bytes.
    pub fn draft(&self, size_hint: u64) -> Draft {
        let shared = &self.0.shared;
        let number = self.0.drafts.fetch_add(1, Ordering::Relaxed);
        let path = shared.layout.drafts().join(number.to_string());
        Draft::new(shared.disk.clone(), path, shared.settings.inline_limit, size_hint)
    }

    /// Free bytes in the file system of the queue, for `queue_minfree`.
    pub fn free_space(&self) -> Result<u64, Failure> {
        let root = self.0.shared.layout.root();
        self.0
            .shared
            .disk
            .free(root)
            .map_err(|error| Failure::from_io(format!("statvfs {}", root.display()), error))
    }

    /// Puts a message into the queue. Returns when it is durable, and only then.
    ///
    /// # Errors
    /// The message is not in the queue; say [`mail::Refusal::from`] the failure to the client. If the future is
    /// dropped before it is ready, the message may or may not be in the queue.
    pub async fn put(
        &self,
        id: QueueId,
        draft: Draft,
        envelope: Envelope,
        entry: Entry,
    ) -> Result<(), Failure> {
        let shared = &self.0.shared;
        if envelope.recipients.is_empty() {
            return Err(Failure::new(Kind::Disk, format!("{id}: no recipients")));
        }
        let (content, size, guard) = match draft.finish()? {
            Content::Inline(content) => {
                let size = content.len() as u64;
                (content, size, None)
            }
            Content::File(file) => {
                let (bodies, name) = (shared.layout.bodies(), id.to_string());
                let settled = tokio::task::spawn_blocking(move || file.settle(&bodies, &name)).await;
                let file = settled.map_err(|_| Failure::new(Kind::Closed, "the program is stopping"))??;
                (Bytes::new(), file.len, Some(file))
            }
        };
        let state = if entry.hold { State::Hold } else { State::Incoming };
        let arrival = entry.arrival.as_microsecond();
        let head = MessageHead {
            id,
            status: Status {
                state,
                next_attempt: arrival,
                attempts: 0,
                forced_expire: false,
                delay_warned: false,
            },
            arrival,
            size,
            in_file: guard.is_some(),
            recipients: envelope.recipients.len() as u32,
        };
        let meta = write_message(&head, &[], &envelope);
        let cost = meta.len() + content.len() + 512;
        let frame = Frame::new(RecordKind::Message, meta, content.clone());
        let fresh = Fresh { envelope: Arc::new(envelope), content, cost };
        let pending = {
            let mut inner = shared.lock();
            shared.submit(&mut inner, frame, Then::Insert(Box::new((head, fresh))))
        };
        // From here on the file is the committer's.
        if let Some(guard) = guard {
            guard.keep();
        }
        pending.await
    }

    fn snapshot(&self, id: &QueueId) -> Result<Snapshot, Failure> {
        let inner = self.0.shared.lock();
        let message = inner
            .index
            .get(id)
            .ok_or_else(|| Failure::new(Kind::NotFound, format!("{id}: not in the queue")))?;
        Ok(Snapshot::take(&inner.index, id, message))
    }

    /// A message with envelope, fates and content. Reads the disk (envelope only) unless the message is fresh.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the disk.
    pub fn load(&self, id: &QueueId) -> Result<Stored, Failure> {
        self.snapshot(id)?.load(&*self.0.shared.disk, &self.0.shared.layout)
    }

    /// Only the content of a message.
    pub fn body(&self, id: &QueueId) -> Result<Body, Failure> {
        self.snapshot(id)?.body(&*self.0.shared.disk, &self.0.shared.layout)
    }

    /// Marks a message as being delivered, until it is settled with `defer_until`, held or removed. `None` if it is
    /// gone or on hold.
    pub fn activate(&self, id: &QueueId) -> Option<Brief> {
        let mut inner = self.0.shared.lock();
        if inner.index.get(id)?.status.state == State::Hold {
            return None;
        }
        inner.index.change(id, |message| {
            message.status.state = State::Active;
            message.brief(id)
        })
    }

    /// Records what became of recipients. The record is handed over now, in order; the last `Done` removes the
    /// message. What is left is known at once ([`Commit::now`]); await the commit only if somebody must hear that
    /// it is durable.
    pub fn settle(&self, id: &QueueId, settlement: Settlement) -> Commit<Left> {
        let shared = &self.0.shared;
        let mut inner = shared.lock();
        let inner = &mut *inner;
        let Some(message) = inner.index.get(id) else { return Commit::new(Left::Gone, Pending::nothing()) };
        let mut status = message.status;
        if let Some(until) = settlement.defer_until {
            status.attempts += 1;
            status.next_attempt = until.as_microsecond();
            if status.state != State::Hold {
                status.state = State::Deferred;
            }
        }
        status.delay_warned |= settlement.delay_warned;
        let frame =
            Frame::new(RecordKind::Settled, write_settled(id, &status, &settlement.fates), Bytes::new());
        let (serial, note) = shared.next_note(inner, frame.meta.clone());
        let left = inner.index.settle(id, status, &settlement.fates, note);
        let then = match left {
            Left::Removed => {
                let files = inner.index.remove(id).filter(|message| message.in_file);
                Then::Forget(files.map(|_| shared.layout.bodies().join(id.as_str())).into_iter().collect())
            }
            _ => Then::Note { id: id.clone(), serial },
        };
        Commit::new(left, shared.submit_lazily(inner, frame, then))
    }

    /// What the queue knows of a message without reading the disk.
    pub fn brief(&self, id: &QueueId) -> Option<Brief> {
        self.0.shared.lock().index.get(id).map(|message| message.brief(id))
    }

    /// Up to `max` messages after `after`, in the order of their ids, without reading the disk.
    pub fn briefs(&self, after: Option<&QueueId>, max: usize) -> Vec<Brief> {
        self.0.shared.lock().index.after(after, max).map(|(id, message)| message.brief(id)).collect()
    }

    /// Up to `max` messages after `after`, as `postqueue -p` shows them. A message whose record cannot be read is
    /// shown without recipients.
    pub fn list(&self, after: Option<&QueueId>, max: usize) -> Vec<Summary> {
        let snapshots: Vec<Snapshot> = {
            let inner = self.0.shared.lock();
            let messages = inner.index.after(after, max);
            messages.map(|(id, message)| Snapshot::take(&inner.index, id, message)).collect()
        };
        snapshots.iter().map(summary).collect()
    }

    /// Messages in each state.
    pub fn counts(&self) -> [(State, usize); 4] {
        self.0.shared.lock().index.counts()
    }

    /// Asks the queue manager for deliveries now.
    pub fn flush(&self, what: Flush) {
        let mut inner = self.0.shared.lock();
        let change = Change::Flush(what);
        // Asking twice is asking once: nobody fills our memory by asking.
        if !inner.index.changes.iter().rev().take(64).any(|waiting| *waiting == change) {
            inner.index.changes.push_back(change);
        }
        self.0.shared.changed.notify_one();
    }

    /// The next changes, in order; waits for one. For the queue manager alone. The first ones name all that was
    /// found in the queue when it was opened.
    pub async fn changes(&self) -> Vec<Change> {
        const BATCH: usize = 1000;
        loop {
            {
                let mut inner = self.0.shared.lock();
                let changes = &mut inner.index.changes;
                let some = changes.len().min(BATCH);
                if some > 0 {
                    let batch = changes.drain(..some).collect();
                    if changes.is_empty() {
                        changes.shrink_to(BATCH);
                    } else {
                        self.0.shared.changed.notify_one();
                    }
                    return batch;
                }
            }
            self.0.shared.changed.notified().await;
        }
    }

    /// Writes and syncs what is waiting, and stops. Later changes fail with [`Kind::Closed`].
    pub fn close(&self) {
        self.0.close();
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }
}

impl Handle {
    fn close(&self) {
        self.shared.lock().closing = true;
        self.shared.committer.notify_all();
        self.shared.janitor.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                log::error!(target: "qmgr", "a thread of the queue has failed");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

fn make_directories(disk: &dyn Disk, layout: &Layout) -> Result<(), Failure> {
    for path in [layout.journal(), layout.bodies(), layout.drafts(), layout.corrupt()] {
        disk.create_directory(&path)
            .map_err(|error| Failure::from_io(format!("create directory {}", path.display()), error))?;
    }
    for path in [layout.root().to_owned(), layout.journal()] {
        disk.sync_directory(&path)
            .map_err(|error| Failure::from_io(format!("sync directory {}", path.display()), error))?;
    }
    Ok(())
}

fn summary(snapshot: &Snapshot) -> Summary {
    let brief = snapshot.message.brief(&snapshot.id);
    match snapshot.read() {
        Err(failure) => {
            log::warn!(target: "showq", "{failure}");
            Summary { brief, sender: mail::Address::null(), recipients: Vec::new() }
        }
        Ok((envelope, fates)) => {
            let waiting = envelope.recipients.iter().zip(&fates).filter(|(_, fate)| fate.is_pending());
            let recipients = waiting.map(|(recipient, fate)| Waiting {
                address: recipient.address.clone(),
                reason: fate.report().map(|report| report.reason.clone()),
            });
            Summary { recipients: recipients.collect(), sender: envelope.sender.clone(), brief }
        }
    }
}
