//! Messages that are not active: those that came in, and those that wait for their time.

use std::collections::{BTreeSet, HashMap, VecDeque};

use mail::QueueId;

/// Where a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Came in; whether somebody asked for it.
    Incoming { flush: bool },
    /// Deferred until then.
    Deferred(i64),
}

/// The incoming and the deferred queue. New mail and old mail take turns.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    places: HashMap<QueueId, Place>,
    /// First come, first served; may name messages that have gone elsewhere.
    incoming: VecDeque<QueueId>,
    deferred: BTreeSet<(i64, QueueId)>,
    /// Deferred mail up to this time is due: the last scan found it so.
    due: i64,
    /// The due mail was asked for.
    flush: bool,
    /// When the deferred queue is scanned next.
    next_scan: Option<i64>,
    deferred_has_turn: bool,
}

impl Waiting {
    pub(super) fn ready(&mut self, id: QueueId) {
        self.enter(id, false);
    }

    fn enter(&mut self, id: QueueId, flush: bool) {
        match self.places.insert(id.clone(), Place::Incoming { flush }) {
            Some(Place::Incoming { .. }) => return,
            Some(Place::Deferred(at)) => drop(self.deferred.remove(&(at, id.clone()))),
            None => {}
        }
        self.incoming.push_back(id);
    }

    pub(super) fn deferred(&mut self, id: QueueId, at: i64) {
        self.forget(&id);
        // What the clock or a former program left in the past is due like all else.
        self.places.insert(id.clone(), Place::Deferred(at));
        self.deferred.insert((at, id));
    }

    pub(super) fn forget(&mut self, id: &QueueId) {
        if let Some(Place::Deferred(at)) = self.places.remove(id) {
            self.deferred.remove(&(at, id.clone()));
        }
    }

    /// One deferred message goes before its time.
    pub(super) fn flush(&mut self, id: &QueueId) {
        if matches!(self.places.get(id), Some(Place::Deferred(_))) {
            self.enter(id.clone(), true);
        }
    }

    /// All deferred messages go before their time; those deferred from now on do not.
    pub(super) fn flush_all(&mut self, now: i64) {
        for (at, id) in std::mem::take(&mut self.deferred) {
            let now_due = at.min(now);
            self.places.insert(id.clone(), Place::Deferred(now_due));
            self.deferred.insert((now_due, id));
        }
        self.due = self.due.max(now);
        self.flush = true;
    }

    /// Looks which deferred messages are due: every `period`, and at the first call.
    pub(super) fn scan(&mut self, now: i64, period: i64) {
        // A clock that was set back must not stop the scans.
        if self.next_scan.is_none_or(|at| at <= now || at > now + period) {
            self.next_scan = Some(now + period.max(1));
            self.due = now;
            self.flush = false;
        }
    }

    /// When there may be more to take, if nothing else happens.
    pub(super) fn wakeup(&self) -> Option<i64> {
        self.next_scan.filter(|_| !self.deferred.is_empty())
    }

    /// The next message to become active, and whether somebody asked for it.
    pub(super) fn take(&mut self) -> Option<(QueueId, bool)> {
        self.deferred_has_turn = !self.deferred_has_turn;
        match self.deferred_has_turn {
            true => self.take_deferred().or_else(|| self.take_incoming()),
            false => self.take_incoming().or_else(|| self.take_deferred()),
        }
    }

    fn take_incoming(&mut self) -> Option<(QueueId, bool)> {
        while let Some(id) = self.incoming.pop_front() {
            if let Some(Place::Incoming { flush }) = self.places.get(&id).copied() {
                self.places.remove(&id);
                return Some((id, flush));
            }
        }
        None
    }

    fn take_deferred(&mut self) -> Option<(QueueId, bool)> {
        let (at, _) = self.deferred.first()?;
        if *at > self.due {
            return None;
        }
        let (_, id) = self.deferred.pop_first()?;
        self.places.remove(&id);
        Some((id, self.flush))
    }
}
