//! One change of the catalogue and of the views that are open: both or none.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::params;

use super::catalogue::{BoxRow, Catalogue};
use super::shared::Shared;
use crate::{Editor, Entry, Error, Result, UidSet};

/// UIDs made durable ahead of use at a time.
const RESERVED: u32 = 1000;
/// Ranges of vanished UIDs that a mailbox remembers.
const REMEMBERED: i64 = 10_000;

/// A change; nothing of it has happened until [`Change::commit`].
pub(crate) struct Change<'a> {
    pub(crate) catalogue: &'a Catalogue,
    open: &'a HashMap<i64, Arc<Shared>>,
    held: Vec<Held>,
    must_sync: bool,
    committed: bool,
}

/// A mailbox that is changed.
struct Held {
    row: BoxRow,
    bumped: bool,
    editor: Option<Editor>,
}

impl<'a> Change<'a> {
    /// What follows [`Catalogue::begin`].
    pub(crate) fn begun(catalogue: &'a Catalogue, open: &'a HashMap<i64, Arc<Shared>>) -> Change<'a> {
        Change { catalogue, open, held: Vec::new(), must_sync: false, committed: false }
    }

    fn held(&mut self, id: i64) -> Result<&mut Held> {
        if let Some(at) = self.held.iter().position(|held| held.row.id == id) {
            return Ok(&mut self.held[at]);
        }
        let row = self.catalogue.box_by_id(id)?.ok_or(Error::Gone)?;
        let editor = self.open.get(&id).map(|shared| shared.view().edit());
        self.held.push(Held { row, bumped: false, editor });
        Ok(self.held.last_mut().expect("pushed above"))
    }

    /// A mailbox as it is within this change.
    pub(crate) fn row(&mut self, id: i64) -> Result<&mut BoxRow> {
        Ok(&mut self.held(id)?.row)
    }

    /// The MODSEQ of this change in a mailbox.
    pub(crate) fn modseq(&mut self, id: i64) -> Result<u64> {
        let held = self.held(id)?;
        if !std::mem::replace(&mut held.bumped, true) {
            held.row.modseq += 1;
        }
        Ok(held.row.modseq)
    }

    /// Takes `count` UIDs; gives the first.
    pub(crate) fn take_uids(&mut self, id: i64, count: u32) -> Result<u32> {
        let row = self.row(id)?;
        let first = row.uidnext;
        row.uidnext = first.checked_add(count).ok_or(Error::Limit("UIDs of the mailbox"))?;
        if row.uidnext > row.uidreserved {
            row.uidreserved = row.uidnext.saturating_add(RESERVED);
            self.must_sync = true;
        }
        Ok(first)
    }

    /// A mailbox goes on with other numbers; with another UIDVALIDITY there is nothing in it.
    pub(crate) fn renumber(&mut self, id: i64, uidvalidity: u32, uidnext: u32) -> Result<()> {
        self.modseq(id)?;
        let db = &self.catalogue.db;
        db.execute("UPDATE mailbox SET uidvalidity = ? WHERE id = ?", params![uidvalidity, id])?;
        if self.row(id)?.uidvalidity != uidvalidity {
            db.execute("DELETE FROM vanished WHERE mailbox = ?", [id])?;
        }
        let row = self.row(id)?;
        row.uidvalidity = uidvalidity;
        row.uidnext = uidnext;
        row.uidreserved = uidnext;
        row.recent = row.recent.min(uidnext);
        self.must_sync = true;
        Ok(())
    }

    /// The bits of keywords in a mailbox; new ones are added to it.
    pub(crate) fn keyword_bits(&mut self, id: i64, names: &[String]) -> Result<u64> {
        if names.is_empty() {
            return Ok(0);
        }
        let catalogue = self.catalogue;
        let held = self.held(id)?;
        let mut detached;
        let editor = match &mut held.editor {
            Some(editor) => editor,
            None => {
                detached = catalogue.keywords(&held.row)?.edit();
                &mut detached
            }
        };
        let known = editor.head().keywords().len();
        let bits = editor.keyword_bits(names.iter().map(String::as_str))?;
        for (bit, name) in editor.head().keywords().iter().enumerate().skip(known) {
            let mut add = catalogue.db.prepare_cached("INSERT INTO keyword VALUES (?, ?, ?)")?;
            add.execute(params![id, bit as i64, &**name])?;
        }
        Ok(bits)
    }

    /// Puts a message in; its UID and MODSEQ come from this change.
    pub(crate) fn insert(&mut self, id: i64, entry: Entry) -> Result<()> {
        let mut insert =
            self.catalogue.db.prepare_cached("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        insert.execute(params![
            id,
            entry.uid,
            entry.key as i64,
            entry.size,
            entry.flags.0,
            entry.keywords as i64,
            entry.modseq as i64,
            entry.received,
            entry.saved
        ])?;
        let held = self.held(id)?;
        held.row.messages += 1;
        held.row.bytes += u64::from(entry.size);
        if let Some(editor) = &mut held.editor {
            editor.push(entry);
        }
        Ok(())
    }

    /// Sets what a run of messages has in common: of the messages of `run`, which follow one another in the
    /// mailbox, all that are changed. `keep` are the bits left as they are.
    pub(crate) fn set_flags(
        &mut self,
        id: i64,
        run: &[Entry],
        keep: (u8, u64),
        set: (u8, u64),
    ) -> Result<()> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let modseq = self.modseq(id)?;
        let mut update = self.catalogue.db.prepare_cached(
            "UPDATE message SET flags = (flags & ?) | ?, keywords = (keywords & ?) | ?, modseq = ? \
             WHERE mailbox = ? AND uid BETWEEN ? AND ?",
        )?;
        update.execute(params![
            keep.0,
            set.0,
            keep.1 as i64,
            set.1 as i64,
            modseq as i64,
            id,
            first.uid,
            last.uid
        ])?;
        if let Some(editor) = &mut self.held(id)?.editor {
            for entry in run {
                editor.update(entry.uid, |entry| {
                    entry.flags.0 = entry.flags.0 & keep.0 | set.0;
                    entry.keywords = entry.keywords & keep.1 | set.1;
                    entry.modseq = modseq;
                });
            }
        }
        Ok(())
    }

    /// Takes messages out; `runs` are pieces of the mailbox that are removed whole, ascending.
    pub(crate) fn remove(&mut self, id: i64, runs: &[Vec<Entry>]) -> Result<UidSet> {
        let modseq = self.modseq(id)?;
        let db = &self.catalogue.db;
        let mut delete =
            db.prepare_cached("DELETE FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ?")?;
        let mut note = db.prepare_cached("INSERT INTO vanished VALUES (?, ?, ?, ?)")?;
        let (mut uids, mut messages, mut bytes) = (UidSet::new(), 0, 0);
        for run in runs {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            delete.execute(params![id, first.uid, last.uid])?;
            note.execute(params![id, modseq as i64, first.uid, last.uid])?;
            messages += run.len() as u64;
            bytes += run.iter().map(|entry| u64::from(entry.size)).sum::<u64>();
            run.iter().for_each(|entry| uids.insert(entry.uid, entry.uid));
        }
        drop((delete, note));
        self.forget(id)?;
        let held = self.held(id)?;
        held.row.messages = held.row.messages.saturating_sub(messages);
        held.row.bytes = held.row.bytes.saturating_sub(bytes);
        if let Some(editor) = &mut held.editor {
            editor.remove(&uids);
        }
        Ok(uids)
    }

    /// Drops the oldest of too many vanished ranges.
    fn forget(&mut self, id: i64) -> Result<()> {
        let db = &self.catalogue.db;
        let mut count = db.prepare_cached("SELECT count(*) FROM vanished WHERE mailbox = ?")?;
        let ranges: i64 = count.query_row([id], |row| row.get(0))?;
        if ranges <= REMEMBERED {
            return Ok(());
        }
        let mut oldest = db.prepare_cached(
            "SELECT modseq FROM vanished WHERE mailbox = ? ORDER BY modseq LIMIT 1 OFFSET ?",
        )?;
        let upto: i64 = oldest.query_row(params![id, ranges - REMEMBERED / 2], |row| row.get(0))?;
        db.prepare_cached("DELETE FROM vanished WHERE mailbox = ? AND modseq <= ?")?
            .execute(params![id, upto])?;
        self.row(id)?.forgotten = upto as u64;
        Ok(())
    }

    /// Makes it happen. The views are the new ones and their watches have rung when this returns.
    pub(crate) fn commit(mut self) -> Result<()> {
        for held in &self.held {
            let row = &held.row;
            let mut save = self.catalogue.db.prepare_cached(
                "UPDATE mailbox SET uidnext = ?, uidreserved = ?, modseq = ?, recent = ?, forgotten = ?, \
                 messages = ?, bytes = ? WHERE id = ?",
            )?;
            save.execute(params![
                row.uidnext,
                row.uidreserved,
                row.modseq as i64,
                row.recent,
                row.forgotten as i64,
                row.messages as i64,
                row.bytes as i64,
                row.id
            ])?;
        }
        self.catalogue.db.prepare_cached("COMMIT")?.execute([])?;
        self.committed = true;
        if !self.held.is_empty() {
            self.catalogue.note_own_commit();
        }
        // Nobody has seen the new UIDs yet.
        let synced = if self.must_sync { self.catalogue.sync() } else { Ok(()) };
        for held in std::mem::take(&mut self.held) {
            let Some(mut editor) = held.editor else { continue };
            editor.head().uidvalidity = held.row.uidvalidity;
            editor.head().uidnext = held.row.uidnext;
            editor.head().modseq = held.row.modseq;
            editor.head().recent_from = held.row.recent;
            if let Some(shared) = self.open.get(&held.row.id) {
                shared.publish(editor.finish());
            }
        }
        synced
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.catalogue.roll_back();
        }
    }
}
