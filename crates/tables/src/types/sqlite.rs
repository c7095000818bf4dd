//! `sqlite:`, queries to an SQLite file, sqlite_table(5).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail::Trouble;
use rusqlite::{Connection, OpenFlags, types::ValueRef};

use super::{Opening, TableType};
use crate::blocking::{elsewhere, ready_or_pending};
use crate::files::Watched;
use crate::template::{Config, Results, Template};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "sqlite",
    doc: "Queries to an SQLite data base, which the named file of settings describes.",
    open,
    make: None,
};

/// How long a query waits for somebody who writes.
const BUSY: Duration = Duration::from_secs(10);

struct Sqlite {
    query: Template,
    results: Results,
    database: Arc<Database>,
    watched: Vec<Watched>,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let config = Config::read(opening)?;
    let path = config.required("dbpath", &opening.spec.name)?;
    let query = match config.get("query").filter(|query| !query.is_empty()) {
        Some(query) => query,
        None => old_query(&config, &opening.spec.name)?,
    };
    Ok(Arc::new(Sqlite {
        query: Template::parse(&query, "query")?,
        results: Results::read(&config, opening)?,
        database: Arc::new(Database { path, table: opening.spec.to_string(), idle: Mutex::default() }),
        watched: config.watched,
    }))
}

/// The query of settings from before Postfix 2.2. These names are written by the administrator, not quoted.
fn old_query(config: &Config, table: &str) -> Result<String, String> {
    let double = |text: String| text.replace('%', "%%");
    Ok(format!(
        "SELECT {} FROM {} WHERE {} = '%s' {}",
        double(config.required("select_field", table)?),
        double(config.required("table", table)?),
        double(config.required("where_field", table)?),
        double(config.text("additional_conditions", ""))
    ))
}

impl Table for Sqlite {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        let Ok(key) = std::str::from_utf8(key) else { return Lookup::Ready(Ok(None)) };
        ready_or_pending(async move {
            if key.is_empty() || !self.results.wants(key).await? {
                return Ok(None);
            }
            let Some(query) = self.query.fill(key, key, &quoted) else { return Ok(None) };
            let database = self.database.clone();
            let values = elsewhere(move || database.ask(&query)).await?;
            Ok(self.results.join(key, &values)?.map(Hit::new))
        })
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }
}

/// For a place between single quotes.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

struct Database {
    path: String,
    table: String,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    /// The first column of every row; NULL is no value.
    fn ask(&self, query: &str) -> Result<Vec<String>, Trouble> {
        let trouble = |error| Trouble::from_error(format!("{}: query", self.table), error);
        let connection = match self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let values = first_column(&connection, query).map_err(trouble)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(values)
    }

    fn connect(&self) -> Result<Connection, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&self.path, flags)
            .and_then(|connection| connection.busy_timeout(BUSY).map(|()| connection))
            .map_err(|error| Trouble::from_error(format!("{}: open {}", self.table, self.path), error))
    }
}

fn first_column(connection: &Connection, query: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([])?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        let value = match row.get_ref(0)? {
            ValueRef::Null => continue,
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
        };
        values.push(value);
    }
    Ok(values)
}
