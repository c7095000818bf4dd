//! `directory:accounts`, `directory:aliases`, `directory:domains`: our own directory of accounts.
//!
//! The file is `directory_database`, which `facteur user` and its kin edit. Here it is only read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail::Trouble;
use rusqlite::{Connection, OpenFlags};

use super::{Opening, TableType};
use crate::blocking::{elsewhere, ready_or_pending};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "directory",
    doc: "Accounts, aliases or domains of the directory that facteur user edits.",
    open,
    make: None,
};

/// What can be asked, and how: the one parameter is the key.
const QUERIES: &[(&str, &str)] = &[
    ("accounts", "SELECT name FROM accounts WHERE name = ?1"),
    ("aliases", "SELECT target FROM aliases WHERE address = ?1 ORDER BY target"),
    ("domains", "SELECT name FROM domains WHERE name = ?1"),
];

/// How long a query waits for somebody who writes.
const BUSY: Duration = Duration::from_secs(10);

/// Most connections that wait for the next query.
const IDLE: usize = 8;

struct Directory {
    file: Arc<File>,
}

struct File {
    table: String,
    query: &'static str,
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let name = opening.spec.name.as_str();
    let query = QUERIES.iter().find(|(known, _)| *known == name).map(|(_, query)| *query);
    let query = query
        .ok_or_else(|| format!("directory:{name}: directory:accounts, :aliases or :domains is expected"))?;
    let main_cf = &opening.tables.settings().main_cf;
    let path = main_cf.get("directory_database").map_or_else(
        || {
            let data = main_cf.get("data_directory").unwrap_or_else(|| "/var/lib/postfix".to_owned());
            PathBuf::from(data).join("directory.sqlite")
        },
        PathBuf::from,
    );
    let file = File { table: opening.spec.to_string(), query, path, idle: Mutex::default() };
    Ok(Arc::new(Directory { file: Arc::new(file) }))
}

impl Table for Directory {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        let Ok(key) = std::str::from_utf8(key) else { return Lookup::Ready(Ok(None)) };
        ready_or_pending(async move {
            let (file, key) = (self.file.clone(), key.to_owned());
            let values = elsewhere(move || file.ask(&key)).await?;
            Ok((!values.is_empty()).then(|| Hit::new(values.join(", "))))
        })
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }
}

impl File {
    fn ask(&self, key: &str) -> Result<Vec<String>, Trouble> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect().map_err(|error| self.trouble(error))?,
        };
        let ask = || {
            let mut query = connection.prepare_cached(self.query)?;
            query.query_map([key], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        };
        let values = ask().map_err(|error| self.trouble(error))?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
        Ok(values)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    }

    fn trouble(&self, error: rusqlite::Error) -> Trouble {
        Trouble::from_error(format!("{}: {}", self.table, self.path.display()), error)
    }
}
