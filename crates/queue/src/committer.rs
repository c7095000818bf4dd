//! One thread writes the journal: it takes all records that wait, writes them with one call, syncs once, and
//! tells everybody.
//!
//! Invariants
//! - A waiter hears `Ok` only after a sync that followed the write of its record.
//! - A segment whose sync failed is never synced again: what it holds beyond the last good sync may be lost
//!   without a further error, so it is cut there and a new segment is begun.
//! - A record of something that has happened (a delivery, a deletion) is kept until it is durable, and is written
//!   again, in order, after a failure. A message nobody was told of is not.

use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::frame::Frame;
use crate::index::{Message, Place, SegmentInfo};
use crate::record::{RecordKind, write_removed};
use crate::segment::Segment;
use crate::shared::{COMPANY, Job, LAZY_COUNT, Rest, Shared, Then};
use crate::{Change, Failure, State};

/// Records nobody waits for are synced after so long without other work, or when there are [`LAZY_COUNT`] of them.
const LAZY: Duration = Duration::from_millis(50);

/// They are written much sooner, for what is written outlives a crash of the program: but not each by itself.
const GATHER: Duration = Duration::from_millis(1);

/// After a sync, records gather for so long, unless [`COMPANY`] wait already: a disk that syncs at once would be asked
/// for each message, and the processors would be busy with little else. A message that comes alone does not wait.
const PACE: Duration = Duration::from_micros(500);

/// After a failure, records that must be written are tried again after so long.
const RETRY: Duration = Duration::from_secs(1);

/// Notes beyond which the fates of a message are gathered in one record.
const CROWD: usize = 8;

/// The committer.
#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    segment: Option<Segment>,
    next_number: u32,
    /// Written, not synced: with the place of each.
    written: Vec<(Job, Place)>,
    /// To be written again after a failure.
    backlog: Vec<Job>,
}

