//! MOVE: whoever is killed in the middle leaves each message in one mailbox, and in one only.
//!
//! Where messages are files they are renamed. Else they are copied, then removed, and the ledger has a note as long as
//! that takes: who finds one whose process is no more removes what is in both.

use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use rusqlite::params;

use super::ledger::{Ledger, failed};
use super::mailbox::lock;
use super::{Added, Files, Household, Shared, Source, Tree};
use crate::{CopyOutcome, Error, Mailbox, Name, Result, UidSet, Usage};

/// A move under way.
struct Note {
    id: i64,
    process: i32,
    /// Names, as the ledger has them.
    source: String,
    target: String,
    /// Of the target, before the first copy.
    uidnext: u32,
    /// In the source.
    uids: Vec<u32>,
}

impl Ledger {
    /// Notes that messages go from one mailbox to another.
    fn moving(&self, source: &str, target: &str, uidnext: u32, uids: &UidSet) -> Result<i64> {
        let connection = self.lock();
        let put = "INSERT INTO moving (process, source, target, uidnext, uids) VALUES (?1, ?2, ?3, ?4, ?5)";
        let process = std::process::id();
        connection
            .execute(put, params![process, source, target, uidnext, uids.to_string()])
            .map_err(failed)?;
        Ok(connection.last_insert_rowid())
    }

    /// They are there.
    fn moved(&self, id: i64) -> Result<()> {
        self.lock().execute("DELETE FROM moving WHERE id = ?1", [id]).map(drop).map_err(failed)
    }

    fn notes(&self) -> Result<Vec<Note>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT id, process, source, target, uidnext, uids FROM moving")
            .map_err(failed)?;
        let rows = statement.query_map([], |row| {
            let uids: String = row.get(5)?;
            Ok(Note {
                id: row.get(0)?,
                process: row.get(1)?,
                source: row.get(2)?,
                target: row.get(3)?,
                uidnext: row.get(4)?,
                uids: numbers(&uids),
            })
        });
        rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
    }
}

/// The numbers of a set such as `1:3,7`.
fn numbers(text: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

impl<T: Tree> Household<T> {
    /// Ends the moves that others could not end.
    pub(super) fn end_moves(&self) -> Result<()> {
        for note in self.ledger().notes()? {
            if kill(Pid::from_raw(note.process), None) != Err(Errno::ESRCH) {
                continue;
            }
            match self.end_move(&note) {
                // Where there is only one mailbox left, nothing is in two.
                Ok(()) | Err(Error::NoMailbox | Error::Gone) => self.ledger().moved(note.id)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn end_move(&self, note: &Note) -> Result<()> {
        let open = |name: &str| self.shared(&Name::new(name)?);
        let (source, target) = (open(&note.source)?, open(&note.target)?);
        let mut there = Vec::new();
        for uid in &note.uids {
            match source.body(*uid) {
                Ok(body) if target.has(&body, note.uidnext)? => there.push(*uid),
                Ok(_) | Err(Error::NoMessage) => {}
                Err(error) => return Err(error),
            }
        }
        if !there.is_empty() {
            log::info!("{}: ended the move of {} messages to {}", note.source, there.len(), note.target);
            source.remove(|_| there)?;
        }
        Ok(())
    }
}

impl<F: Files> Shared<F> {
    /// Moves messages into another mailbox in files of the same kind.
    pub(super) fn move_within(&self, uids: &UidSet, to: &Shared<F>) -> Result<CopyOutcome> {
        if let Some(outcome) = to.take_from(self, uids)? {
            return Ok(outcome);
        }
        if !Arc::ptr_eq(&self.common, &to.common) {
            return crate::copy::move_by_reading(self, uids, to);
        }
        // What `*` means must not change once it is noted.
        let view = self.refresh()?;
        let uids: UidSet = view.iter().map(|entry| entry.uid).filter(|uid| uids.contains(*uid)).collect();
        let uidnext = to.refresh()?.uidnext;
        let note = self.ledger().moving(self.name().as_str(), to.name().as_str(), uidnext, &uids)?;
        let moved = self.copy(&uids, to).and_then(|outcome| match self.remove(|_| outcome.from.clone()) {
            Ok(_) => Ok(outcome),
            Err(error) => {
                // What is in both is rather here alone.
                let both = outcome.from.iter().zip(&outcome.to).filter(|(uid, _)| self.still_has(**uid));
                let both: Vec<u32> = both.map(|(_, copy)| *copy).collect();
                to.remove(|_| both)?;
                Err(error)
            }
        });
        // Where even that has failed the note stays, for a process that is better off.
        if moved.is_ok() || to.view().uidnext == uidnext {
            self.ledger().moved(note)?;
        }
        moved
    }

    /// Takes the files of messages over; `None` where they are no files, or cannot be renamed.
    fn take_from(&self, from: &Shared<F>, uids: &UidSet) -> Result<Option<CopyOutcome>> {
        let mut outcome = CopyOutcome::default();
        let mut left = uids.clone();
        // More than once, because a file may have got another name between the look and the move.
        for _ in 0..3 {
            let Some(sources) = from.sources(&left)? else { return Ok(None) };
            if sources.is_empty() {
                break;
            }
            let (old, files): (Vec<u32>, Vec<Source>) = sources.into_iter().unzip();
            // Within an account nothing becomes more.
            let room = weight(files.iter().map(|file| file.facts.size));
            let other = !Arc::ptr_eq(&self.common, &from.common);
            if other {
                self.common.take_room(room)?;
            }
            let taken = self.work(|state, now| {
                let Some(taken) = state.files.take(&files, &mut state.words, now)? else { return Ok(None) };
                let added: Vec<Added> = taken.iter().map(|(_, added)| *added).collect();
                state.added(self.ledger(), &added)?;
                Ok(Some(taken))
            });
            if other {
                self.common.give_back(room);
            }
            let Some(taken) = taken? else {
                if outcome.from.is_empty() {
                    return Ok(None);
                }
                break;
            };
            let gone: Vec<u32> = taken.iter().map(|(at, _)| old[*at]).collect();
            let usage = weight(taken.iter().map(|(_, added)| added.facts.size));
            from.gone_elsewhere(&gone)?;
            self.common.counted(usage, true);
            from.common.counted(usage, false);
            left = old.into_iter().filter(|uid| gone.binary_search(uid).is_err()).collect();
            outcome.from.extend(gone);
            outcome.to.extend(taken.iter().map(|(_, added)| added.seen.uid));
            if left.is_empty() {
                break;
            }
        }
        outcome.uidvalidity = self.view().uidvalidity;
        Ok(Some(outcome))
    }

    /// Is it in the files, whatever the ledger says?
    fn still_has(&self, uid: u32) -> bool {
        matches!(lock(&self.state).files.body(uid, (self.common.clock)()), Ok(Some(_)))
    }

    /// These messages are in another mailbox now: says so in the ledger and the view.
    fn gone_elsewhere(&self, uids: &[u32]) -> Result<()> {
        let mut state = lock(&self.state);
        state.files.let_go(uids, (self.common.clock)())?;
        let known: Vec<u32> = uids.iter().copied().filter(|uid| state.view.find(*uid).is_some()).collect();
        let done = state.apply(self.ledger(), &[], &known, false);
        self.publish(&state);
        done
    }
}

fn weight(sizes: impl Iterator<Item = u32>) -> Usage {
    sizes.fold(Usage::default(), |sum, size| Usage {
        bytes: sum.bytes + u64::from(size),
        messages: sum.messages + 1,
    })
}
