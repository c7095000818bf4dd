//! What `postsuper` does to messages.

use bytes::Bytes;
use jiff::Timestamp;
use mail::QueueId;

use crate::frame::Frame;
use crate::index::Message;
use crate::record::{RecordKind, timestamp, write_removed, write_status};
use crate::shared::{Inner, Pending, Then};
use crate::{Change, Commit, Queue, Selection, State};

/// So many ids go into one record of removal.
const REMOVED_AT_ONCE: usize = 1000;

impl Queue {
    /// `postsuper -h`: which were put on hold.
    pub fn hold(&self, which: &Selection) -> Commit<Vec<QueueId>> {
        self.alter(
            which,
            |id, _| Change::Held(id),
            |message| {
                let changes = message.status.state != State::Hold;
                message.status.state = State::Hold;
                changes
            },
        )
    }

    /// `postsuper -H`: which were released; they are deferred mail now.
    pub fn release(&self, which: &Selection) -> Commit<Vec<QueueId>> {
        self.alter(which, Change::Waiting, |message| {
            let held = message.status.state == State::Hold;
            if held {
                message.status.state = State::Deferred;
            }
            held
        })
    }

    /// `postsuper -r`: which go through cleanup and to the queue manager again.
    pub fn requeue(&self, which: &Selection) -> Commit<Vec<QueueId>> {
        self.alter(
            which,
            |id, _| Change::Requeued(id),
            |message| {
                message.status.state = State::Incoming;
                true
            },
        )
    }

    /// `postsuper -e`: which will be returned to their senders. (`-f` releases from hold as well.)
    pub fn expire(&self, which: &Selection) -> Commit<Vec<QueueId>> {
        self.alter(
            which,
            |id, _| Change::Expired(id),
            |message| !std::mem::replace(&mut message.status.forced_expire, true),
        )
    }

    /// `postsuper -d`: which were deleted.
    pub fn delete(&self, which: &Selection) -> Commit<Vec<QueueId>> {
        let shared = self.shared();
        let mut inner = shared.lock();
        let ids = chosen(&inner, which);
        let mut pending = Pending::nothing();
        for some in ids.chunks(REMOVED_AT_ONCE) {
            let mut files = Vec::new();
            for id in some {
                if inner.index.remove(id).is_some_and(|message| message.in_file) {
                    files.push(shared.layout.bodies().join(id.as_str()));
                }
                inner.index.changes.push_back(Change::Removed(id.clone()));
            }
            let frame = Frame::new(RecordKind::Removed, write_removed(some), Bytes::new());
            pending = shared.submit(&mut inner, frame, Then::Forget(files));
        }
        shared.changed.notify_one();
        Commit::new(ids, pending)
    }

    /// Changes the status of messages; `change` says whether it did.
    fn alter(
        &self,
        which: &Selection,
        tell: fn(QueueId, Timestamp) -> Change,
        change: impl Fn(&mut Message) -> bool,
    ) -> Commit<Vec<QueueId>> {
        let mut inner = self.shared().lock();
        let mut altered = Vec::new();
        let mut pending = Pending::nothing();
        for id in chosen(&inner, which) {
            let changed = inner.index.change(&id, |message| change(message).then_some(message.status));
            let Some(Some(status)) = changed else { continue };
            // Records become durable in order: to wait for the last is to wait for all.
            let frame = Frame::new(RecordKind::Status, write_status(&id, &status), Bytes::new());
            pending = self.shared().submit(&mut inner, frame, Then::Forget(Vec::new()));
            inner.index.changes.push_back(tell(id.clone(), timestamp(status.next_attempt)));
            altered.push(id);
        }
        self.shared().changed.notify_one();
        Commit::new(altered, pending)
    }
}

fn chosen(inner: &Inner, which: &Selection) -> Vec<QueueId> {
    let is_in = |id: &QueueId, states: &[State]| {
        inner.index.get(id).is_some_and(|message| states.contains(&message.status.state))
    };
    match which {
        Selection::One(id, states) => is_in(id, states).then(|| id.clone()).into_iter().collect(),
        Selection::These(ids, states) => ids.iter().filter(|id| is_in(id, states)).cloned().collect(),
        Selection::All(states) => {
            let all = inner.index.after(None, usize::MAX);
            all.filter(|(_, message)| states.contains(&message.status.state))
                .map(|(id, _)| id.clone())
                .collect()
        }
    }
}