/// Records to write.
struct Batch {
    jobs: Vec<Job>,
    closing: bool,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, next_number: u32) -> Committer {
        Committer { shared, segment: None, next_number, written: Vec::new(), backlog: Vec::new() }
    }

    /// Works until the queue is closed.
    pub(crate) fn run(mut self) {
        loop {
            let Batch { jobs, closing } = self.take();
            let idle = jobs.is_empty();
            if self.commit(jobs, idle || closing) && !closing {
                self.pace();
            }
            if closing && self.shared.lock().jobs.is_empty() {
                break;
            }
        }
        if !self.backlog.is_empty() {
            log::error!(
                target: "qmgr",
                "{} records could not be written to the journal: that mail may be delivered twice",
                self.backlog.len()
            );
        }
        if let Some(segment) = &mut self.segment {
            let end = segment.end;
            segment.cut(end);
        }
    }

    /// Waits for records that somebody waits for, or for the time to write the others, to sync or to try again.
    fn take(&mut self) -> Batch {
        let mut inner = self.shared.lock();
        let mut rested = false;
        while !rested && !inner.closing && !inner.awaited && inner.jobs.len() < LAZY_COUNT {
            let (rest, patience) =
                match (inner.jobs.is_empty(), self.written.is_empty(), self.backlog.is_empty()) {
                    (false, ..) => (Rest::Gathering, Some(GATHER)),
                    (true, false, _) => (Rest::Sleeping, Some(LAZY)),
                    (true, true, false) => (Rest::Sleeping, Some(RETRY)),
                    (true, true, true) => (Rest::Sleeping, None),
                };
            inner.rest = rest;
            let committer = &self.shared.committer;
            match patience {
                None => inner = committer.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(time) => {
                    let woken = committer.wait_timeout(inner, time);
                    let (guard, result) = woken.unwrap_or_else(PoisonError::into_inner);
                    (inner, rested) = (guard, result.timed_out());
                }
            }
        }
        inner.rest = Rest::Awake;
        inner.awaited = false;
        Batch { jobs: mem::take(&mut inner.jobs), closing: inner.closing }
    }

    /// Lets records gather after a sync.
    fn pace(&self) {
        let mut inner = self.shared.lock();
        let mut rested = false;
        while !rested && !inner.closing && inner.jobs.len() < COMPANY {
            inner.rest = Rest::Pacing;
            let woken = self.shared.committer.wait_timeout(inner, PACE);
            let (guard, result) = woken.unwrap_or_else(PoisonError::into_inner);
            (inner, rested) = (guard, result.timed_out());
        }
        inner.rest = Rest::Awake;
    }

    /// Writes records, and syncs them if somebody waits for one or `sync_now` says so. Was it time to sync?
    pub(crate) fn commit(&mut self, jobs: Vec<Job>, sync_now: bool) -> bool {
        let backlog = mem::take(&mut self.backlog);
        match self.write(backlog) {
            Ok(()) => drop(self.write(jobs)),
            // What came before could not be written, and order matters.
            Err(failure) => self.fail(jobs, &failure, true),
        }
        let awaited = |(job, _): &(Job, Place)| job.waiter.as_ref().is_some_and(|waiter| !waiter.is_closed());
        let due = sync_now || self.written.len() >= LAZY_COUNT || self.written.iter().any(awaited);
        let due = due && !self.written.is_empty();
        if due {
            self.sync();
        }
        due
    }

    fn write(&mut self, jobs: Vec<Job>) -> Result<(), Failure> {
        if jobs.is_empty() {
            return Ok(());
        }
        let places = self.open_segment().and_then(|segment| {
            let end = segment.end;
            let frames: Vec<&Frame> = jobs.iter().map(|job| &job.frame).collect();
            segment.append(&frames).map_err(|failure| (failure, segment.cut(end)))
        });
        match places {
            Ok(places) => {
                self.written.extend(jobs.into_iter().zip(places));
                Ok(())
            }
            Err((failure, was_cut)) => {
                if !was_cut {
                    self.abandon(&failure);
                }
                self.fail(jobs, &failure, was_cut);
                Err(failure)
            }
        }
    }

    /// The segment to write to: a new one when there is none, or when it is full.
    fn open_segment(&mut self) -> Result<&mut Segment, (Failure, bool)> {
        let full = |segment: &Segment| segment.end >= self.shared.settings.segment_size;
        if self.segment.as_ref().is_some_and(full) {
            if !self.written.is_empty() {
                self.sync();
            }
            if let Some(mut segment) = self.segment.take() {
                let end = segment.end;
                segment.cut(end);
            }
        }
        if self.segment.is_none() {
            let number = self.next_number;
            self.next_number += 1;
            let made = Segment::create(&*self.shared.disk, &self.shared.layout, number);
            let segment = made.map_err(|failure| (failure, true))?;
            let info = SegmentInfo { file: segment.file.clone(), len: segment.end, live: 0 };
            let mut inner = self.shared.lock();
            inner.index.segments.insert(number, info);
            self.shared.call_janitor(&mut inner);
            drop(inner);
            self.segment = Some(segment);
        }
        self.segment.as_mut().ok_or_else(|| (Failure::new(crate::Kind::Disk, "no journal segment"), true))
    }

    fn sync(&mut self) {
        let Some(segment) = &mut self.segment else { return };
        match segment.sync() {
            Ok(()) => self.finish(),
            Err(failure) => self.abandon(&failure),
        }
    }

    /// All that is written is durable: the index learns it, then those who wait.
    fn finish(&mut self) {
        let written = mem::take(&mut self.written);
        let mut told = Vec::with_capacity(written.len());
        let mut inner = self.shared.lock();
        let inner = &mut *inner;
        let mut ready = false;
        for (job, place) in written {
            if let Some(segment) = inner.index.segments.get_mut(&place.segment) {
                segment.len = segment.len.max(u64::from(place.offset) + place.len());
            }
            match job.then {
                Then::Insert(message) => {
                    let (head, fresh) = *message;
                    let change = match head.status.state {
                        State::Hold => None,
                        _ => Some(Change::Ready(head.id.clone())),
                    };
                    inner.index.insert(head.id.clone(), Message::new(&head, place));
                    inner.index.fresh.insert(head.id, fresh);
                    ready |= change.is_some();
                    inner.index.changes.extend(change);
                }
                Then::Move { id, version } => {
                    // What happened since it was handed over is in later records. To tell the notes of before
                    // from those of after is not worth it: the janitor tries again.
                    if inner.index.get(&id).is_some_and(|message| message.version == version) {
                        inner.index.moved(&id, place);
                    }
                }
                Then::Note { id, serial } => {
                    inner.index.noted(&id, serial, place);
                    let crowded =
                        |message: &Message| message.notes.len() > CROWD + message.recipients as usize / 16;
                    if inner.index.get(&id).is_some_and(crowded) {
                        inner.crowded.push_back(id);
                        self.shared.call_janitor(inner);
                    }
                }
                Then::Forget(files) => inner.trash.extend(files),
            }
            told.extend(job.waiter);
        }
        let oldest_is_empty = inner.index.segments.len() > 1
            && inner.index.segments.values().next().is_some_and(|segment| segment.live == 0);
        if oldest_is_empty || !inner.trash.is_empty() {
            self.shared.call_janitor(inner);
        }
        if ready {
            self.shared.changed.notify_one();
        }
        for waiter in told {
            // Whoever does not wait any more does not need to know.
            let _ = waiter.send(Ok(()));
        }
    }

    /// Leaves the segment for good: what is beyond its last good sync cannot be trusted.
    fn abandon(&mut self, failure: &Failure) {
        log::error!(target: "qmgr", "{failure}; a new journal segment is begun");
        let was_cut = self.segment.take().is_none_or(|mut segment| {
            let synced = segment.synced;
            segment.cut(synced)
        });
        let written = mem::take(&mut self.written);
        self.fail(written.into_iter().map(|(job, _)| job).collect(), failure, was_cut);
    }

    /// Tells those who wait; keeps what must be written. `was_cut`: nothing of these records is in the journal.
    fn fail(&mut self, jobs: Vec<Job>, failure: &Failure, was_cut: bool) {
        let mut refused = Vec::new();
        let mut files: Vec<PathBuf> = Vec::new();
        for mut job in jobs {
            if let Some(waiter) = job.waiter.take() {
                let _ = waiter.send(Err(failure.clone()));
            }
            match &job.then {
                then if then.must_be_written() => self.backlog.push(job),
                Then::Insert(message) => {
                    if message.0.in_file {
                        files.push(self.shared.layout.bodies().join(message.0.id.as_str()));
                    }
                    refused.push(message.0.id.clone());
                }
                _ => {}
            }
        }
        if was_cut {
            let mut inner = self.shared.lock();
            inner.trash.extend(files);
            self.shared.call_janitor(&mut inner);
        } else if !refused.is_empty() {
            // A restart would find them, although their senders were told to try again: say that they are not here.
            let frame = Frame::new(RecordKind::Removed, write_removed(&refused), bytes::Bytes::new());
            self.backlog.push(Job { frame, then: Then::Forget(files), waiter: None });
        }
    }
}
