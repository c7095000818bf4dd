//! The directory: accounts, domains, aliases and app passwords in one SQLite file, which `facteur user` and its kin edit.
//!
//! Everything here blocks: call it from commands, or off the async threads. Look-up tables of the type
//! `directory:` read the same file.

mod accounts;
mod addresses;
mod app_passwords;
mod schema;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mail::Trouble;
use rusqlite::{Connection, OpenFlags};

pub use accounts::{Change, Entry, Role};
pub use addresses::Alias;
pub use app_passwords::AppPassword;
pub use schema::VERSION;

/// How long a statement waits for somebody who writes.
const BUSY: Duration = Duration::from_secs(10);

/// Most connections that wait for the next statement.
const IDLE: usize = 8;

/// The open file.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// Why something was not done.
#[derive(Debug)]
pub enum Error {
    /// What was asked for makes no sense: a sentence.
    Wrong(String),
    /// The file failed.
    Trouble(Trouble),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Wrong(text) => f.write_str(text),
            Error::Trouble(trouble) => write!(f, "{trouble}"),
        }
    }
}

impl Directory {
    /// The directory in this file; nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Directory {
        Directory { path: path.into(), idle: Mutex::default() }
    }

    /// Makes the file if there is none. Made by root, it belongs to whom its folder belongs to.
    ///
    /// # Errors
    /// It cannot be made, or was made by a newer release.
    pub fn create(path: impl Into<PathBuf>) -> Result<Directory, Trouble> {
        let directory = Directory::new(path);
        let path = &directory.path;
        if !path.exists() {
            let trouble = |error: std::io::Error| Trouble::from_error(path.display().to_string(), error);
            let mut options = std::fs::OpenOptions::new();
            // Hashes of passwords are nobody else's business.
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.write(true).create_new(true).open(path).map_err(trouble)?;
            let folder = path.parent().map(std::fs::metadata).transpose().map_err(trouble)?;
            if let Some(folder) = folder.filter(|_| nix::unistd::geteuid().is_root()) {
                std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid())).map_err(trouble)?;
            }
        }
        let connection = directory.connect()?;
        directory.put_back(connection);
        Ok(directory)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings the file to another version of its schema, and tells the one it had.
    ///
    /// # Errors
    /// There is no such version, or the file failed; then nothing has changed.
    pub fn migrate(&self, to: u32) -> Result<u32, Error> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut connection = self.raw().map_err(Error::Trouble)?;
        schema::migrate(&mut connection, to).map_err(|wrong| match wrong {
            schema::Failed::Version(text) => Error::Wrong(format!("{}: {text}", self.path.display())),
            schema::Failed::Sqlite(error) => Error::Trouble(self.trouble(error)),
        })
    }

    fn raw(&self) -> Result<Connection, Trouble> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if !self.path.exists() {
            let path = self.path.display();
            return Err(Trouble::new(format!(
                "{path}: there is no directory yet; `facteur user add` makes it"
            )));
        }
        let open = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            Ok(connection)
        };
        open().map_err(|error| self.trouble(error))
    }

    fn connect(&self) -> Result<Connection, Trouble> {
        let mut connection = self.raw()?;
        schema::renew(&mut connection).map_err(|wrong| match wrong {
            schema::Failed::Version(text) => Trouble::new(format!("{}: {text}", self.path.display())),
            schema::Failed::Sqlite(error) => self.trouble(error),
        })?;
        Ok(connection)
    }

    /// Does something over a connection.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, Trouble> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let done = work(&mut connection).map_err(|error| self.trouble(error))?;
        self.put_back(connection);
        Ok(done)
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }

    fn trouble(&self, error: rusqlite::Error) -> Trouble {
        Trouble::from_error(self.path.display().to_string(), error)
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Error {
        Error::Trouble(trouble)
    }
}

#[cfg(test)]
mod tests;
