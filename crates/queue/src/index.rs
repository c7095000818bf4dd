//! What is known in memory of the messages in the queue: a few hundred bytes each, whatever their size.
//!
//! Envelopes, reasons of delay and content stay on disk; the index knows where.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use mail::QueueId;

use crate::disk::DiskFile;
use crate::fresh::FreshCache;
use crate::record::{MessageHead, Status, timestamp};
use crate::{Brief, Change, Fate, Left, State};

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    /// Of the frame's head.
    pub(crate) offset: u32,
    pub(crate) meta: u32,
    pub(crate) blob: u32,
}

impl Place {
    /// Bytes in the segment.
    pub(crate) fn len(self) -> u64 {
        crate::frame::HEAD as u64 + u64::from(self.meta) + u64::from(self.blob)
    }
}

/// A record of fates that counts for a message.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// In the journal.
    Disk(Place),
    /// Not known to be in the journal yet: serial number and record.
    Memory(Box<(u64, Bytes)>),
}

/// A segment as the index sees it.
#[derive(Debug)]
pub(crate) struct SegmentInfo {
    pub(crate) file: Arc<dyn DiskFile>,
    /// Bytes written.
    pub(crate) len: u64,
    /// Bytes of records that still count.
    pub(crate) live: u64,
}

/// Which recipients are done: one bit each.
#[derive(Clone, Debug)]
enum Bits {
    Few(u64),
    Many(Box<[u64]>),
}

impl Bits {
    fn new(count: u32) -> Bits {
        if count <= 64 { Bits::Few(0) } else { Bits::Many(vec![0; count.div_ceil(64) as usize].into()) }
    }

    fn word(&mut self, at: u32) -> Option<&mut u64> {
        match self {
            Bits::Few(word) => (at < 64).then_some(word),
            Bits::Many(words) => words.get_mut(at as usize / 64),
        }
    }

    fn get(&self, at: u32) -> bool {
        let word = match self {
            Bits::Few(word) => Some(word).filter(|_| at < 64),
            Bits::Many(words) => words.get(at as usize / 64),
        };
        word.is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// Sets a bit; was it clear?
    fn set(&mut self, at: u32) -> bool {
        let bit = 1u64 << (at % 64);
        self.word(at).is_some_and(|word| {
            let clear = *word & bit == 0;
            *word |= bit;
            clear
        })
    }
}

/// A message in the index.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) place: Place,
    pub(crate) notes: Vec<Note>,
    pub(crate) status: Status,
    pub(crate) arrival: i64,
    pub(crate) size: u64,
    pub(crate) in_file: bool,
    pub(crate) recipients: u32,
    pub(crate) left: u32,
    /// Was it in the journal when the queue was opened?
    pub(crate) inherited: bool,
    done: Bits,
    /// Grows with every change: compaction works without the lock and checks it at the end.
    pub(crate) version: u32,
}

impl Message {
    pub(crate) fn new(head: &MessageHead, place: Place) -> Message {
        Message {
            place,
            notes: Vec::new(),
            status: head.status,
            arrival: head.arrival,
            size: head.size,
            in_file: head.in_file,
            recipients: head.recipients,
            left: head.recipients,
            inherited: false,
            done: Bits::new(head.recipients),
            version: 0,
        }
    }

    /// Notes which recipients are done.
    pub(crate) fn apply(&mut self, fates: &[(u32, Fate)]) {
        for (index, fate) in fates {
            if *fate == Fate::Done && *index < self.recipients && self.done.set(*index) {
                self.left -= 1;
            }
        }
    }

    pub(crate) fn is_done(&self, index: u32) -> bool {
        self.done.get(index)
    }

    pub(crate) fn head(&self, id: &QueueId) -> MessageHead {
        MessageHead {
            id: id.clone(),
            status: self.status,
            arrival: self.arrival,
            size: self.size,
            in_file: self.in_file,
            recipients: self.recipients,
        }
    }

    pub(crate) fn brief(&self, id: &QueueId) -> Brief {
        Brief {
            id: id.clone(),
            state: self.status.state,
            arrival: timestamp(self.arrival),
            next_attempt: timestamp(self.status.next_attempt),
            attempts: self.status.attempts,
            size: self.size,
            recipients: self.recipients,
            left: self.left,
            forced_expire: self.status.forced_expire,
            delay_warned: self.status.delay_warned,
        }
    }
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    messages: BTreeMap<QueueId, Message>,
    counts: [usize; 4],
    pub(crate) segments: BTreeMap<u32, SegmentInfo>,
    pub(crate) fresh: FreshCache,
    pub(crate) changes: VecDeque<Change>,
}

