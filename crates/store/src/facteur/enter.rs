//! Entering records of the body files into the catalogue.

use rusqlite::params;

use super::bodies::{FILE_SIZE, Tail};
use super::change::Change;
use super::inside::Inside;
use super::record::{FILE_HEAD, Meta};
use super::scan::{self, Found, Record};
use super::summary::Kept;
use crate::{Entry, Name, Result};

/// How long a delivery is remembered, in seconds: longer than a queue tries.
const REMEMBERED: i64 = 30 * 86400;
/// Memory spent on the records of one APPEND, in bytes, while the last of them is looked for.
const TOGETHER: usize = 256 << 20;

impl Inside<'_> {
    /// Enters everything that was delivered.
    pub(super) fn enter_deliveries(&mut self) -> Result<()> {
        let account = self.account;
        let mut change = self.change()?;
        let mut tail = account.bodies.tail()?;
        let entered = catch_up(&mut change, &mut tail, (account.settings.clock)())?;
        change.commit()?;
        let upto = tail.entered();
        drop(tail);
        self.state.entered = Some(upto);
        self.state.waiting = 0;
        if entered {
            account.watch.ring();
        }
        Ok(())
    }
}

/// Enters the records that are not yet, and begins a new file when this one is full; gives whether there were any.
pub(super) fn catch_up(change: &mut Change<'_>, tail: &mut Tail<'_>, now: i64) -> Result<bool> {
    let catalogue = change.catalogue;
    let (mut number, mut at) = (catalogue.state("file")? as u32, catalogue.state("offset")? as u64);
    let mut any = false;
    if (number, at) != (tail.file.number, tail.len) {
        // What is entered must not be forgotten by the disk: the delivery would not be repeated.
        tail.sync()?;
    }
    while number <= tail.file.number {
        let (file, end) = match number == tail.file.number {
            true => (tail.file.clone(), tail.len),
            false => {
                let file = tail.old_file(number)?;
                let end = file.len()?;
                (file, end)
            }
        };
        let mut group: Vec<Record> = Vec::new();
        loop {
            match scan::find(&file, at, end)? {
                Found::End => break,
                Found::Damage { from, to } => {
                    log::warn!(target: "store", "{}: bytes {from} to {to} are damaged", file.path().display());
                    group.clear();
                    at = to;
                }
                Found::Record(record) => {
                    at = record.next;
                    let more = record.meta.more;
                    group.push(*record);
                    let held: usize = group.iter().map(|record| record.content.len()).sum();
                    if !more || held > TOGETHER {
                        for record in group.drain(..) {
                            any |= !record.meta.moved && enter(change, &record, now)?;
                        }
                    }
                }
            }
        }
        if number < tail.file.number {
            number += 1;
            at = FILE_HEAD as u64;
        } else {
            break;
        }
    }
    if tail.len > FILE_SIZE {
        tail.rotate()?;
        catalogue.db.execute("DELETE FROM delivery WHERE saved < ?", [now - REMEMBERED])?;
        (number, at) = (tail.file.number, tail.len);
    }
    entered_up_to(change, number, at)?;
    Ok(any)
}

/// Notes up to where everything is entered.
pub(super) fn entered_up_to(change: &Change<'_>, number: u32, at: u64) -> Result<()> {
    change.catalogue.set_state("file", number.into())?;
    change.catalogue.set_state("offset", at as i64)
}

/// Enters one record; gives whether it is a message that was not there.
pub(super) fn enter(change: &mut Change<'_>, record: &Record, now: i64) -> Result<bool> {
    let catalogue = change.catalogue;
    if let Some(delivery) = &record.meta.delivery {
        let mut note = catalogue.db.prepare_cached("INSERT OR IGNORE INTO delivery VALUES (?, ?)")?;
        if note.execute(params![delivery, now])? == 0 {
            return Ok(false);
        }
    }
    let id = destination(change, &record.meta, now)?;
    put(change, id, record, &record.meta)?;
    Ok(true)
}

/// The mailbox a record goes to.
fn destination(change: &mut Change<'_>, meta: &Meta, now: i64) -> Result<i64> {
    let catalogue = change.catalogue;
    let name = Name::new(&meta.mailbox).unwrap_or_else(|_| Name::inbox());
    if let Some(row) = catalogue.find_box(&name)? {
        return Ok(row.id);
    }
    if meta.create {
        return catalogue.add_box(&name, None, now);
    }
    match catalogue.find_box(&Name::inbox())? {
        Some(row) => Ok(row.id),
        None => catalogue.add_box(&Name::inbox(), None, now),
    }
}

fn put(change: &mut Change<'_>, id: i64, record: &Record, meta: &Meta) -> Result<()> {
    let body = Kept::of(&record.content).enter(change.catalogue, None, &record.spot)?;
    // More keywords than a mailbox can have are no reason to lose a message.
    let keywords = change.keyword_bits(id, &meta.keywords).unwrap_or(0);
    let entry = Entry {
        uid: change.take_uids(id, 1)?,
        size: record.spot.len,
        flags: meta.flags,
        keywords,
        modseq: change.modseq(id)?,
        received: meta.received,
        saved: meta.saved,
        key: body as u64,
    };
    change.insert(id, entry)
}
