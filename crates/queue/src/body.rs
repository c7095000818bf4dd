//! The content of a message: a [`Draft`] while it comes in, a [`Body`] when it is in the queue.

use bytes::Bytes;

use crate::Failure;

/// Content on its way into the queue: in memory up to a bound, then in a file of its own.
///
/// `write` may block on the page cache, never on a sync. A draft that is dropped leaves nothing behind.
#[derive(Debug)]
pub struct Draft {}

impl Draft {
    /// Appends content.
    pub fn write(&mut self, _content: &[u8]) -> Result<(), Failure> {
        todo!()
    }

    /// How much has been written, in bytes.
    pub fn len(&self) -> u64 {
        todo!()
    }

    /// Has nothing been written?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written so far, for scanners and filters.
    pub fn body(&mut self) -> Result<Body, Failure> {
        todo!()
    }
}

/// The content of a message, in memory or on disk. Cheap to clone; reading from disk blocks.
#[derive(Clone, Debug)]
pub struct Body {}

impl Body {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        todo!()
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content, if it is in memory: readers that have it need not go to a blocking thread.
    pub fn in_memory(&self) -> Option<&Bytes> {
        todo!()
    }

    /// Up to `len` bytes from `offset`; shorter only at the end. Memory is shared, not copied.
    pub fn read_at(&self, _offset: u64, _len: usize) -> Result<Bytes, Failure> {
        todo!()
    }

    /// All of it, chunk by chunk.
    pub fn chunks(&self) -> impl Iterator<Item = Result<Bytes, Failure>> + '_ {
        std::iter::empty()
    }

    /// All of it in one piece: for content that is known to be small.
    pub fn bytes(&self) -> Result<Bytes, Failure> {
        todo!()
    }
}

impl From<Bytes> for Body {
    fn from(_content: Bytes) -> Body {
        todo!()
    }
}
