//! SQLite files. Work on them blocks, so it is done on threads for blocking work.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail::Trouble;
use rusqlite::types::ValueRef;
use rusqlite::{InterruptHandle, OpenFlags};

use super::pool::{Answer, Collector, Failure};
use super::statement::Dialect;
use super::{Kind, Statement, Target};
use crate::blocking::elsewhere;

/// How long a statement waits for somebody who writes.
const BUSY: Duration = Duration::from_secs(10);

/// An open file.
pub struct Connection {
    file: Arc<Mutex<rusqlite::Connection>>,
    interrupt: InterruptHandle,
}

/// Stops a statement whose answer nobody waits for any more.
struct Patience<'a>(Option<&'a InterruptHandle>);

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        if let Some(handle) = self.0 {
            handle.interrupt();
        }
    }
}

impl Connection {
    pub async fn open(target: &Target) -> Result<Connection, String> {
        let path = target.database.clone().unwrap_or_default();
        let access = if target.read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = elsewhere(move || {
            rusqlite::Connection::open_with_flags(&path, flags)
                .and_then(|file| file.busy_timeout(BUSY).map(|()| file))
                .map_err(|error| Trouble::new(error.to_string()))
        });
        let file = opened.await.map_err(|trouble| trouble.to_string())?;
        let interrupt = file.get_interrupt_handle();
        Ok(Connection { file: Arc::new(Mutex::new(file)), interrupt })
    }

    pub async fn ask(&mut self, statement: &Statement, bytes: usize) -> Result<Answer, Failure> {
        let text =
            statement.render(Dialect { kind: Kind::Sqlite, backslash: false }).map_err(Failure::Said)?;
        let file = self.file.clone();
        let mut patience = Patience(Some(&self.interrupt));
        let done = elsewhere(move || {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(run(&file, &text, bytes))
        });
        let answer = done.await.map_err(|trouble| Failure::Broken(trouble.to_string()))?;
        patience.0 = None;
        answer
    }
}

fn run(file: &rusqlite::Connection, text: &str, bytes: usize) -> Result<Answer, Failure> {
    let said = |error: rusqlite::Error| Failure::Said(error.to_string());
    let mut statement = file.prepare(text).map_err(said)?;
    if statement.column_count() == 0 {
        let affected = statement.raw_execute().map_err(said)? as u64;
        return Ok(Answer { affected, ..Answer::default() });
    }
    let names: Vec<_> = statement.column_names().map(str::to_owned).collect();
    let count = names.len();
    let mut found = Collector::new(names, bytes);
    let mut rows = statement.query([]).map_err(said)?;
    while let Some(row) = rows.next().map_err(said)? {
        let values =
            (0..count).map(|n| row.get_ref(n).map(text_of)).collect::<Result<_, _>>().map_err(said)?;
        found.add(values)?;
    }
    Ok(found.answer())
}

fn text_of(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) | ValueRef::Blob(text) => Some(String::from_utf8_lossy(text).into_owned()),
    }
}
