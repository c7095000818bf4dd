//! Background work on the journal: removes segments and files that are not needed any more, and moves the few
//! messages that keep an old segment alive.
//!
//! Segments go strictly in order, oldest first. A record that says "removed" or "done" may refer to any older
//! segment; so it can be dropped without a thought when no older segment is left.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;

use bytes::Bytes;
use mail::QueueId;

use crate::frame::Frame;
use crate::load::Snapshot;
use crate::record::{RecordKind, write_message};
use crate::shared::{Pending, Shared, Then};
use crate::{Failure, Fate, Kind};

/// So much is handed to the committer before its answer is waited for.
const STRIDE: u64 = 1 << 20;

/// Segments that may be there whatever they hold.
const FREE_SEGMENTS: usize = 4;

/// Works until the queue is closed.
pub(crate) fn run(shared: Arc<Shared>) {
    loop {
        {
            let mut inner = shared.lock();
            while !inner.janitor_called && !inner.closing {
                inner = shared.janitor.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
            inner.janitor_called = false;
            if inner.closing {
                return;
            }
        }
        tidy(&shared);
    }
}

/// One round of all that is to be done.
pub(crate) fn tidy(shared: &Shared) {
    let (trash, crowded) = {
        let mut inner = shared.lock();
        (std::mem::take(&mut inner.trash), std::mem::take(&mut inner.crowded))
    };
    remove_files(shared, trash);
    move_all(shared, crowded.into());
    if !remove_segments(shared) {
        return;
    }
    while let Some(number) = wasteful(shared) {
        let ids = messages_in(shared, number);
        move_all(shared, ids);
        if !remove_segments(shared) || wasteful(shared) == Some(number) {
            // It resists: a message in it cannot be read, or changed while it was moved.
            return;
        }
    }
}

fn remove_files(shared: &Shared, files: Vec<PathBuf>) {
    for path in files {
        match shared.disk.remove(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                // The next start removes it.
                log::warn!(target: "qmgr", "remove {}: {error}", path.display());
            }
            _ => {}
        }
    }
}

/// Removes the oldest segments while nothing in them counts. False if one could not be removed.
fn remove_segments(shared: &Shared) -> bool {
    loop {
        let number = {
            let inner = shared.lock();
            match inner.index.segments.iter().next() {
                Some((number, segment)) if segment.live == 0 && inner.index.segments.len() > 1 => *number,
                _ => return true,
            }
        };
        // The name must be gone for good before the next segment goes: what says that its messages are removed
        // is in there.
        let removed = shared
            .disk
            .remove(&shared.layout.segment(number))
            .and_then(|()| shared.disk.sync_directory(&shared.layout.journal()));
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                log::warn!(target: "qmgr", "remove {}: {error}", shared.layout.segment(number).display());
                return false;
            }
            _ => drop(shared.lock().index.segments.remove(&number)),
        }
    }
}

/// The oldest segment, if the journal is much larger than what is alive in it.
fn wasteful(shared: &Shared) -> Option<u32> {
    let inner = shared.lock();
    let segments = &inner.index.segments;
    let (total, live) = segments.values().fold((0, 0), |(total, live), s| (total + s.len, live + s.live));
    let slack = FREE_SEGMENTS as u64 * shared.settings.segment_size;
    let many = segments.len() > FREE_SEGMENTS + 2 * (live / shared.settings.segment_size) as usize + 4;
    let oldest = *segments.keys().next()?;
    let is_last = segments.len() == 1;
    (!is_last && (total > 2 * live + slack || many)).then_some(oldest)
}

fn messages_in(shared: &Shared, number: u32) -> Vec<QueueId> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let inner = shared.lock();
        let mut seen = None;
        for (id, message) in inner.index.after(after.as_ref(), 1000) {
            seen = Some(id.clone());
            if message.place.segment == number {
                found.push(id.clone());
            }
        }
        match seen {
            None => return found,
            some => after = some,
        }
    }
}

fn move_all(shared: &Shared, ids: Vec<QueueId>) {
    let mut under_way: Vec<Pending> = Vec::new();
    let mut bytes = 0;
    for id in ids {
        match move_one(shared, &id) {
            Ok(None) => {}
            Ok(Some((len, pending))) => {
                bytes += len;
                under_way.push(pending);
            }
            Err(failure) => log::error!(target: "qmgr", "{failure}"),
        }
        if bytes >= STRIDE {
            bytes = 0;
            if !all_done(&mut under_way) {
                return;
            }
        }
    }
    all_done(&mut under_way);
}

fn all_done(under_way: &mut Vec<Pending>) -> bool {
    // All are waited for, whatever became of the first.
    let results: Vec<_> = under_way.drain(..).map(Pending::wait).collect();
    results.iter().all(Result::is_ok)
}

/// Writes a message again at the end of the journal, with all that is known of it in one record.
fn move_one(shared: &Shared, id: &QueueId) -> Result<Option<(u64, Pending)>, Failure> {
    let snapshot = {
        let inner = shared.lock();
        let Some(message) = inner.index.get(id) else { return Ok(None) };
        Snapshot::take(&inner.index, id, message)
    };
    let (envelope, fates) = snapshot.read()?;
    let known: Vec<(u32, Fate)> = (0..).zip(fates).filter(|(_, fate)| *fate != Fate::Pending).collect();
    let message = &snapshot.message;
    let meta = write_message(&message.head(id), &known, &envelope);
    let content = match message.in_file {
        true => Bytes::new(),
        false => snapshot.body(&*shared.disk, &shared.layout)?.bytes()?,
    };
    let frame = Frame::new(RecordKind::Message, meta, content);
    let len = frame.len();
    let mut inner = shared.lock();
    let version = message.version;
    if inner.index.get(id).is_none_or(|now| now.version != version) {
        return Ok(None);
    }
    if inner.closing {
        return Err(Failure::new(Kind::Closed, "the queue is closed"));
    }
    Ok(Some((len, shared.submit(&mut inner, frame, Then::Move { id: id.clone(), version }))))
}
