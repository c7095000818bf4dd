//! What is in a mailbox at one moment: shared, immutable, and cheap to change into the next moment.
//!
//! All sessions on a mailbox share its newest [`View`]. A session keeps the one that its client has been told
//! of, which is what its sequence numbers count in; [`View::changes`] says what to tell the client next.

mod changes;
mod edit;

use std::sync::Arc;

pub use changes::Changes;
pub use edit::Editor;

use crate::Flags;

/// Most entries a piece of the list holds before it is split: what one changed flag copies.
const CHUNK: usize = 256;

/// One message in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// UID.
    pub uid: u32,
    /// RFC822.SIZE, in bytes, with CRLF.
    pub size: u32,
    /// System flags.
    pub flags: Flags,
    /// Keywords: bit n stands for `View::keywords()[n]`.
    pub keywords: u64,
    /// MODSEQ.
    pub modseq: u64,
    /// INTERNALDATE, in seconds since 1970.
    pub received: i64,
    /// SAVEDATE, in seconds since 1970.
    pub saved: i64,
    /// The store's own name of the content; the same for copies where the store knows.
    pub key: u64,
}

/// The messages of a mailbox by UID, with what SELECT tells about them.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// UIDNEXT.
    pub uidnext: u32,
    /// HIGHESTMODSEQ.
    pub modseq: u64,
    /// Messages from this UID on were in no session yet (`\Recent`).
    pub recent_from: u32,
    /// The mailbox has been deleted.
    pub gone: bool,
    keywords: Arc<Vec<Arc<str>>>,
    /// None is empty.
    chunks: Vec<Arc<Vec<Entry>>>,
    /// How many messages stand before each chunk.
    before: Vec<u32>,
    len: u32,
}

impl View {
    /// An empty mailbox.
    pub fn new(uidvalidity: u32, uidnext: u32, modseq: u64, keywords: Vec<Arc<str>>) -> View {
        let keywords = Arc::new(keywords);
        View { uidvalidity, uidnext, modseq, recent_from: uidnext, keywords, ..View::default() }
    }

    /// How many messages.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Is there no message?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The message with this sequence number, counted from 1.
    pub fn get(&self, sequence: u32) -> Option<&Entry> {
        let index = sequence.checked_sub(1).filter(|index| *index < self.len)?;
        let chunk = self.before.partition_point(|before| *before <= index) - 1;
        self.chunks[chunk].get((index - self.before[chunk]) as usize)
    }

    /// The message with this UID.
    pub fn find(&self, uid: u32) -> Option<&Entry> {
        let chunk = self.chunks.get(self.chunk_of(uid))?;
        let at = chunk.binary_search_by_key(&uid, |entry| entry.uid).ok()?;
        Some(&chunk[at])
    }

    /// The sequence number of a UID.
    pub fn sequence(&self, uid: u32) -> Option<u32> {
        let (at, exact) = self.place(uid);
        exact.then_some(at + 1)
    }

    /// The sequence number of the first message whose UID is not less; `len() + 1` where there is none.
    pub fn sequence_from(&self, uid: u32) -> u32 {
        self.place(uid).0 + 1
    }

    /// All messages, by UID.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The messages with these sequence numbers, with their numbers.
    pub fn range(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, &Entry)> + '_ {
        let first = first.max(1);
        let chunk = match first > self.len {
            true => self.chunks.len(),
            false => self.before.partition_point(|before| *before < first) - 1,
        };
        let skip = self.before.get(chunk).map_or(0, |before| first - 1 - before);
        let entries = self.chunks[chunk..].iter().flat_map(|chunk| chunk.iter());
        (first..=last).zip(entries.skip(skip as usize))
    }

    /// The messages whose UIDs are in a range, with their sequence numbers.
    pub fn uid_range(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, &Entry)> + '_ {
        self.range(self.sequence_from(first), u32::MAX).take_while(move |(_, entry)| entry.uid <= last)
    }

    /// The names of the keywords of the mailbox; the place of a name is its bit and does not change.
    pub fn keywords(&self) -> &[Arc<str>] {
        &self.keywords
    }

    /// The names of the keywords that are set in `bits`.
    pub fn keyword_names(&self, bits: u64) -> impl Iterator<Item = &str> + '_ {
        self.keywords.iter().enumerate().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| &**name)
    }

    /// The bit of a keyword, whatever its case.
    pub fn keyword_bit(&self, name: &str) -> Option<u64> {
        self.keywords.iter().position(|known| known.eq_ignore_ascii_case(name)).map(|bit| 1 << bit)
    }

    /// Changes a copy of it. What is not changed stays shared.
    pub fn edit(&self) -> Editor {
        Editor::new(self.clone())
    }

    /// The chunk a UID is in, if it is there at all.
    fn chunk_of(&self, uid: u32) -> usize {
        self.chunks.partition_point(|chunk| chunk[chunk.len() - 1].uid < uid)
    }

    /// How many messages stand before a UID, and whether it is there.
    fn place(&self, uid: u32) -> (u32, bool) {
        let at = self.chunk_of(uid);
        let Some(chunk) = self.chunks.get(at) else { return (self.len, false) };
        let (inside, exact) = match chunk.binary_search_by_key(&uid, |entry| entry.uid) {
            Ok(inside) => (inside, true),
            Err(inside) => (inside, false),
        };
        (self.before[at] + inside as u32, exact)
    }
}

#[cfg(test)]
mod tests;
