//! Reading and changing a target, in one transaction.

use std::path::PathBuf;

use super::csv;
use super::plan::{LIMITS, Section, Sink};
use super::{Change, Row};
use crate::files::Replacement;
use crate::sql::{Kind, Pool, Session, Statement, Target};

/// A target with its transaction begun.
pub(super) struct Opened {
    sink: Sink,
    name: String,
    place: Place,
}

enum Place {
    Sql { session: Box<Session>, kind: Kind },
    Csv { path: PathBuf, separator: char, columns: Vec<String>, rows: Vec<Row> },
}

impl Opened {
    /// Is this the target?
    pub fn is(&self, sink: &Sink) -> bool {
        self.sink == *sink
    }

    /// Its name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connects, and begins.
    pub async fn open(sink: &Sink) -> Result<Opened, String> {
        let (name, place) = match sink {
            Sink::Csv { path, separator } => {
                let place = Place::Csv {
                    path: path.clone(),
                    separator: *separator,
                    columns: Vec::new(),
                    rows: Vec::new(),
                };
                (path.display().to_string(), place)
            }
            Sink::Sql(target) => {
                let pool = Pool::new((**target).clone(), LIMITS, "sync");
                let session = pool.session().await.map_err(|trouble| format!("target: {trouble}"))?;
                let place = Place::Sql { session: Box::new(session), kind: target.kind };
                (name_of(target, &pool), place)
            }
        };
        let mut opened = Opened { sink: sink.clone(), name, place };
        if let Place::Sql { session, kind } = &mut opened.place {
            let begin = if *kind == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
            tell(session, &Statement::new().text(begin)).await?;
        }
        Ok(opened)
    }

    /// The rows that are there.
    pub async fn read(&mut self, section: &Section, columns: &[String]) -> Result<Vec<Row>, String> {
        match &mut self.place {
            Place::Csv { path, separator, columns: known, rows } => {
                *known = columns.to_vec();
                let text = match std::fs::read(&*path) {
                    Ok(text) => text,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                    Err(error) => return Err(format!("target: {}: {error}", path.display())),
                };
                let (names, found) = csv::read(&text, *separator).map_err(|why| format!("target: {why}"))?;
                if names != columns {
                    return Err(format!(
                        "target: its columns are {}; expected {}",
                        names.join(", "),
                        columns.join(", ")
                    ));
                }
                rows.clone_from(&found);
                Ok(found)
            }
            Place::Sql { session, kind } => {
                transactional(session, *kind, section).await?;
                let names: Vec<_> = columns.iter().map(|column| quoted(*kind, column)).collect();
                let mut text = format!("SELECT {} FROM {}", names.join(", "), quoted(*kind, &section.table));
                if let Some(filter) = &section.filter {
                    text.push_str(&format!(" WHERE ({filter})"));
                }
                if *kind != Kind::Sqlite {
                    text.push_str(" FOR UPDATE");
                }
                let answer = session.query(&Statement::new().text(&text)).await;
                let answer = answer.map_err(|trouble| format!("target: {trouble}"))?;
                Ok(answer.rows.into_iter().map(|row| row.values).collect())
            }
        }
    }

    /// Makes one change.
    pub async fn change(
        &mut self,
        section: &Section,
        columns: &[String],
        key: &[usize],
        change: &Change,
    ) -> Result<(), String> {
        match &mut self.place {
            Place::Csv { rows, .. } => {
                match change {
                    Change::Add(row) => rows.push(row.clone()),
                    Change::Remove(row) => rows.retain(|known| known != row),
                    Change::Alter { old, new } => {
                        rows.iter_mut().filter(|row| *row == old).for_each(|row| row.clone_from(new));
                    }
                }
                Ok(())
            }
            Place::Sql { session, kind } => {
                let statement = statement(*kind, section, columns, key, change);
                let affected = tell(session, &statement).await?;
                match (change, affected) {
                    (Change::Add(_), 1) | (Change::Alter { .. }, 0 | 1) | (Change::Remove(_), 1..) => Ok(()),
                    (_, count) => Err(format!(
                        "target: {count} rows changed where one was to be; the key is not unique"
                    )),
                }
            }
        }
    }

    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), String> {
        match self.place {
            Place::Csv { path, separator, columns, rows } => {
                let text = csv::write(&columns, &rows, separator);
                let written = || -> std::io::Result<()> {
                    let (replacement, mut file) =
                        Replacement::create(&path, std::fs::metadata(&path).ok().as_ref())?;
                    std::io::Write::write_all(&mut file, text.as_bytes())?;
                    file.sync_all()?;
                    replacement.commit()
                };
                written().map_err(|error| format!("{}: {error}", path.display()))
            }
            Place::Sql { mut session, .. } => {
                tell(&mut session, &Statement::new().text("COMMIT")).await.map(|_| ())
            }
        }
    }
}

