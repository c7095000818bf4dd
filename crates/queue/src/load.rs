//! Reads a message back: the index says where its records are.

use std::sync::Arc;

use bytes::Bytes;
use mail::{Envelope, QueueId};

use crate::disk::{DiskFile, read_exact_at};
use crate::frame::{HEAD, Head};
use crate::fresh::Fresh;
use crate::index::{Index, Message, Note, Place};
use crate::layout::Layout;
use crate::record::{read_envelope, read_message_head, read_settled, timestamp};
use crate::wire::Reader;
use crate::{Body, Failure, Fate, Kind, Stored};

/// What is needed to read a message without holding the lock.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) id: QueueId,
    pub(crate) message: Message,
    file: Option<Arc<dyn DiskFile>>,
    notes: Vec<NoteSource>,
    fresh: Option<Fresh>,
}

#[derive(Debug)]
enum NoteSource {
    Memory(Bytes),
    Disk(Arc<dyn DiskFile>, Place),
    Lost,
}

/// A message record as it is on disk.
struct Raw {
    head: Head,
    meta: Vec<u8>,
}

impl Snapshot {
    pub(crate) fn take(index: &Index, id: &QueueId, message: &Message) -> Snapshot {
        let file = |place: Place| index.segments.get(&place.segment).map(|segment| segment.file.clone());
        let notes = message.notes.iter().map(|note| match note {
            Note::Memory(held) => NoteSource::Memory(held.1.clone()),
            Note::Disk(place) => file(*place).map_or(NoteSource::Lost, |file| NoteSource::Disk(file, *place)),
        });
        Snapshot {
            id: id.clone(),
            file: file(message.place),
            notes: notes.collect(),
            fresh: index.fresh.get(id).cloned(),
            message: message.clone(),
        }
    }

    fn damaged(&self, what: &str) -> Failure {
        Failure::new(Kind::Disk, format!("{}: {what}", self.id))
    }

    fn raw(&self) -> Result<Raw, Failure> {
        let place = self.message.place;
        let file = self.file.as_ref().ok_or_else(|| self.damaged("journal segment is missing"))?;
        let meta = read_meta(&**file, place).map_err(|error| {
            Failure::from_io(format!("{}: read journal segment {}", self.id, place.segment), error)
        })?;
        meta.ok_or_else(|| self.damaged("record is damaged"))
    }

    /// Envelope and fates. The fates are those of recipients that are not `Pending`, in order of their records.
    pub(crate) fn read(&self) -> Result<(Arc<Envelope>, Vec<Fate>), Failure> {
        let mut fates = vec![Fate::Pending; self.message.recipients as usize];
        let mut set = |changes: Vec<(u32, Fate)>| {
            for (index, fate) in changes {
                if let Some(slot) = fates.get_mut(index as usize) {
                    *slot = fate;
                }
            }
        };
        let envelope = match &self.fresh {
            Some(fresh) => fresh.envelope.clone(),
            None => {
                let raw = self.raw()?;
                let mut reader = Reader(&raw.meta);
                let read = read_message_head(&mut reader).zip(read_envelope(&mut reader));
                let ((_, old), envelope) = read.ok_or_else(|| self.damaged("record is damaged"))?;
                set(old);
                Arc::new(envelope)
            }
        };
        for note in &self.notes {
            // A reason that cannot be read is not worth a message that cannot be delivered.
            if let Some(changes) = note.read() {
                set(changes);
            } else {
                log::warn!(target: "qmgr", "{}: a record of an earlier attempt cannot be read", self.id);
            }
        }
        for (index, fate) in fates.iter_mut().enumerate() {
            if self.message.is_done(index as u32) {
                *fate = Fate::Done;
            }
        }
        if envelope.recipients.len() != fates.len() {
            return Err(self.damaged("record is damaged"));
        }
        Ok((envelope, fates))
    }

    /// The content.
    pub(crate) fn body(&self, disk: &dyn crate::disk::Disk, layout: &Layout) -> Result<Body, Failure> {
        if let Some(fresh) = &self.fresh
            && !self.message.in_file
        {
            return Ok(Body::from(fresh.content.clone()));
        }
        if self.message.in_file {
            let path = layout.bodies().join(self.id.as_str());
            let file = disk
                .open(&path, false)
                .map_err(|error| Failure::from_io(format!("open {}", path.display()), error))?;
            return Ok(Body::in_file(file, &path, 0, self.message.size, None));
        }
        let place = self.message.place;
        let raw = self.raw()?;
        let file = self.file.clone().ok_or_else(|| self.damaged("journal segment is missing"))?;
        let offset = u64::from(place.offset) + HEAD as u64 + u64::from(place.meta);
        let path = layout.segment(place.segment);
        Ok(Body::in_file(file, &path, offset, place.blob.into(), Some(raw.head.blob_crc)))
    }

    /// All of it.
    pub(crate) fn load(&self, disk: &dyn crate::disk::Disk, layout: &Layout) -> Result<Stored, Failure> {
        let (envelope, fates) = self.read()?;
        let status = &self.message.status;
        Ok(Stored {
            id: self.id.clone(),
            envelope,
            body: self.body(disk, layout)?,
            fates,
            arrival: timestamp(self.message.arrival),
            state: status.state,
            next_attempt: timestamp(status.next_attempt),
            attempts: status.attempts,
            forced_expire: status.forced_expire,
            delay_warned: status.delay_warned,
            inherited: self.message.inherited,
        })
    }
}

impl NoteSource {
    fn read(&self) -> Option<Vec<(u32, Fate)>> {
        let record = match self {
            NoteSource::Memory(record) => record.clone(),
            NoteSource::Disk(file, place) => read_meta(&**file, *place).ok()??.meta.into(),
            NoteSource::Lost => return None,
        };
        read_settled(&record).map(|(_, _, fates)| fates)
    }
}

/// Head and meta part of a record; `None` when they fail their checksum.
fn read_meta(file: &dyn DiskFile, place: Place) -> std::io::Result<Option<Raw>> {
    let mut bytes = vec![0; HEAD + place.meta as usize];
    read_exact_at(file, &mut bytes, place.offset.into())?;
    let head = Head::parse(&bytes);
    let meta = bytes.split_off(HEAD);
    let whole = head.meta == place.meta && head.blob == place.blob && head.meta_crc == crc32fast::hash(&meta);
    Ok(whole.then_some(Raw { head, meta }))
}
