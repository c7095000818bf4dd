//! The directory: accounts, domains, aliases, app passwords and TOTP secrets, which `facteur user` and its kin edit. It
//! is an SQLite file, or a data base of a MariaDB, MySQL or PostgreSQL server.
//!
//! Names and addresses are kept in lower case. Look-up tables of the type `directory:` read the same rows.

mod accounts;
mod addresses;
mod app_passwords;
mod schema;
mod totp;
mod work;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mail::Trouble;
use tables::sql::{Answer, Kind, Limits, Pool, Statement, Target};

pub use accounts::{Change, Entry, Role};
pub use addresses::Alias;
pub use app_passwords::AppPassword;
pub use schema::VERSION;
pub use totp::{Secret, Totp};

use work::Work;

/// Where the rows are, and the connections to it.
pub struct Directory {
    pool: Pool,
    /// Of SQLite.
    file: Option<PathBuf>,
    /// Is the schema known to be this release's?
    current: AtomicBool,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Directory").field(&self.pool.target()).finish()
    }
}

/// Why something was not done.
#[derive(Debug)]
pub enum Error {
    /// What was asked for makes no sense: a sentence.
    Wrong(String),
    /// The file or the server failed.
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
    /// The directory at `directory_database`: a path, `mysql://…` or `postgresql://…`, or `</file` that holds one of
    /// these; nothing is opened yet.
    ///
    /// # Errors
    /// It is none of these, or the file cannot be read: a sentence without a password.
    pub fn new(place: &str) -> Result<Directory, String> {
        let target = Target::place(place).map_err(|wrong| format!("directory_database: {wrong}"))?;
        let file = (target.kind == Kind::Sqlite).then(|| target.database.clone().unwrap_or_default().into());
        // There is no other server that could be asked meanwhile.
        let limits = Limits { retry: Duration::from_secs(1), ..Limits::default() };
        let pool = Pool::new(target, limits, "auth");
        Ok(Directory { pool, file, current: AtomicBool::new(false) })
    }

    /// Makes the file if there is none; a data base of a server must be there. Made by root, a file belongs to whom its
    /// folder belongs to.
    ///
    /// # Errors
    /// It cannot be made, or was made by a newer release.
    pub async fn create(&self) -> Result<(), Trouble> {
        if let Some(path) = self.file.as_deref().filter(|path| !path.exists()) {
            make(path).map_err(|error| Trouble::from_error(path.display().to_string(), error))?;
            // Readers and a writer at the same time; the file remembers it.
            self.pool.query(&Statement::new().text("PRAGMA journal_mode = wal")).await?;
        }
        self.ready().await
    }

    /// Is there a file already, or is it a server, which is always there?
    pub fn exists(&self) -> bool {
        self.file.as_ref().is_none_or(|path| path.exists())
    }

    /// Brings the tables to another version of their schema, and tells the one they had.
    ///
    /// # Errors
    /// There is no such version, or the data base failed. What a file or PostgreSQL has is then as it was; MySQL, which
    /// undoes no change of a table, goes on from there the next time.
    pub async fn migrate(&self, to: u32) -> Result<u32, Error> {
        self.there()?;
        self.current.store(false, Ordering::Relaxed);
        schema::migrate(self, to).await
    }

    fn there(&self) -> Result<(), Trouble> {
        match &self.file {
            Some(path) if !path.exists() => Err(Trouble::new(format!(
                "{}: there is no directory yet; `facteur user add` makes it",
                path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Sees to it, once, that the schema is this release's.
    async fn ready(&self) -> Result<(), Trouble> {
        self.there()?;
        if !self.current.load(Ordering::Relaxed) {
            schema::renew(self).await?;
            self.current.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// One statement that may be sent twice, should a connection be lost.
    async fn ask(&self, statement: Statement) -> Result<Answer, Trouble> {
        self.ready().await?;
        self.pool.query(&statement).await.map_err(|trouble| self.trouble(&trouble))
    }

    /// Several statements, of which all or none count.
    async fn begin(&self) -> Result<Work<'_>, Trouble> {
        self.ready().await?;
        Work::begin(self).await
    }

    fn kind(&self) -> Kind {
        self.pool.target().kind
    }

    fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| self.pool.names(), |path| path.display().to_string())
    }

    fn trouble(&self, trouble: &Trouble) -> Trouble {
        Trouble::new(format!("{}: {trouble}", self.name()))
    }

    /// An INSERT that leaves a row alone that is there: then it changes none.
    ///
    /// `column` is any of the table, with the table's name.
    fn unless_there(&self, insert: Statement, column: &str) -> Statement {
        insert.text(&match self.kind() {
            // IGNORE would also ignore that a value does not fit.
            Kind::Mysql => format!(" ON DUPLICATE KEY UPDATE {column} = {column}"),
            Kind::Pgsql | Kind::Sqlite => " ON CONFLICT DO NOTHING".to_owned(),
        })
    }
}

/// Hashes of passwords are nobody else's business.
fn make(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)?;
    let folder = path.parent().map(std::fs::metadata).transpose()?;
    if let Some(folder) = folder.filter(|_| nix::unistd::geteuid().is_root()) {
        std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}

/// Names and addresses as they are kept.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Error {
        Error::Trouble(trouble)
    }
}

#[cfg(test)]
mod tests;
