//! The end of the journal: the segment that is being written.

use std::hash::{BuildHasher, RandomState};
use std::io::IoSlice;
use std::sync::Arc;

use crate::Failure;
use crate::disk::{Disk, DiskFile, write_all_at};
use crate::frame::{Frame, HEAD, segment_header};
use crate::index::Place;
use crate::layout::Layout;

/// Space is reserved in steps of this many bytes: a sync need then not record a new length each time.
const RESERVE: u64 = 4 << 20;

/// A segment that is being written.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    salt: u64,
    pub(crate) file: Arc<dyn DiskFile>,
    /// End of what is written.
    pub(crate) end: u64,
    /// End of what is synced.
    pub(crate) synced: u64,
    reserved: u64,
}

impl Segment {
    /// Creates a segment; it is durable, and so is its name.
    pub(crate) fn create(disk: &dyn Disk, layout: &Layout, number: u32) -> Result<Segment, Failure> {
        let path = layout.segment(number);
        let salt = RandomState::new().hash_one(number);
        let failed = |error| Failure::from_io(format!("create {}", path.display()), error);
        let file = disk.create(&path).map_err(failed)?;
        let made = write_all_at(&*file, &mut [IoSlice::new(&segment_header(number.into(), salt))], 0)
            .and_then(|_| file.sync())
            .and_then(|()| disk.sync_directory(&layout.journal()));
        if let Err(error) = made {
            // Without a frame in it the file means nothing, so it does not matter whether this works.
            let _ = disk.remove(&path);
            return Err(failed(error));
        }
        let end = HEAD as u64;
        Ok(Segment { number, salt, file, end, synced: end, reserved: 0 })
    }

    /// Appends frames; says where each of them is. On failure nothing counts as written.
    pub(crate) fn append(&mut self, frames: &[&Frame]) -> Result<Vec<Place>, Failure> {
        let mut heads = Vec::with_capacity(frames.len());
        let mut places = Vec::with_capacity(frames.len());
        let mut at = self.end;
        for frame in frames {
            heads.push(frame.head(self.number.into(), self.salt, at));
            places.push(Place {
                segment: self.number,
                offset: at as u32,
                meta: frame.meta.len() as u32,
                blob: frame.blob.len() as u32,
            });
            at += frame.len();
        }
        if at > u64::from(u32::MAX) {
            return Err(Failure::new(crate::Kind::Disk, "record too large for the journal"));
        }
        if at > self.reserved {
            // A hint: if there is no room, the write that needs it says so.
            self.reserved = at.next_multiple_of(RESERVE);
            let _ = self.file.reserve(self.reserved);
        }
        let mut pieces = Vec::with_capacity(3 * frames.len());
        for (head, frame) in heads.iter().zip(frames) {
            let parts: [&[u8]; 3] = [head, &frame.meta, &frame.blob];
            pieces.extend(parts.into_iter().filter(|part| !part.is_empty()).map(IoSlice::new));
        }
        write_all_at(&*self.file, &mut pieces, self.end)
            .map_err(|error| Failure::from_io(format!("write journal segment {}", self.number), error))?;
        self.end = at;
        Ok(places)
    }

    /// Takes back what a failed write may have left behind the end.
    pub(crate) fn cut(&mut self, end: u64) -> bool {
        self.reserved = 0;
        self.end = end;
        self.file.truncate(end).is_ok()
    }

    /// Waits until all of it is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), Failure> {
        self.file
            .sync()
            .map_err(|error| Failure::from_io(format!("sync journal segment {}", self.number), error))?;
        self.synced = self.end;
        Ok(())
    }
}
