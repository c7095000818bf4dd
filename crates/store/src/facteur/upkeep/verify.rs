//! Is everything there that the catalogue says?

use std::collections::HashMap;
use std::path::Path;

use super::super::record::FILE_HEAD;
use super::super::scan::{self, Found};
use crate::{Clock, Result};

/// What was found in an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Messages in all mailboxes; copies count each.
    pub messages: u64,
    /// Bytes of body files.
    pub bytes: u64,
    /// What is wrong: a message that cannot be read, or a catalogue that contradicts itself.
    pub wrong: Vec<String>,
    /// What is damaged and belongs to no message: half a delivery that nobody was told of.
    pub torn: Vec<String>,
}

/// Reads every body and compares it with the catalogue. The account may be in use.
///
/// # Errors
/// When the account cannot be opened at all.
pub fn verify(root: &Path, clock: Clock) -> Result<Verified> {
    let account = super::account(root, clock)?;
    let mut verified = Verified::default();
    let inside = account.enter()?;
    let db = &inside.catalogue().db;
    let mut check = db.prepare("PRAGMA integrity_check")?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let line = line?;
        if line != "ok" {
            verified.wrong.push(format!("catalogue: {line}"));
        }
    }
    let mut records = HashMap::new();
    let mut numbers = account.bodies.numbers()?;
    numbers.push(account.bodies.tail()?.file.number);
    for number in numbers {
        let file = account.bodies.file(number)?;
        let end = file.len()?;
        verified.bytes += end;
        let mut at = FILE_HEAD as u64;
        loop {
            match scan::find(&file, at, end)? {
                Found::End => break,
                Found::Damage { from, to } => {
                    verified.torn.push(format!("{}: bytes {from} to {to}", file.path().display()));
                    at = to;
                }
                Found::Record(record) => {
                    records.insert((number, record.spot.at), (record.spot.len, record.spot.crc));
                    at = record.next;
                }
            }
        }
    }
    let mut all = db.prepare(
        "SELECT mailbox.name, message.uid, message.size, body.file, body.at, body.size, body.crc, mailbox.uidnext \
         FROM message LEFT JOIN mailbox ON mailbox.id = message.mailbox LEFT JOIN body ON body.id = message.body",
    )?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        verified.messages += 1;
        let (name, uid): (Option<String>, u32) = (row.get(0)?, row.get(1)?);
        let Some(name) = name else {
            verified.wrong.push(format!("message {uid} is in no mailbox"));
            continue;
        };
        let mut wrong = |what: &str| verified.wrong.push(format!("{name}: message {uid}: {what}"));
        let (file, at): (Option<u32>, Option<i64>) = (row.get(3)?, row.get(4)?);
        let (Some(file), Some(at)) = (file, at) else {
            wrong("the catalogue does not know its body");
            continue;
        };
        let (size, len, crc): (u32, u32, u32) = (row.get(2)?, row.get(5)?, row.get(6)?);
        match records.get(&(file, at as u64)) {
            None => wrong("its body is missing or damaged"),
            Some(found) if *found != (len, crc) || size != len => wrong("its body is another one"),
            Some(_) => {}
        }
        if row.get::<_, u32>(7)? <= uid {
            wrong("UIDNEXT is not above it");
        }
    }
    drop(rows);
    for row in inside.catalogue().boxes()? {
        let view = inside.catalogue().load(&row)?;
        let bytes: u64 = view.iter().map(|entry| u64::from(entry.size)).sum();
        if (u64::from(view.len()), bytes) != (row.messages, row.bytes) {
            verified.wrong.push(format!("{}: it is counted wrong", row.name));
        }
        if row.uidreserved < row.uidnext {
            verified.wrong.push(format!("{}: UIDs were given out that are not reserved", row.name));
        }
    }
    Ok(verified)
}
