//! A mailbox with which not everything may be done, or which has another name for its reader.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::resolve::with_prefix;
use crate::{
    CopyOutcome, Entry, Error, FlagChange, Flags, Mailbox, Mode, Name, NewMessage, Result, Rights,
    StoreOutcome, Summary, UidSet, View, Watch, Within,
};

/// What copies into a mailbox keep all of.
const WHOLE: [Rights; 4] = [Rights::INSERT, Rights::SEEN, Rights::DELETED, Rights::WRITE];

/// A mailbox and what its reader may do.
pub struct Guarded {
    inner: Arc<dyn Mailbox>,
    rights: Rights,
    before: String,
}

impl Guarded {
    pub(super) fn new(inner: Arc<dyn Mailbox>, rights: Rights, before: String) -> Guarded {
        Guarded { inner, rights, before }
    }

    fn need(&self, needed: Rights) -> Result<()> {
        self.rights.need(needed)
    }

    /// The system flags that may be changed.
    fn flags(&self) -> Flags {
        let part = |right, flags| if self.rights.has(right) { flags } else { Flags::NONE };
        part(Rights::SEEN, Flags::SEEN)
            | part(Rights::DELETED, Flags::DELETED)
            | part(Rights::WRITE, Flags::ANSWERED | Flags::FLAGGED | Flags::DRAFT)
    }

    /// Sets what may be set, and leaves the rest as it is.
    fn replace(&self, uids: &UidSet, change: &FlagChange) -> Result<StoreOutcome> {
        let may = self.flags();
        let words = self.rights.has(Rights::WRITE);
        if may == Flags::NONE {
            return Err(Error::NoPermission);
        }
        let view = self.inner.view();
        let others = view.keywords().iter().map(ToString::to_string);
        let others =
            others.filter(|known| !change.keywords.iter().any(|named| named.eq_ignore_ascii_case(known)));
        let cleared = FlagChange {
            keywords: if words { others.collect() } else { Vec::new() },
            unchanged_since: change.unchanged_since,
            ..FlagChange::new(Mode::Remove, may & !change.flags)
        };
        let outcome = self.inner.store(uids, &cleared)?;
        let set = FlagChange {
            keywords: if words { change.keywords.clone() } else { Vec::new() },
            ..FlagChange::new(Mode::Add, may & change.flags)
        };
        self.inner.store(&outcome.stored.iter().copied().collect(), &set)?;
        Ok(outcome)
    }
}

impl Mailbox for Guarded {
    fn name(&self) -> Name {
        let name = self.inner.name();
        // It was short enough when it was opened; after a renaming its old form will do.
        with_prefix(&self.before, &name).unwrap_or(name)
    }

    fn rights(&self) -> Rights {
        self.rights
    }

    fn mailbox_id(&self) -> String {
        self.inner.mailbox_id()
    }

    fn email_id(&self, entry: &Entry) -> Option<String> {
        self.inner.email_id(entry)
    }

    fn thread_id(&self, entry: &Entry) -> Result<Option<String>> {
        self.inner.thread_id(entry)
    }

    fn read_only(&self) -> bool {
        self.inner.read_only() || !self.rights.any(Rights::CHANGES)
    }

    fn view(&self) -> Arc<View> {
        self.inner.view()
    }

    fn refresh(&self) -> Result<Arc<View>> {
        self.inner.refresh()
    }

    fn is_at_hand(&self, headers: &[u32]) -> bool {
        self.inner.is_at_hand(headers)
    }

    fn watch(&self) -> &Watch {
        self.inner.watch()
    }

    fn claim_recent(&self) -> Result<u32> {
        if self.read_only() { Ok(self.inner.view().recent_from) } else { self.inner.claim_recent() }
    }

    fn body(&self, uid: u32) -> Result<Bytes> {
        self.need(Rights::READ)?;
        self.inner.body(uid)
    }

    fn body_range(&self, uid: u32, range: Range<u64>) -> Result<Bytes> {
        self.need(Rights::READ)?;
        self.inner.body_range(uid, range)
    }

    fn summaries(&self, uids: &[u32], each: &mut dyn FnMut(u32, Summary) -> bool) -> Result<()> {
        self.need(Rights::READ)?;
        self.inner.summaries(uids, each)
    }

    fn headers(&self, uids: &[u32], each: &mut dyn FnMut(u32, Bytes) -> bool) -> Result<()> {
        self.need(Rights::READ)?;
        self.inner.headers(uids, each)
    }

    /// Flags that may not be set are left out. RFC 4314 4.
    fn append(&self, messages: &[NewMessage]) -> Result<Vec<u32>> {
        self.need(Rights::INSERT)?;
        if WHOLE.iter().all(|right| self.rights.has(*right)) {
            return self.inner.append(messages);
        }
        let mut messages = messages.to_vec();
        for message in &mut messages {
            message.flags = message.flags & self.flags();
            if !self.rights.has(Rights::WRITE) {
                message.keywords.clear();
            }
        }
        self.inner.append(&messages)
    }

    fn store(&self, uids: &UidSet, change: &FlagChange) -> Result<StoreOutcome> {
        if self.flags() == Flags::ALL {
            return self.inner.store(uids, change);
        }
        if change.mode == Mode::Replace {
            return self.replace(uids, change);
        }
        let mut part = change.clone();
        part.flags = change.flags & self.flags();
        if !self.rights.has(Rights::WRITE) {
            part.keywords.clear();
        }
        let asked = change.flags != Flags::NONE || !change.keywords.is_empty();
        if asked && part.flags == Flags::NONE && part.keywords.is_empty() {
            return Err(Error::NoPermission);
        }
        self.inner.store(uids, &part)
    }

    fn copy(&self, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome> {
        self.need(Rights::READ)?;
        self.inner.copy(uids, to)
    }

    fn move_to(&self, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome> {
        self.need(Rights::READ | Rights::DELETED | Rights::EXPUNGE)?;
        self.inner.move_to(uids, to)
    }

    fn renumber(&self, uidvalidity: u32, uidnext: u32) -> Result<()> {
        self.need(Rights::ADMIN)?;
        self.inner.renumber(uidvalidity, uidnext)
    }

    fn expunge(&self, uids: Option<&UidSet>) -> Result<UidSet> {
        self.need(Rights::EXPUNGE)?;
        self.inner.expunge(uids)
    }

    fn vanished_since(&self, modseq: u64) -> Result<UidSet> {
        self.need(Rights::READ)?;
        self.inner.vanished_since(modseq)
    }

    fn find_text(&self, within: Within<'_>, needle: &str, among: &[u32]) -> Result<Vec<u32>> {
        self.need(Rights::READ)?;
        self.inner.find_text(within, needle, among)
    }

    /// Copies that go straight into the store keep everything: where that is not allowed they go by [`Mailbox::append`].
    fn as_any(&self) -> &dyn Any {
        if WHOLE.iter().all(|right| self.rights.has(*right)) { self.inner.as_any() } else { self }
    }
}
