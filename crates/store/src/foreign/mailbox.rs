//! An open mailbox of a foreign format.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::ledger::{Book, Ledger};
use super::state::State;
use super::{Added, Files, Source, delivery::Common};
use crate::{
    CopyOutcome, Entry, Error, FlagChange, Flags, Mailbox, Name, NewMessage, Result, StoreOutcome, Summary,
    UidSet, Usage, View, Watch, Within,
};

/// A mailbox, shared by all who have it open.
pub struct Shared<F> {
    pub(super) common: Arc<Common>,
    name: Mutex<Name>,
    /// The book's number and MAILBOXID; they do not change while the mailbox is open.
    pub(super) id: i64,
    guid: String,
    pub(super) state: Mutex<State<F>>,
    /// The view of `state`, to be had without waiting for who works on it.
    view: Mutex<Arc<View>>,
    watch: Watch,
    gone: AtomicBool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<F: Files> Shared<F> {
    /// Opens a mailbox.
    pub(super) fn open(common: Arc<Common>, name: Name, files: F, book: Book) -> Result<Shared<F>> {
        let shared = Shared {
            common,
            name: Mutex::new(name),
            id: book.id,
            guid: book.guid.clone(),
            state: Mutex::new(State::new(files, book)),
            view: Mutex::default(),
            watch: Watch::new(),
            gone: AtomicBool::new(false),
        };
        shared.refresh()?;
        Ok(shared)
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.common.ledger
    }

    /// Nobody may use it any more: it was deleted.
    pub(super) fn mark_gone(&self) {
        self.gone.store(true, Ordering::Release);
        let mut view = View::clone(&lock(&self.view));
        view.gone = true;
        *lock(&self.view) = Arc::new(view);
        self.watch.ring();
    }

    /// It is called this now, and its files are there.
    pub(super) fn moved(&self, name: &Name, files: F) {
        *lock(&self.name) = name.clone();
        lock(&self.state).files = files;
    }

    /// Works on the newest state; afterwards all see what has changed.
    pub(super) fn work<T>(&self, work: impl FnOnce(&mut State<F>, i64) -> Result<T>) -> Result<T> {
        if self.gone.load(Ordering::Acquire) {
            return Err(Error::Gone);
        }
        let now = (self.common.clock)();
        let mut state = lock(&self.state);
        let done = state.refresh(self.ledger(), now).and_then(|_| work(&mut state, now));
        self.publish(&state);
        done
    }

    pub(super) fn publish(&self, state: &State<F>) {
        let mut view = lock(&self.view);
        if !Arc::ptr_eq(&view, &state.view) {
            *view = Arc::clone(&state.view);
            drop(view);
            self.watch.ring();
            self.common.watch.ring();
        }
    }

    /// The files of these messages with what else is known of them, for a mailbox of the same kind.
    pub(super) fn sources(&self, uids: &UidSet) -> Result<Option<Vec<(u32, Source)>>> {
        self.work(|state, _| {
            let view = Arc::clone(&state.view);
            let wanted: Vec<u32> =
                view.iter().filter(|entry| uids.contains(entry.uid)).map(|entry| entry.uid).collect();
            let Some(mut sources) = state.files.sources(&wanted) else { return Ok(None) };
            for (uid, source) in &mut sources {
                if let Some(entry) = view.find(*uid) {
                    source.flags = entry.flags;
                    source.keywords = view.keyword_names(entry.keywords).map(str::to_owned).collect();
                    source.facts =
                        super::Facts { size: entry.size, received: entry.received, saved: entry.saved };
                }
            }
            Ok(Some(sources))
        })
    }

    fn put(
        &self,
        usage: Usage,
        work: impl FnOnce(&mut State<F>, i64) -> Result<Option<Vec<Added>>>,
    ) -> Result<Option<Vec<u32>>> {
        self.common.take_room(usage)?;
        let uids = self.work(|state, now| {
            let Some(added) = work(state, now)? else { return Ok(None) };
            state.added(&self.common.ledger, &added)?;
            Ok(Some(added.iter().map(|added| added.seen.uid).collect::<Vec<_>>()))
        });
        match uids {
            Ok(Some(_)) => self.common.came(usage),
            _ => self.common.give_back(usage),
        }
        uids
    }

    /// Links the messages into this mailbox, where they are files. Twice, because a file may have got another name
    /// between the look and the link.
    fn link_from(&self, from: &Shared<F>, uids: &UidSet) -> Result<Option<CopyOutcome>> {
        let mut last = Error::NoMessage;
        for _ in 0..3 {
            let Some(sources) = from.sources(uids)? else { return Ok(None) };
            let usage = Usage {
                bytes: sources.iter().map(|(_, source)| u64::from(source.facts.size)).sum(),
                messages: sources.len() as u64,
            };
            let (old, files): (Vec<u32>, Vec<Source>) = sources.into_iter().unzip();
            let linked = self.put(usage, |state, now| state.files.link(&files, &mut state.words, now));
            match linked {
                Ok(Some(to)) => {
                    return Ok(Some(CopyOutcome { uidvalidity: self.view().uidvalidity, from: old, to }));
                }
                Ok(None) => return Ok(None),
                Err(error @ Error::NoMessage) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Removes messages and says so in the ledger and the view.
    pub(super) fn remove(&self, wanted: impl FnOnce(&View) -> Vec<u32>) -> Result<UidSet> {
        let mut usage = Usage::default();
        let gone = self.work(|state, now| {
            let uids = wanted(&state.view);
            if uids.is_empty() {
                return Ok(UidSet::new());
            }
            let gone = state.files.expunge(&uids, now)?;
            usage.messages = gone.len() as u64;
            usage.bytes =
                gone.iter().filter_map(|uid| state.view.find(*uid)).map(|entry| u64::from(entry.size)).sum();
            state.apply(&self.common.ledger, &[], &gone, false)?;
            Ok(gone.into_iter().collect())
        })?;
        self.common.counted(usage, false);
        Ok(gone)
    }
}

impl<F: Files> Mailbox for Shared<F> {
    fn name(&self) -> Name {
        lock(&self.name).clone()
    }

    fn mailbox_id(&self) -> String {
        self.guid.clone()
    }

    fn email_id(&self, entry: &Entry) -> Option<String> {
        Some(format!("M{:016x}", entry.key))
    }

    fn thread_id(&self, _entry: &Entry) -> Result<Option<String>> {
        Ok(None)
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&lock(&self.view))
    }

    fn refresh(&self) -> Result<Arc<View>> {
        self.work(|state, _| Ok(Arc::clone(&state.view)))
    }

    fn watch(&self) -> &Watch {
        &self.watch
    }

    fn claim_recent(&self) -> Result<u32> {
        self.work(|state, now| {
            let from = state.view.recent_from;
            if from < state.view.uidnext {
                state.files.claim_recent(now)?;
                state.set_recent(&self.common.ledger, state.view.uidnext)?;
            }
            let mut editor = state.view.edit();
            editor.head().recent_from = editor.head().uidnext;
            state.view = Arc::new(editor.finish());
            Ok(from)
        })
    }

    fn body(&self, uid: u32) -> Result<Bytes> {
        // A look at directories costs more than the message itself; it is taken where the message is not found.
        if F::FINDS && !self.gone.load(Ordering::Acquire) {
            let now = (self.common.clock)();
            if let Ok(Some(body)) = lock(&self.state).files.body(uid, now) {
                return Ok(body);
            }
        }
        self.work(|state, now| state.files.body(uid, now)?.ok_or(Error::NoMessage))
    }

    fn summaries(&self, uids: &[u32], each: &mut dyn FnMut(u32, Summary) -> bool) -> Result<()> {
        self.read_summaries(uids, each)
    }

    fn headers(&self, uids: &[u32], each: &mut dyn FnMut(u32, Bytes) -> bool) -> Result<()> {
        self.read_headers(uids, each)
    }

    fn append(&self, messages: &[NewMessage]) -> Result<Vec<u32>> {
        let usage = Usage {
            bytes: messages.iter().map(|message| message.content.len() as u64).sum(),
            messages: messages.len() as u64,
        };
        let uids = self
            .put(usage, |state, now| state.files.append(messages, false, &mut state.words, now).map(Some))?;
        self.common.watch.ring();
        Ok(uids.unwrap_or_default())
    }

    fn store(&self, uids: &UidSet, change: &FlagChange) -> Result<StoreOutcome> {
        self.work(|state, now| {
            let mut outcome = StoreOutcome::default();
            let mut mask = 0;
            for word in &change.keywords {
                mask |= match state.words.bit(word) {
                    Some(bit) => bit,
                    // What is not there need not be removed.
                    None if change.mode == crate::Mode::Remove => 0,
                    None => return Err(Error::Limit("64 keywords in a mailbox, 255 octets each")),
                };
            }
            let view = Arc::clone(&state.view);
            let mut changes: Vec<(u32, Flags, u64)> = Vec::new();
            for entry in uids
                .ranges()
                .flat_map(|range| view.uid_range(*range.start(), *range.end()))
                .map(|(_, entry)| entry)
            {
                if change.unchanged_since.is_some_and(|modseq| entry.modseq > modseq) {
                    outcome.modified.insert(entry.uid, entry.uid);
                    continue;
                }
                outcome.stored.push(entry.uid);
                let (flags, keywords) = change.apply(entry.flags, entry.keywords, mask);
                if (flags, keywords) != (entry.flags, entry.keywords) {
                    changes.push((entry.uid, flags, keywords));
                }
            }
            if changes.is_empty() {
                return Ok(outcome);
            }
            let done = state.files.set_flags(&changes, &state.words, now)?;
            let modseq = state.next_modseq();
            let changed = changes.iter().filter(|(uid, ..)| done.binary_search(uid).is_ok());
            let changed: Vec<Entry> = changed
                .filter_map(|(uid, flags, keywords)| {
                    Some(Entry { flags: *flags, keywords: *keywords, modseq, ..*view.find(*uid)? })
                })
                .collect();
            state.apply(&self.common.ledger, &changed, &[], false)?;
            Ok(outcome)
        })
    }

    fn copy(&self, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome> {
        if let Some(to) = to.as_any().downcast_ref::<Shared<F>>()
            && let Some(outcome) = to.link_from(self, uids)?
        {
            return Ok(outcome);
        }
        self.refresh()?;
        crate::copy::by_reading(self, uids, to)
    }

    fn move_to(&self, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome> {
        match to.as_any().downcast_ref::<Shared<F>>() {
            Some(to) => self.move_within(uids, to),
            None => crate::copy::move_by_reading(self, uids, to),
        }
    }

    fn renumber(&self, uidvalidity: u32, uidnext: u32) -> Result<()> {
        self.work(|state, now| {
            let view = &state.view;
            let anew = uidvalidity != view.uidvalidity;
            if anew && !view.is_empty() {
                return Err(Error::Unsupported(crate::mailbox::NOT_EMPTY));
            }
            if !anew && uidnext <= view.uidnext {
                return Ok(());
            }
            state.files.renumber(uidvalidity, uidnext, now)?;
            state.refresh(self.ledger(), now).map(drop)
        })
    }

    fn expunge(&self, uids: Option<&UidSet>) -> Result<UidSet> {
        self.remove(|view| {
            let deleted = view.iter().filter(|entry| entry.flags.has(Flags::DELETED));
            deleted.map(|entry| entry.uid).filter(|uid| uids.is_none_or(|uids| uids.contains(*uid))).collect()
        })
    }

    fn vanished_since(&self, modseq: u64) -> Result<UidSet> {
        let view = self.refresh()?;
        if let Some(vanished) = self.ledger().vanished(self.id, modseq)? {
            return Ok(vanished);
        }
        // Every UID below UIDNEXT that is not there.
        let mut missing = UidSet::new();
        let mut next = 1;
        for entry in view.iter() {
            if next < entry.uid {
                missing.insert(next, entry.uid - 1);
            }
            next = entry.uid + 1;
        }
        if next < view.uidnext {
            missing.insert(next, view.uidnext - 1);
        }
        Ok(missing)
    }

    fn find_text(&self, within: Within<'_>, needle: &str, among: &[u32]) -> Result<Vec<u32>> {
        crate::search::by_reading(self, within, needle, among)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<F: Files> Shared<F> {
    /// Is this message among those with this UID and above?
    pub(super) fn has(&self, content: &Bytes, from: u32) -> Result<bool> {
        let view = self.refresh()?;
        for (_, entry) in view.uid_range(from, u32::MAX) {
            if entry.size as usize == content.len() && self.body(entry.uid).is_ok_and(|body| body == *content)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a delivery in: the recent messages of whoever looks next.
    pub(super) fn receive(&self, message: NewMessage) -> Result<()> {
        let usage = Usage { bytes: message.content.len() as u64, messages: 1 };
        self.put(usage, |state, now| state.files.append(&[message], true, &mut state.words, now).map(Some))
            .map(drop)
    }
}
