//! A transaction, and what its answers are read with.

use mail::Trouble;
use tables::sql::{Answer, Kind, Row, Session, Statement};

use super::Directory;

/// Statements of which all count, or none. Dropped, nothing has changed.
pub(super) struct Work<'a> {
    directory: &'a Directory,
    session: Session,
}

impl<'a> Work<'a> {
    /// Begins, whatever the version of the schema.
    pub async fn begin(directory: &'a Directory) -> Result<Work<'a>, Trouble> {
        let session = directory.pool.session().await.map_err(|trouble| directory.trouble(&trouble))?;
        let mut work = Work { directory, session };
        // SQLite's writers wait for each other here, and never in the middle.
        let begin = if directory.kind() == Kind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        work.ask(Statement::new().text(begin)).await?;
        Ok(work)
    }

    pub async fn ask(&mut self, statement: Statement) -> Result<Answer, Trouble> {
        self.session.query(&statement).await.map_err(|trouble| self.directory.trouble(&trouble))
    }

    /// How many rows it changed.
    pub async fn change(&mut self, statement: Statement) -> Result<u64, Trouble> {
        Ok(self.ask(statement).await?.affected)
    }

    pub async fn commit(mut self) -> Result<(), Trouble> {
        self.ask(Statement::new().text("COMMIT")).await?;
        self.session.give_back();
        Ok(())
    }
}

/// `text'value'`.
pub(super) fn with(text: &str, value: &str) -> Statement {
    Statement::new().text(text).quoted(Some(value))
}

/// `head'value', 'value'tail`.
pub(super) fn list(head: &str, values: &[Option<&str>], tail: &str) -> Statement {
    let mut statement = Statement::new().text(head);
    for (n, value) in values.iter().enumerate() {
        statement = statement.text(if n > 0 { ", " } else { "" }).quoted(*value);
    }
    statement.text(tail)
}

/// A column that is never NULL.
pub(super) fn text(row: &Row, column: &str) -> String {
    row.get(column).unwrap_or_default().to_owned()
}

/// A column that is a number, or NULL.
pub(super) fn number<T: std::str::FromStr>(row: &Row, column: &str) -> Option<T> {
    row.get(column).and_then(|value| value.parse().ok())
}
