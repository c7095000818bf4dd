//! Getting rid of bodies that no mailbox holds any more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::params;

use super::super::account::FacteurAccount;
use super::super::bodies::{BodyFile, Piece};
use super::super::enter;
use super::super::record::{FILE_HEAD, Meta};
use super::super::scan::{self, Found, Record};
use crate::{Flags, Result};

/// Bytes moved while the account is held.
const AT_ONCE: u64 = 8 << 20;
/// Dead bytes from which on it is worth the work.
const WORTH: u64 = 64 << 20;

/// One account at a time: this is work for quiet hours.
static BUSY: Mutex<()> = Mutex::new(());

/// Reads the intact records of a file, each with its length.
fn each_record(file: &BodyFile, end: u64, mut each: impl FnMut(Record, u64) -> Result<()>) -> Result<()> {
    let mut at = FILE_HEAD as u64;
    loop {
        match scan::find(file, at, end)? {
            Found::End => return Ok(()),
            Found::Damage { to, .. } => at = to,
            Found::Record(record) => {
                let len = record.next - at;
                at = record.next;
                each(*record, len)?;
            }
        }
    }
}

/// A body that some mailbox holds, and how it looks there.
struct Live {
    id: i64,
    mailbox: String,
    flags: Flags,
    received: i64,
    saved: i64,
}

impl FacteurAccount {
    /// Begins to compact on a thread of its own when enough was removed.
    pub(in super::super) fn compact_some_time(&self) {
        let due = self.enter().and_then(|inside| {
            let dead = inside.catalogue().state("dead")? as u64;
            Ok(dead > WORTH && dead > inside.usage()?.bytes / 2)
        });
        let idle = BUSY.try_lock().is_ok();
        let Some(account) = self.me.upgrade().filter(|_| idle && due.unwrap_or(false)) else { return };
        let started = std::thread::Builder::new().name("compact".to_owned()).spawn(move || {
            if let Err(error) = account.compact() {
                log::warn!(target: "store", "{}: compact: {error}", account.root.display());
            }
        });
        if let Err(error) = started {
            log::warn!(target: "store", "compact: {error}");
        }
    }

    /// Moves what is still needed out of files that are mostly dead, and removes these; gives the bytes freed.
    pub(super) fn compact(&self) -> Result<u64> {
        let _alone = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        self.close_file()?;
        let mut freed = 0;
        for number in self.bodies.numbers()? {
            let live = self.live(number)?;
            let file = self.bodies.file(number)?;
            let end = file.len()?;
            let mut needed = 0;
            each_record(&file, end, |record, len| {
                needed += if live.contains_key(&record.spot.at) { len } else { 0 };
                Ok(())
            })?;
            if needed > end / 2 {
                continue;
            }
            let (mut batch, mut held) = (Vec::new(), 0);
            each_record(&file, end, |record, len| {
                let Some(known) = live.get(&record.spot.at) else { return Ok(()) };
                held += len;
                batch.push((known, record));
                if held < AT_ONCE {
                    return Ok(());
                }
                held = 0;
                self.move_here(&std::mem::take(&mut batch))
            })?;
            self.move_here(&batch)?;
            if self.forget(number)? {
                self.bodies.remove(number)?;
                freed += end - needed;
            }
        }
        let mut inside = self.enter()?;
        let change = inside.change()?;
        change.catalogue.set_state("dead", 0)?;
        change.commit()?;
        Ok(freed)
    }

    /// Begins a new file, so that all bodies there are now lie in old ones.
    fn close_file(&self) -> Result<()> {
        let mut inside = self.enter()?;
        let mut change = inside.change()?;
        let mut tail = self.bodies.tail()?;
        enter::catch_up(&mut change, &mut tail, (self.settings.clock)())?;
        if tail.len > FILE_HEAD as u64 {
            tail.rotate()?;
            enter::entered_up_to(&change, tail.file.number, tail.len)?;
        }
        change.commit()
    }

    /// The bodies in a file that are needed, by their offset.
    fn live(&self, number: u32) -> Result<HashMap<u64, Live>> {
        let inside = self.enter()?;
        let mut all = inside.catalogue().db.prepare(
            "SELECT body.at, body.id, mailbox.name, message.flags, message.received, message.saved \
             FROM message JOIN body ON body.id = message.body JOIN mailbox ON mailbox.id = message.mailbox \
             WHERE body.file = ?",
        )?;
        let rows = all.query_map([number], |row| {
            let live = Live {
                id: row.get(1)?,
                mailbox: row.get(2)?,
                flags: Flags(row.get(3)?),
                received: row.get(4)?,
                saved: row.get(5)?,
            };
            Ok((row.get::<_, i64>(0)? as u64, live))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Appends records again and lets the catalogue point to the new ones. Should we be killed in between, the new
    /// ones are passed over.
    fn move_here(&self, batch: &[(&Live, Record)]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut inside = self.enter()?;
        let mut change = inside.change()?;
        let mut tail = self.bodies.tail()?;
        enter::catch_up(&mut change, &mut tail, (self.settings.clock)())?;
        let piece = |(live, record): &(&Live, Record)| {
            let meta = Meta {
                moved: true,
                create: true,
                flags: live.flags,
                received: live.received,
                saved: live.saved,
                mailbox: live.mailbox.clone(),
                ..Meta::default()
            };
            (meta, record.content.clone())
        };
        let pieces: Vec<_> = batch.iter().map(piece).collect();
        let pieces: Vec<_> =
            pieces.iter().map(|(meta, content)| Piece { meta: meta.clone(), content }).collect();
        let spots = tail.append(&pieces)?;
        tail.sync()?;
        for (spot, (live, _)) in spots.iter().zip(batch) {
            change
                .catalogue
                .db
                .prepare_cached("UPDATE body SET file = ?, at = ? WHERE id = ?")?
                .execute(params![spot.file, spot.at as i64, live.id])?;
        }
        enter::entered_up_to(&change, tail.file.number, tail.len)?;
        change.commit()
    }

    /// Drops the bodies that still lie in a file, if no mailbox holds one of them; gives whether the file may go.
    fn forget(&self, number: u32) -> Result<bool> {
        let mut inside = self.enter()?;
        let change = inside.change()?;
        let db = &change.catalogue.db;
        let held: i64 = db.query_row(
            "SELECT count(*) FROM message JOIN body ON body.id = message.body WHERE body.file = ?",
            [number],
            |row| row.get(0),
        )?;
        if held > 0 {
            return Ok(false);
        }
        for table in ["signature", "fields"] {
            let gone = "(SELECT id FROM body WHERE file = ?)";
            db.execute(&format!("DELETE FROM {table} WHERE body IN {gone}"), [number])?;
        }
        db.execute("DELETE FROM body WHERE file = ?", [number])?;
        change.commit()?;
        // The file must not be gone before the catalogue has durably let go of it.
        inside.catalogue().sync()?;
        Ok(true)
    }
}
