//! A message in the active queue: what is known of it between its activation and the end of the attempt.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mail::QueueId;
use queue::{Fate, Stored};

use crate::bounce;

/// An active message.
pub struct Active {
    /// As loaded from the queue.
    pub stored: Stored,
    /// When it became active: the end of the first of the four delays.
    pub began: Timestamp,
    progress: Mutex<Progress>,
}

/// What happened so far in this attempt.
#[derive(Default)]
pub struct Progress {
    /// Where each recipient stands, by index in the envelope.
    pub fates: Vec<Fate>,
    /// Index of the first recipient the scheduler has not been given.
    pub next: usize,
    /// What the sender will be told of failures, with the recipients that aliases put in place of queued ones.
    pub failed: Vec<bounce::Fate>,
    /// What the sender will be told of success.
    pub delivered: Vec<bounce::Fate>,
}

impl Active {
    /// A message that was just loaded.
    pub fn new(stored: Stored, now: Timestamp) -> Active {
        let fates = stored.fates.clone();
        Active { stored, began: now, progress: Mutex::new(Progress { fates, ..Progress::default() }) }
    }

    /// Its queue id.
    pub fn id(&self) -> &QueueId {
        &self.stored.id
    }

    /// What happened so far. Never held across an await.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to `room` recipients that are still to be delivered and were not given before, and whether more are left.
    pub fn next_pending(&self, room: usize) -> (Vec<usize>, bool) {
        let mut progress = self.progress();
        let mut found = Vec::new();
        let mut at = progress.next;
        while at < progress.fates.len() && found.len() < room.max(1) {
            if progress.fates[at].is_pending() {
                found.push(at);
            }
            at += 1;
        }
        progress.next = at;
        let more = progress.fates[at..].iter().any(Fate::is_pending);
        (found, more)
    }
}
