//! A message in the active queue: what is known of it between its activation and the end of the attempt.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mail::{Address, QueueId, Recipient};
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
    /// Recipients that were given out and of which nothing was heard yet.
    pub waiting: usize,
    /// Fates that are not in the journal yet: the end of the attempt writes them all in one record.
    pub unsettled: Vec<(u32, Fate)>,
    /// What the sender will be told of failures, with the recipients that aliases put in place of queued ones.
    pub failed: Vec<bounce::Fate>,
    /// What the sender will be told of success.
    pub delivered: Vec<bounce::Fate>,
    /// Recipients whose address says more than their domain once it is resolved: `user%other@us` is `user@other`.
    resolved: HashMap<usize, Address>,
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

    /// Takes down where a recipient's address leads.
    pub fn resolve(&self, index: usize, address: Address) {
        if self.stored.envelope.recipients.get(index).is_some_and(|stored| stored.address != address) {
            self.progress().resolved.insert(index, address);
        }
    }

    /// A recipient as it is delivered and logged.
    pub fn recipient(&self, index: usize) -> Option<Cow<'_, Recipient>> {
        let stored = self.stored.envelope.recipients.get(index)?;
        Some(match self.progress().resolved.get(&index) {
            Some(address) => Cow::Owned(Recipient { address: address.clone(), ..stored.clone() }),
            None => Cow::Borrowed(stored),
        })
    }

    /// What happened so far. Never held across an await.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of recipients. What is returned is to be recorded now: more is still under way, and a crash
    /// must not repeat what is done. The end of the attempt records the rest.
    pub fn report(&self, changed: Vec<(u32, Fate)>) -> Vec<(u32, Fate)> {
        let mut progress = self.progress();
        for (index, fate) in &changed {
            progress.fates[*index as usize] = fate.clone();
        }
        progress.waiting = progress.waiting.saturating_sub(changed.len());
        progress.unsettled.extend(changed);
        if progress.waiting == 0 && progress.next >= progress.fates.len() {
            return Vec::new();
        }
        std::mem::take(&mut progress.unsettled)
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
        progress.waiting += found.len();
        let more = progress.fates[at..].iter().any(Fate::is_pending);
        (found, more)
    }
}