/// MySQL keeps tables that know no transaction; a run that fails could not be undone in them.
async fn transactional(session: &mut Session, kind: Kind, section: &Section) -> Result<(), String> {
    if kind != Kind::Mysql {
        return Ok(());
    }
    let (schema, table) = match section.table.split_once('.') {
        Some((schema, table)) => (Statement::new().quoted(Some(schema)), table),
        None => (Statement::new().text("DATABASE()"), section.table.as_str()),
    };
    let question = Statement::new()
        .text("SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_NAME = ")
        .quoted(Some(table))
        .text(" AND TABLE_SCHEMA = ")
        .then(schema);
    let answer = session.query(&question).await.map_err(|trouble| format!("target: {trouble}"))?;
    let engine = answer.rows.first().and_then(|row| row.values.first()).and_then(Option::as_deref);
    match engine {
        Some(engine @ ("MyISAM" | "Aria" | "MEMORY" | "CSV" | "ARCHIVE")) => Err(format!(
            "target: {table} is kept by {engine}, which has no transactions: ALTER TABLE {table} ENGINE=InnoDB"
        )),
        _ => Ok(()),
    }
}

async fn tell(session: &mut Session, statement: &Statement) -> Result<u64, String> {
    session
        .query(statement)
        .await
        .map(|answer| answer.affected)
        .map_err(|trouble| format!("target: {trouble}"))
}

fn name_of(target: &Target, pool: &Pool) -> String {
    match (&target.database, target.kind) {
        (_, Kind::Sqlite) => pool.names(),
        (Some(database), kind) => format!("{} {database} at {}", kind.name(), pool.names()),
        (None, kind) => format!("{} at {}", kind.name(), pool.names()),
    }
}

/// A name of the plan, `schema.table` in two parts. The plan holds no names with quotes in them.
fn quoted(kind: Kind, name: &str) -> String {
    let quote = if kind == Kind::Mysql { '`' } else { '"' };
    let parts: Vec<_> = name.split('.').map(|part| format!("{quote}{part}{quote}")).collect();
    parts.join(".")
}

fn statement(kind: Kind, section: &Section, columns: &[String], key: &[usize], change: &Change) -> Statement {
    let table = quoted(kind, &section.table);
    let column = |n: usize| quoted(kind, &columns[n]);
    match change {
        Change::Add(row) => {
            let names: Vec<_> = (0..columns.len()).map(column).collect();
            let head = Statement::new().text(&format!("INSERT INTO {table} ({}) VALUES (", names.join(", ")));
            let values = row.iter().enumerate().fold(head, |statement, (n, value)| {
                let comma = if n > 0 { ", " } else { "" };
                statement.text(comma).quoted(value.as_deref())
            });
            values.text(")")
        }
        Change::Alter { old, new } => {
            let head = Statement::new().text(&format!("UPDATE {table} SET "));
            let altered: Vec<_> = (0..columns.len()).filter(|n| old[*n] != new[*n]).collect();
            let set = altered.iter().enumerate().fold(head, |statement, (at, n)| {
                let comma = if at > 0 { ", " } else { "" };
                statement.text(&format!("{comma}{} = ", column(*n))).quoted(new[*n].as_deref())
            });
            these(set, section, key, old, column)
        }
        Change::Remove(row) => {
            these(Statement::new().text(&format!("DELETE FROM {table}")), section, key, row, column)
        }
    }
}

/// `WHERE` this key, among the rows that are ours.
fn these(
    head: Statement,
    section: &Section,
    key: &[usize],
    row: &Row,
    column: impl Fn(usize) -> String,
) -> Statement {
    let with = key.iter().enumerate().fold(head, |statement, (at, n)| {
        let word = if at > 0 { "AND" } else { "WHERE" };
        match &row[*n] {
            Some(value) => statement.text(&format!(" {word} {} = ", column(*n))).quoted(Some(value)),
            None => statement.text(&format!(" {word} {} IS NULL", column(*n))),
        }
    });
    match &section.filter {
        Some(filter) => with.text(&format!(" AND ({filter})")),
        None => with,
    }
}
