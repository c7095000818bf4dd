//! From what the files show to the next view, with MODSEQs.

use std::sync::Arc;

use super::ledger::{Book, Change, Ledger};
use super::{Added, Facts, Files, Listing, Seen, Words};
use crate::{Entry, Result, View};

/// A mailbox as one thread at a time works on it.
pub(super) struct State<F> {
    pub files: F,
    pub book: Book,
    pub words: Words,
    pub view: Arc<View>,
    /// [`Ledger::version`] when the ledger was last read.
    version: i64,
    /// Was the ledger read at all?
    read: bool,
}

impl<F: Files> State<F> {
    pub fn new(files: F, book: Book) -> State<F> {
        let words = Words::new(&book.keywords);
        State { files, book, words, view: Arc::new(View::default()), version: 0, read: false }
    }

    /// Looks at the files, and at what other processes wrote into the ledger. True where the view is a new one.
    pub fn refresh(&mut self, ledger: &Ledger, now: i64) -> Result<bool> {
        let version = ledger.version()?;
        let listing = self.files.look(&mut self.words, now)?;
        if self.read && listing.is_none() {
            // What others wrote is about messages that look as before, or will be seen at the next look.
            return Ok(false);
        }
        if !self.read || version != self.version {
            self.load(ledger, version)?;
        }
        let Some(listing) = listing else { return Ok(true) };
        self.take(ledger, &listing)
    }

    /// Takes the last state from the ledger.
    fn load(&mut self, ledger: &Ledger, version: i64) -> Result<()> {
        let known = ledger.messages(self.book.id)?;
        let names: Vec<Arc<str>> = self.words.all().to_vec();
        let modseq = known.iter().map(|entry| entry.modseq).max().unwrap_or(0).max(self.book.modseq);
        let uidnext = known.last().map_or(1, |entry| entry.uid + 1).max(self.view.uidnext);
        let mut editor = View::new(self.book.uidvalidity, uidnext, modseq, names).edit();
        known.into_iter().for_each(|entry| editor.push(entry));
        let mut view = editor.finish();
        view.recent_from = self.view.recent_from;
        self.view = Arc::new(view);
        self.version = version;
        self.read = true;
        Ok(())
    }

    /// Makes the view what the files show.
    fn take(&mut self, ledger: &Ledger, listing: &Listing) -> Result<bool> {
        let anew = self.view.uidvalidity != listing.uidvalidity;
        if anew {
            let modseq = self.view.modseq.max(self.book.modseq);
            let names = self.words.all().to_vec();
            self.view = Arc::new(View::new(listing.uidvalidity, listing.uidnext, modseq, names));
        }
        let modseq = self.view.modseq.max(self.book.modseq) + 1;
        let mut changed = Vec::new();
        let mut gone = Vec::new();
        let mut fresh = Vec::new();
        {
            let mut known = self.view.iter().peekable();
            for seen in &listing.messages {
                while let Some(old) = known.next_if(|old| old.uid < seen.uid) {
                    gone.push(old.uid);
                }
                match known.next_if(|old| old.uid == seen.uid) {
                    Some(old)
                        if (old.flags, old.keywords, old.key) == (seen.flags, seen.keywords, seen.key) => {}
                    Some(old) => changed.push(Entry {
                        flags: seen.flags,
                        keywords: seen.keywords,
                        key: seen.key,
                        modseq,
                        ..*old
                    }),
                    None => fresh.push(*seen),
                }
            }
            gone.extend(known.map(|old| old.uid));
        }
        for seen in fresh {
            // One that is gone again before it was looked at never was here.
            if let Some(facts) = self.files.facts(seen.uid)? {
                changed.push(entry(seen, facts, modseq));
            }
        }
        if anew || self.book.recent == 0 {
            self.set_recent(ledger, listing.recent_from)?;
        }
        // Neither taken by a session of ours, nor, as far as the files tell, by one of another program.
        let recent_from = listing.recent_from.min(self.book.recent);
        let same = changed.is_empty() && gone.is_empty() && !anew;
        if same && self.view.uidnext >= listing.uidnext && self.view.recent_from == recent_from {
            return Ok(false);
        }
        self.apply(ledger, &changed, &gone, anew)?;
        let mut editor = self.view.edit();
        editor.head().uidnext = editor.head().uidnext.max(listing.uidnext);
        editor.head().recent_from = recent_from;
        self.view = Arc::new(editor.finish());
        Ok(true)
    }

    /// From this UID on messages were in no session yet.
    pub fn set_recent(&mut self, ledger: &Ledger, uid: u32) -> Result<()> {
        self.book.recent = uid;
        ledger.set_recent(self.book.id, uid)
    }

    /// What was put in.
    pub fn added(&mut self, ledger: &Ledger, added: &[Added]) -> Result<()> {
        let modseq = self.next_modseq();
        let entries: Vec<Entry> = added.iter().map(|added| entry(added.seen, added.facts, modseq)).collect();
        self.apply(ledger, &entries, &[], false)
    }

    /// The MODSEQ of the next change.
    pub fn next_modseq(&self) -> u64 {
        self.view.modseq.max(self.book.modseq) + 1
    }

    /// Writes changes into the ledger, and into the next view.
    pub fn apply(&mut self, ledger: &Ledger, changed: &[Entry], gone: &[u32], anew: bool) -> Result<()> {
        let modseq =
            if changed.is_empty() && gone.is_empty() { self.view.modseq } else { self.next_modseq() };
        ledger.change(
            self.book.id,
            &Change {
                uidvalidity: self.view.uidvalidity,
                modseq,
                keywords: self.words.all().iter().map(ToString::to_string).collect(),
                changed,
                gone,
                anew,
            },
        )?;
        self.book.uidvalidity = self.view.uidvalidity;
        let mut editor = self.view.edit();
        // Words are never more than a view may have, nor too long.
        editor.keyword_bits(self.words.all().iter().map(|name| &**name))?;
        if !gone.is_empty() {
            editor.remove(&gone.iter().copied().collect());
        }
        let last = self.view.iter().last().map_or(0, |entry| entry.uid);
        for entry in changed {
            match entry.uid > last {
                true => editor.push(*entry),
                false => editor.insert(*entry),
            }
        }
        editor.head().modseq = modseq.max(editor.head().modseq);
        self.view = Arc::new(editor.finish());
        Ok(())
    }
}

fn entry(seen: Seen, facts: Facts, modseq: u64) -> Entry {
    Entry {
        uid: seen.uid,
        size: facts.size,
        flags: seen.flags,
        keywords: seen.keywords,
        modseq,
        received: facts.received,
        saved: facts.saved,
        key: seen.key,
    }
}