impl Index {
    pub(crate) fn get(&self, id: &QueueId) -> Option<&Message> {
        self.messages.get(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn counts(&self) -> [(State, usize); 4] {
        State::ALL.map(|state| (state, self.counts[state as usize]))
    }

    /// Up to `max` messages after `after`.
    pub(crate) fn after<'a>(
        &'a self,
        after: Option<&QueueId>,
        max: usize,
    ) -> impl Iterator<Item = (&'a QueueId, &'a Message)> + use<'a> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.cloned().map_or(Unbounded, Excluded);
        self.messages.range((from, Unbounded)).take(max)
    }

    /// Adds a message, or replaces what is known of it by a later record.
    pub(crate) fn insert(&mut self, id: QueueId, message: Message) {
        self.remove(&id);
        self.weigh(message.place, true);
        self.counts[message.status.state as usize] += 1;
        self.messages.insert(id, message);
    }

    /// Changes a message; its state is counted anew.
    pub(crate) fn change<T>(&mut self, id: &QueueId, change: impl FnOnce(&mut Message) -> T) -> Option<T> {
        let message = self.messages.get_mut(id)?;
        self.counts[message.status.state as usize] -= 1;
        let value = change(message);
        message.version = message.version.wrapping_add(1);
        self.counts[message.status.state as usize] += 1;
        Some(value)
    }

    /// Forgets a message; tells whether its content is in a file.
    pub(crate) fn remove(&mut self, id: &QueueId) -> Option<Message> {
        let message = self.messages.remove(id)?;
        self.counts[message.status.state as usize] -= 1;
        self.fresh.remove(id);
        self.weigh(message.place, false);
        self.drop_notes(&message.notes);
        Some(message)
    }

    /// The message was written elsewhere, with all that is known of it.
    pub(crate) fn moved(&mut self, id: &QueueId, place: Place) {
        let Some(message) = self.messages.get_mut(id) else { return };
        let old = std::mem::replace(&mut message.place, place);
        let notes = std::mem::take(&mut message.notes);
        message.version = message.version.wrapping_add(1);
        self.weigh(old, false);
        self.weigh(place, true);
        self.drop_notes(&notes);
        // What was fresh knows no fates; from now on they are in the message's own record.
        self.fresh.remove(id);
    }

    /// Applies new fates and a new status; removes the message when nothing is left of it.
    pub(crate) fn settle(&mut self, id: &QueueId, status: Status, fates: &[(u32, Fate)], note: Note) -> Left {
        let left = self.change(id, |message| {
            message.status = status;
            message.apply(fates);
            message.left
        });
        match left {
            None => Left::Gone,
            Some(0) => Left::Removed,
            Some(left) => {
                // A record of `Done` alone tells nothing that the bits do not know. (Replay needs it; it goes when
                // its segment goes, and that is after the message was moved: segments go in order.)
                if fates.iter().any(|(_, fate)| *fate != Fate::Done) {
                    if let Note::Disk(place) = note {
                        self.weigh(place, true);
                    }
                    if let Some(message) = self.messages.get_mut(id) {
                        message.notes.push(note);
                    }
                }
                Left::Recipients(left)
            }
        }
    }

    /// A note has come to the journal.
    pub(crate) fn noted(&mut self, id: &QueueId, serial: u64, place: Place) {
        let Some(message) = self.messages.get_mut(id) else { return };
        let mine =
            message.notes.iter_mut().find(|note| matches!(note, Note::Memory(held) if held.0 == serial));
        if let Some(note) = mine {
            *note = Note::Disk(place);
            self.weigh(place, true);
        }
    }

    fn drop_notes(&mut self, notes: &[Note]) {
        for note in notes {
            if let Note::Disk(place) = note {
                self.weigh(*place, false);
            }
        }
    }

    fn weigh(&mut self, place: Place, add: bool) {
        if let Some(segment) = self.segments.get_mut(&place.segment) {
            segment.live = match add {
                true => segment.live + place.len(),
                false => segment.live.saturating_sub(place.len()),
            };
        }
    }
}
