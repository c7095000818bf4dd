//! From one moment of a mailbox to the next.

use std::sync::Arc;

use super::{CHUNK, Entry, View};
use crate::{Error, LONGEST_KEYWORD, MOST_KEYWORDS, Result, UidSet};

/// Changes a view; [`Editor::finish`] gives the next one.
#[derive(Debug)]
pub struct Editor {
    view: View,
}

impl Editor {
    pub(super) fn new(view: View) -> Editor {
        Editor { view }
    }

    /// What SELECT tells: UIDNEXT, HIGHESTMODSEQ, the rest.
    pub fn head(&mut self) -> &mut View {
        &mut self.view
    }

    /// Adds a message at the end; its UID is greater than all others. UIDNEXT follows.
    pub fn push(&mut self, entry: Entry) {
        let view = &mut self.view;
        match view.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(entry),
            None => {
                view.chunks.push(Arc::new(vec![entry]));
                view.before.push(view.len);
            }
        }
        view.len += 1;
        view.uidnext = view.uidnext.max(entry.uid.saturating_add(1));
        view.modseq = view.modseq.max(entry.modseq);
    }

    /// Puts a message where its UID belongs, in place of one with the same UID.
    pub fn insert(&mut self, entry: Entry) {
        let at = self.view.chunk_of(entry.uid);
        if at == self.view.chunks.len() {
            return self.push(entry);
        }
        let chunk = Arc::make_mut(&mut self.view.chunks[at]);
        match chunk.binary_search_by_key(&entry.uid, |known| known.uid) {
            Ok(inside) => chunk[inside] = entry,
            Err(inside) => chunk.insert(inside, entry),
        }
        self.view.modseq = self.view.modseq.max(entry.modseq);
        self.count();
    }

    /// Changes one message, not its UID; does nothing when it is not there.
    pub fn update(&mut self, uid: u32, change: impl FnOnce(&mut Entry)) {
        let at = self.view.chunk_of(uid);
        let Some(chunk) = self.view.chunks.get_mut(at) else { return };
        let Ok(inside) = chunk.binary_search_by_key(&uid, |entry| entry.uid) else { return };
        let entry = &mut Arc::make_mut(chunk)[inside];
        change(entry);
        self.view.modseq = self.view.modseq.max(entry.modseq);
    }

    /// Takes messages out.
    pub fn remove(&mut self, uids: &UidSet) {
        for chunk in &mut self.view.chunks {
            let (first, last) = (chunk[0].uid, chunk[chunk.len() - 1].uid);
            if uids.ranges().any(|range| *range.start() <= last && first <= *range.end())
                && chunk.iter().any(|entry| uids.contains(entry.uid))
            {
                let left = chunk.iter().filter(|entry| !uids.contains(entry.uid)).copied().collect();
                *chunk = Arc::new(left);
            }
        }
        self.count();
    }

    /// The bits of keywords by name; those the mailbox did not have are added to it.
    ///
    /// # Errors
    /// [`Error::Limit`] when one is too long or the mailbox would have too many.
    pub fn keyword_bits<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> Result<u64> {
        let mut bits = 0;
        for name in names {
            bits |= match self.view.keyword_bit(name) {
                Some(bit) => bit,
                None if name.is_empty() || name.len() > LONGEST_KEYWORD => {
                    return Err(Error::Limit("the length of a keyword"));
                }
                None if self.view.keywords.len() == MOST_KEYWORDS => {
                    return Err(Error::Limit("64 keywords in a mailbox"));
                }
                None => {
                    Arc::make_mut(&mut self.view.keywords).push(name.into());
                    1 << (self.view.keywords.len() - 1)
                }
            };
        }
        Ok(bits)
    }

    /// The next view.
    pub fn finish(self) -> View {
        self.view
    }

    /// Counts again after chunks have grown or shrunk; no chunk stays empty or much too long.
    fn count(&mut self) {
        let view = &mut self.view;
        view.chunks.retain(|chunk| !chunk.is_empty());
        if view.chunks.iter().any(|chunk| chunk.len() > 2 * CHUNK) {
            let whole = std::mem::take(&mut view.chunks);
            view.chunks = whole
                .into_iter()
                .flat_map(|chunk| match chunk.len() > 2 * CHUNK {
                    true => chunk.chunks(CHUNK).map(|part| Arc::new(part.to_vec())).collect(),
                    false => vec![chunk],
                })
                .collect();
        }
        view.before.clear();
        view.len = 0;
        for chunk in &view.chunks {
            view.before.push(view.len);
            view.len += chunk.len() as u32;
        }
    }
}
