//! What happened between two moments of a mailbox.

use std::sync::Arc;

use super::{Entry, View};
use crate::UidSet;

/// What a client that knows one view has to be told to know another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// UIDs that are gone, ascending. EXPUNGE responses go out from the last to the first, each with the
    /// sequence number of the old view.
    pub expunged: Vec<u32>,
    /// UIDs of messages whose flags or MODSEQ changed, ascending.
    pub updated: Vec<u32>,
    /// UIDs that are new, ascending.
    pub arrived: Vec<u32>,
}

impl Changes {
    /// Is there nothing to tell?
    pub fn is_empty(&self) -> bool {
        self.expunged.is_empty() && self.updated.is_empty() && self.arrived.is_empty()
    }
}

impl View {
    /// What happened since `old`, an earlier view of the same mailbox.
    ///
    /// What both share is passed over, so this costs little where little happened.
    pub fn changes(&self, old: &View) -> Changes {
        let mut changes = Changes::default();
        let (mut theirs, mut ours) = (Walk::new(old), Walk::new(self));
        loop {
            if theirs.at_same_chunk(&ours) {
                theirs.skip_chunk();
                ours.skip_chunk();
                continue;
            }
            match (theirs.entry(), ours.entry()) {
                (None, None) => return changes,
                (Some(was), is) if is.is_none_or(|is| was.uid < is.uid) => {
                    changes.expunged.push(was.uid);
                    theirs.step();
                }
                (was, Some(is)) if was.is_none_or(|was| is.uid < was.uid) => {
                    changes.arrived.push(is.uid);
                    ours.step();
                }
                (was, is) => {
                    if let (Some(was), Some(is)) = (was, is)
                        && (was.flags, was.keywords, was.modseq) != (is.flags, is.keywords, is.modseq)
                    {
                        changes.updated.push(is.uid);
                    }
                    theirs.step();
                    ours.step();
                }
            }
        }
    }

    /// The view of a session that may not be told of EXPUNGE now: this one, with the messages still in it that
    /// `old` had and this has no more.
    pub fn keeping(self: &Arc<View>, old: &View) -> Arc<View> {
        let expunged = self.changes(old).expunged;
        if expunged.is_empty() {
            return Arc::clone(self);
        }
        let mut editor = self.edit();
        expunged.iter().filter_map(|uid| old.find(*uid)).for_each(|entry| editor.insert(*entry));
        let mut view = editor.finish();
        view.modseq = self.modseq;
        Arc::new(view)
    }

    /// The UIDs that `old` had and this view has no more.
    pub fn vanished(&self, old: &View) -> UidSet {
        self.changes(old).expunged.into_iter().collect()
    }
}

/// A place in a view.
struct Walk<'a> {
    view: &'a View,
    chunk: usize,
    inside: usize,
}

impl<'a> Walk<'a> {
    fn new(view: &'a View) -> Walk<'a> {
        Walk { view, chunk: 0, inside: 0 }
    }

    fn entry(&self) -> Option<&'a Entry> {
        self.view.chunks.get(self.chunk).map(|chunk| &chunk[self.inside])
    }

    fn at_same_chunk(&self, other: &Walk<'_>) -> bool {
        let chunks = (self.view.chunks.get(self.chunk), other.view.chunks.get(other.chunk));
        self.inside == 0
            && other.inside == 0
            && matches!(chunks, (Some(one), Some(two)) if Arc::ptr_eq(one, two))
    }

    fn skip_chunk(&mut self) {
        self.chunk += 1;
        self.inside = 0;
    }

    fn step(&mut self) {
        self.inside += 1;
        if self.view.chunks.get(self.chunk).is_some_and(|chunk| self.inside == chunk.len()) {
            self.skip_chunk();
        }
    }
}
