//! A new catalogue, from the bodies and from what can still be read of the old one.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params, params_from_iter};

use super::super::account::FacteurAccount;
use super::super::change::Change;
use super::super::record::FILE_HEAD;
use super::super::scan::{self, Found, Record};
use super::super::summary::Kept;
use super::super::{catalogue, enter};
use crate::{Clock, Error, Result};

/// What a repair has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Messages that are where they were, with their UIDs and flags.
    pub kept: u64,
    /// Messages that were put where they came to, because nothing else was known of them.
    pub found: u64,
    /// Where the old catalogue lies now.
    pub old: Option<PathBuf>,
    /// What is lost: damaged bodies, and parts of the old catalogue that could not be read.
    pub lost: Vec<String>,
}

/// Tables that are taken over as they are.
const TAKEN: [&str; 7] = ["mailbox", "keyword", "vanished", "delivery", "subscription", "metadata", "acl"];

/// What could be read of the old catalogue.
#[derive(Default)]
struct Old {
    tables: HashMap<&'static str, Vec<Vec<Value>>>,
    /// File and offset of each body, by its number there.
    bodies: HashMap<i64, (i64, i64)>,
    messages: Vec<Vec<Value>>,
    /// The file and offset up to which it had entered everything.
    entered: Option<(i64, i64)>,
    /// All of it was read.
    whole: bool,
}

impl Old {
    /// The highest UID in each mailbox.
    fn highest(&self) -> HashMap<i64, i64> {
        let mut highest = HashMap::new();
        for row in &self.messages {
            if let (Some(mailbox), Some(uid)) = (integer(row, 0), integer(row, 1)) {
                let known = highest.entry(mailbox).or_insert(uid);
                *known = uid.max(*known);
            }
        }
        highest
    }
}

fn integer(row: &[Value], column: usize) -> Option<i64> {
    match row.get(column) {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    }
}

/// Makes a new catalogue. Nobody may use the account meanwhile.
///
/// Where all of the old catalogue can be read, everything is as it was. Else messages that it no longer tells of come
/// back, also such as were removed, and UIDVALIDITY changes, so that no client takes one message for another.
///
/// # Errors
/// When the account cannot be read or written; the old catalogue lies beside the new one.
pub fn repair(root: &Path, clock: Clock) -> Result<Repaired> {
    let account = super::account(root, clock)?;
    let path = catalogue::path(root);
    let mut repaired = Repaired::default();
    let old = if path.exists() { read_old(&path, &mut repaired.lost) } else { Old::default() };
    if path.exists() {
        repaired.old = Some(set_aside(&path)?);
    }
    let now = clock();
    let mut inside = account.enter_anew()?;
    let mut change = inside.change()?;
    let db = &change.catalogue.db;
    if old.tables.get("mailbox").is_some_and(|rows| !rows.is_empty()) {
        db.execute("DELETE FROM mailbox", [])?;
    }
    // Where a message may be missing, its delivery must not count as done.
    for table in TAKEN.into_iter().filter(|table| old.whole || *table != "delivery") {
        for row in old.tables.get(table).into_iter().flatten() {
            let marks = vec!["?"; row.len()].join(", ");
            let sql = format!("INSERT OR IGNORE INTO {table} VALUES ({marks})");
            db.prepare_cached(&sql)?.execute(params_from_iter(row))?;
        }
    }
    let latest: i64 =
        db.query_row("SELECT coalesce(max(uidvalidity), 0) FROM mailbox", [], |row| row.get(0))?;
    change.catalogue.set_state("uidvalidity", latest.max(now))?;
    if !old.whole {
        let sql = "UPDATE mailbox SET uidvalidity = ?1 + id, uidnext = max(uidnext, uidreserved)";
        db.execute(sql, [latest.max(now)])?;
        for (mailbox, uid) in old.highest() {
            db.execute("UPDATE mailbox SET uidnext = max(uidnext, ?2 + 1) WHERE id = ?1", [mailbox, uid])?;
        }
        db.execute("UPDATE mailbox SET uidreserved = max(uidreserved, uidnext)", [])?;
        let last: i64 = db.query_row("SELECT max(uidvalidity) FROM mailbox", [], |row| row.get(0))?;
        change.catalogue.set_state("uidvalidity", last)?;
    }
    enter_all(&account, &mut change, &old, &mut repaired, now)?;
    change.commit()?;
    let change = inside.change()?;
    change.catalogue.recount()?;
    change.commit()?;
    inside.catalogue().sync()?;
    Ok(repaired)
}

