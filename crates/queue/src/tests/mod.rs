//! Tests of the queue as a whole.

mod before;
mod damage;
mod faults;
mod figures;
mod model;
mod plain;
mod ramdisk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use mail::{Envelope, QueueId, Recipient};

use crate::disk::Disk;
use crate::{Action, Draft, Entry, Failure, Queue, Recovered, Report, Settings};

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).expect("in range")
}

/// A clock that goes on, as clocks do between two messages.
fn tick() -> Timestamp {
    static TICKS: AtomicI64 = AtomicI64::new(0);
    now() + SignedDuration::from_micros(TICKS.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn settings(directory: impl AsRef<Path>) -> Settings {
    Settings { segment_size: 4096, inline_limit: 1000, cache_size: 4000, ..Settings::new(directory.as_ref()) }
}

fn open(disk: &Arc<dyn Disk>) -> Result<(Queue, Recovered), Failure> {
    Queue::start(disk.clone(), settings("/q"), now(), None)
}

fn envelope(recipients: usize) -> Envelope {
    Envelope {
        sender: "s@x.test".into(),
        recipients: (0..recipients).map(|n| Recipient::new(format!("r{n}@y.test"))).collect(),
        ..Envelope::default()
    }
}

fn draft(queue: &Queue, content: &[u8]) -> Result<Draft, Failure> {
    let mut draft = queue.draft(content.len() as u64);
    for piece in content.chunks(300) {
        draft.write(piece)?;
    }
    Ok(draft)
}

/// Content that differs for each message and tells where it was cut or mixed.
pub(crate) fn content(id: &QueueId, len: usize) -> Vec<u8> {
    format!("{id} ").into_bytes().into_iter().cycle().take(len).collect()
}

pub(crate) async fn put(queue: &Queue, recipients: usize, len: usize) -> Result<QueueId, Failure> {
    let id = queue.new_id(tick());
    let draft = draft(queue, &content(&id, len))?;
    queue.put(id.clone(), draft, envelope(recipients), Entry::at(now())).await?;
    Ok(id)
}

pub(crate) fn report(reason: &str) -> Report {
    Report {
        action: Action::Delayed,
        status: "4.2.0".to_owned(),
        reason: reason.to_owned(),
        remote: None,
        diagnostic: None,
        relay: "none".to_owned(),
        at: now(),
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// One round of background work, on a thread as always.
fn tidy(queue: &Queue) {
    std::thread::scope(|scope| scope.spawn(|| crate::janitor::tidy(queue.shared())).join())
        .expect("no panic");
}