/// Enters the records of all body files, each where the old catalogue had it.
fn enter_all(
    account: &FacteurAccount,
    change: &mut Change<'_>,
    old: &Old,
    repaired: &mut Repaired,
    now: i64,
) -> Result<()> {
    let tail = account.bodies.tail()?;
    let places: HashMap<(i64, i64), i64> = old.bodies.iter().map(|(id, place)| (*place, *id)).collect();
    let mut rows: HashMap<i64, Vec<&Vec<Value>>> = HashMap::new();
    let mailboxes: HashSet<i64> =
        old.tables.get("mailbox").into_iter().flatten().filter_map(|row| integer(row, 0)).collect();
    for row in &old.messages {
        if let (Some(mailbox), Some(body)) = (integer(row, 0), integer(row, 2))
            && mailboxes.contains(&mailbox)
        {
            rows.entry(body).or_default().push(row);
        }
    }
    let mut seen = HashSet::new();
    let mut numbers = account.bodies.numbers()?;
    numbers.push(tail.file.number);
    for number in numbers {
        let file = if number == tail.file.number { tail.file.clone() } else { tail.old_file(number)? };
        let end = file.len()?;
        let mut at = FILE_HEAD as u64;
        loop {
            let record: Box<Record> = match scan::find(&file, at, end)? {
                Found::End => break,
                Found::Damage { from, to } => {
                    repaired.lost.push(format!("{}: bytes {from} to {to}", file.path().display()));
                    at = to;
                    continue;
                }
                Found::Record(record) => record,
            };
            at = record.next;
            let place = (i64::from(number), record.spot.at as i64);
            let known = places.get(&place);
            let messages = known.and_then(|id| rows.get(id));
            match messages {
                Some(messages) => {
                    let kept = Kept::of(&record.content);
                    let body = kept.enter(change.catalogue, known.copied(), &record.spot)?;
                    if let Some(delivery) = &record.meta.delivery {
                        let mut note = change
                            .catalogue
                            .db
                            .prepare_cached("INSERT OR IGNORE INTO delivery VALUES (?, ?)")?;
                        note.execute(params![delivery, now])?;
                    }
                    for row in messages {
                        let mut row = (*row).clone();
                        row[2] = Value::Integer(body);
                        let mut put = change.catalogue.db.prepare_cached(
                            "INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        )?;
                        repaired.kept += put.execute(params_from_iter(&row))? as u64;
                    }
                }
                // Removed from all mailboxes, or moved by a compaction.
                None if old.whole && old.entered.is_some_and(|entered| place < entered) => {}
                None if !old.whole
                    && !seen.insert((record.spot.crc, record.meta.received, record.spot.len)) => {}
                None => repaired.found += u64::from(enter::enter(change, &record, now)?),
            }
        }
    }
    enter::entered_up_to(change, tail.file.number, tail.len)
}

/// Reads what can be read.
fn read_old(path: &Path, lost: &mut Vec<String>) -> Old {
    let mut old = Old { whole: true, ..Old::default() };
    let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let db = match opened {
        Ok(db) => db,
        Err(error) => {
            lost.push(format!("the old catalogue: {error}"));
            return Old::default();
        }
    };
    let mut read = |table: &str, columns: &str| {
        let mut rows = Vec::new();
        if let Err(error) = read_table(&db, &format!("SELECT {columns} FROM {table}"), &mut rows) {
            lost.push(format!("the old catalogue: {table}: {error}"));
            old.whole = false;
        }
        rows
    };
    let tables = TAKEN.map(|table| (table, read(table, "*")));
    old.messages = read("message", "*");
    let bodies = read("body", "id, file, at");
    let state = read("state", "name, value");
    old.tables = tables.into_iter().collect();
    for row in bodies {
        if let [Value::Integer(id), Value::Integer(file), Value::Integer(at)] = row[..] {
            old.bodies.insert(id, (file, at));
        }
    }
    let number = |wanted: &str| {
        state.iter().find_map(|row| match &row[..] {
            [Value::Text(name), Value::Integer(value)] if name == wanted => Some(*value),
            _ => None,
        })
    };
    old.entered = number("file").zip(number("offset"));
    old
}

fn read_table(db: &Connection, sql: &str, into: &mut Vec<Vec<Value>>) -> rusqlite::Result<()> {
    let mut all = db.prepare(sql)?;
    let columns = all.column_count();
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        into.push((0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?);
    }
    Ok(())
}

/// Renames the old catalogue and its log.
fn set_aside(path: &Path) -> Result<PathBuf> {
    let free = |n: &u32| !path.with_extension(format!("old{n}")).exists();
    let number = (1..).find(free).expect("some number is free");
    let old = path.with_extension(format!("old{number}"));
    for suffix in ["", "-wal", "-shm"] {
        let from = PathBuf::from(format!("{}{suffix}", path.display()));
        let to = PathBuf::from(format!("{}{suffix}", old.display()));
        match fs::rename(&from, &to) {
            Err(error) if suffix.is_empty() => return Err(Error::io("rename", &from, error)),
            _ => {}
        }
    }
    Ok(old)
}
