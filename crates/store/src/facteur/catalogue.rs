//! The catalogue of an account: one SQLite file, in WAL mode.
//!
//! A commit does not wait for the disk (`synchronous=NORMAL`): after a power failure the last ones may be missing, never
//! one from the middle. That loses no message, because the body files are durable and entered again, and no
//! message is removed from one mailbox before it was put into another. What must not be forgotten is synced by hand
//! with [`Catalogue::sync`]: the UIDs reserved, and that a catalogue was made.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};

use super::pulse::{self, Pulse};
use super::record::FILE_HEAD;
use super::schema;
use crate::{Entry, Error, Flags, Name, Result, Settings, SpecialUse, View};

/// How long another process may hold the catalogue.
const PATIENCE: Duration = Duration::from_secs(60);
/// UIDs and MODSEQs skipped after the machine was started anew: those given out last may have been forgotten.
const SKIPPED: u64 = 1 << 20;

/// An open catalogue.
pub(crate) struct Catalogue {
    pub(crate) db: Connection,
    path: PathBuf,
    /// Changes when another connection has written.
    version: Cell<i64>,
    /// Changes when anybody has written; as of the last look.
    seen: Cell<Option<Pulse>>,
    /// Changes when mailboxes may have come, gone or changed their names.
    era: Cell<u64>,
}

/// A row of `mailbox`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BoxRow {
    pub(crate) id: i64,
    pub(crate) name: Name,
    pub(crate) special: Option<SpecialUse>,
    pub(crate) uidvalidity: u32,
    pub(crate) uidnext: u32,
    pub(crate) uidreserved: u32,
    pub(crate) modseq: u64,
    pub(crate) recent: u32,
    /// What vanished up to this MODSEQ is no longer known.
    pub(crate) forgotten: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// The columns of [`BoxRow`].
pub(crate) const BOX: &str = "SELECT id, name, special, uidvalidity, uidnext, uidreserved, modseq, recent, \
    forgotten, messages, bytes FROM mailbox";

impl BoxRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<BoxRow> {
        let name: String = row.get(1)?;
        let name = Name::new(&name).map_err(|_| rusqlite::Error::InvalidColumnName(name))?;
        let special: Option<String> = row.get(2)?;
        Ok(BoxRow {
            id: row.get(0)?,
            name,
            special: special.as_deref().and_then(SpecialUse::from_attribute),
            uidvalidity: row.get(3)?,
            uidnext: row.get(4)?,
            uidreserved: row.get(5)?,
            modseq: row.get::<_, i64>(6)? as u64,
            recent: row.get(7)?,
            forgotten: row.get::<_, i64>(8)? as u64,
            messages: row.get::<_, i64>(9)? as u64,
            bytes: row.get::<_, i64>(10)? as u64,
        })
    }
}

/// Where the catalogue of an account is.
pub(crate) fn path(account: &Path) -> PathBuf {
    account.join("catalogue")
}

impl Catalogue {
    /// Opens the catalogue of an account, and makes it if there is none.
    pub(crate) fn open(account: &Path, settings: &Settings) -> Result<Catalogue> {
        let path = path(account);
        if !path.exists() {
            fs::create_dir_all(account).map_err(|error| Error::io("create", account, error))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags).map_err(|error| at(&path, error))?;
        let mut catalogue =
            Catalogue { db, path, version: Cell::new(0), seen: Cell::new(None), era: Cell::new(0) };
        let prepared = catalogue.prepare(settings);
        prepared.map_err(|error| catalogue.placed(error))?;
        Ok(catalogue)
    }

    fn prepare(&mut self, settings: &Settings) -> Result<()> {
        let db = &self.db;
        db.busy_timeout(PATIENCE)?;
        db.set_prepared_statement_cache_capacity(64);
        // Closing must not wait for the disk; the log is read when it is opened again.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // Otherwise a statement is planned anew for each range of messages.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "normal")?;
        match db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? {
            schema::VERSION => {}
            0 => self.create(settings)?,
            1 => self.change(|| Ok(self.db.execute_batch(schema::SINCE_1)?))?,
            newer => {
                return Err(Error::Damaged(format!("written by a newer program (version {newer})")));
            }
        }
        self.notice_boot()?;
        self.version.set(self.data_version()?);
        Ok(())
    }

    /// Makes the tables, INBOX, and the mailboxes that every account has.
    fn create(&mut self, settings: &Settings) -> Result<()> {
        self.change(|| self.fill(settings))?;
        self.sync()?;
        let directory = self.path.parent().unwrap_or(&self.path);
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| Error::io("sync", directory, error))
    }

    fn change(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.begin()?;
        let done = work().and_then(|()| Ok(self.db.execute_batch("COMMIT")?));
        if done.is_err() {
            self.roll_back();
        }
        done
    }

    fn fill(&self, settings: &Settings) -> Result<()> {
        // Another process may have been faster.
        if self.db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? != 0 {
            return Ok(());
        }
        self.db.execute_batch(schema::TABLES)?;
        self.set_state("file", 1)?;
        self.set_state("offset", FILE_HEAD as i64)?;
        self.db.execute("INSERT INTO state VALUES ('boot', ?)", [boot()])?;
        self.add_box(&Name::inbox(), None, (settings.clock)())?;
        for (name, special) in settings.special.iter().filter(|_| settings.create_special) {
            if self.find_box(name)?.is_none() {
                self.add_box(name, Some(*special), (settings.clock)())?;
                self.db.execute("INSERT OR IGNORE INTO subscription VALUES (?)", [name.as_str()])?;
            }
        }
        Ok(self.db.pragma_update(None, "user_version", schema::VERSION)?)
    }

    /// After a start of the machine, commits may be missing: what was given out by them is not given out again.
    fn notice_boot(&self) -> Result<()> {
        let now = boot();
        let known: String =
            self.db.query_row("SELECT value FROM state WHERE name = 'boot'", [], |row| row.get(0))?;
        if known == now {
            return Ok(());
        }
        let skipped = SKIPPED as i64;
        self.begin()?;
        let noticed = (|| {
            self.db.execute(
                "UPDATE mailbox SET uidnext = max(uidnext, uidreserved), modseq = modseq + ?1",
                [skipped],
            )?;
            self.db.execute("UPDATE sqlite_sequence SET seq = seq + ?1", [skipped])?;
            self.db.execute("UPDATE state SET value = ?1 WHERE name = 'boot'", [&now])?;
            self.db.execute_batch("COMMIT")
        })();
        if noticed.is_err() {
            self.roll_back();
        }
        noticed?;
        self.sync()
    }

    /// Waits until all commits are on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        let log = PathBuf::from(format!("{}-wal", self.path.display()));
        for path in [&self.path, &log] {
            match File::open(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                file => {
                    file.and_then(|file| file.sync_data()).map_err(|error| Error::io("sync", path, error))?
                }
            }
        }
        Ok(())
    }

    fn data_version(&self) -> Result<i64> {
        Ok(self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }

    /// Has another connection written since the last look?
    pub(crate) fn changed_elsewhere(&self) -> Result<bool> {
        if self.is_as_seen() {
            return Ok(false);
        }
        // In this order: who writes in between is seen by the next look.
        self.seen.set(pulse::of(&self.db));
        self.era.set(self.era.get() + 1);
        let now = self.data_version()?;
        Ok(self.version.replace(now) != now)
    }

    /// Has nobody written since the last look, not even we? Never waits.
    pub(crate) fn is_as_seen(&self) -> bool {
        let seen = self.seen.get();
        seen.is_some() && pulse::of(&self.db) == seen
    }

    /// As long as this is the same, mailboxes have the names they had, as of the last look.
    pub(crate) fn era(&self) -> u64 {
        self.era.get()
    }

    /// We have written to mailboxes, and to no names of them, after a look within the same change.
    pub(crate) fn note_own_commit(&self) {
        if let (Some(before), Some(now)) = (self.seen.get(), pulse::of(&self.db))
            && pulse::is_next(&before, &now)
        {
            self.seen.set(Some(now));
        }
    }

    /// Waits for the right to write.
    pub(crate) fn begin(&self) -> Result<()> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Reads as of one moment until it is dropped: SQLite takes its locks once and not for each statement.
    pub(crate) fn moment(&self) -> Result<Moment<'_>> {
        self.db.prepare_cached("BEGIN")?.execute([])?;
        Ok(Moment(self))
    }

    /// Undoes what was done since [`Catalogue::begin`].
    pub(crate) fn roll_back(&self) {
        // Where SQLite has done so by itself, there is nothing to undo.
        let _ = self.db.execute_batch("ROLLBACK");
    }

    /// A number of `state`.
    pub(crate) fn state(&self, name: &str) -> Result<i64> {
        let mut find = self.db.prepare_cached("SELECT value FROM state WHERE name = ?")?;
        Ok(find.query_row([name], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// Sets a number of `state`.
    pub(crate) fn set_state(&self, name: &str, value: i64) -> Result<()> {
        let mut set = self.db.prepare_cached("INSERT OR REPLACE INTO state VALUES (?, ?)")?;
        set.execute(params![name, value])?;
        Ok(())
    }

    /// A mailbox by its name.
    pub(crate) fn find_box(&self, name: &Name) -> Result<Option<BoxRow>> {
        let mut find = self.db.prepare_cached(&format!("{BOX} WHERE name = ?"))?;
        Ok(find.query_row([name.as_str()], BoxRow::read).optional()?)
    }

    /// A mailbox by its number.
    pub(crate) fn box_by_id(&self, id: i64) -> Result<Option<BoxRow>> {
        let mut find = self.db.prepare_cached(&format!("{BOX} WHERE id = ?"))?;
        Ok(find.query_row([id], BoxRow::read).optional()?)
    }

    /// All mailboxes by name.
    pub(crate) fn boxes(&self) -> Result<Vec<BoxRow>> {
        let mut all = self.db.prepare_cached(&format!("{BOX} ORDER BY name"))?;
        let rows = all.query_map([], BoxRow::read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Makes a mailbox; its UIDVALIDITY is one that no mailbox of the account ever had.
    pub(crate) fn add_box(&self, name: &Name, special: Option<SpecialUse>, now: i64) -> Result<i64> {
        let validity = (self.state("uidvalidity")? + 1).max(now).clamp(1, u32::MAX.into());
        self.set_state("uidvalidity", validity)?;
        self.db.execute(
            "INSERT INTO mailbox (name, special, uidvalidity, uidnext, uidreserved, modseq, recent, forgotten, \
             messages, bytes) VALUES (?, ?, ?, 1, 1, 1, 1, 0, 0, 0)",
            params![name.as_str(), special.map(SpecialUse::attribute), validity],
        )?;
        Ok(self.db.last_insert_rowid())
    }

    /// Counts the messages of all mailboxes again.
    pub(crate) fn recount(&self) -> Result<()> {
        self.db.execute(
            "UPDATE mailbox SET messages = (SELECT count(*) FROM message WHERE message.mailbox = mailbox.id), \
             bytes = (SELECT coalesce(sum(size), 0) FROM message WHERE message.mailbox = mailbox.id)",
            [],
        )?;
        Ok(())
    }

    /// Notes bytes of bodies that a mailbox holds no more.
    pub(crate) fn note_dead(&self, bytes: u64) -> Result<()> {
        self.set_state("dead", self.state("dead")?.saturating_add_unsigned(bytes))
    }

    /// A view of a mailbox that has its keywords and no messages.
    pub(crate) fn keywords(&self, row: &BoxRow) -> Result<View> {
        let mut names = self.db.prepare_cached("SELECT name FROM keyword WHERE mailbox = ? ORDER BY bit")?;
        let keywords = names
            .query_map([row.id], |row| Ok(Arc::from(row.get::<_, String>(0)?)))?
            .collect::<rusqlite::Result<Vec<Arc<str>>>>()?;
        Ok(View::new(row.uidvalidity, row.uidnext, row.modseq, keywords))
    }

    /// Reads what is in a mailbox.
    pub(crate) fn load(&self, row: &BoxRow) -> Result<View> {
        let mut editor = self.keywords(row)?.edit();
        let mut all = self.db.prepare_cached(
            "SELECT uid, size, flags, keywords, modseq, received, saved, body FROM message \
             WHERE mailbox = ? ORDER BY uid",
        )?;
        let mut rows = all.query([row.id])?;
        while let Some(row) = rows.next()? {
            editor.push(Entry {
                uid: row.get(0)?,
                size: row.get(1)?,
                flags: Flags(row.get(2)?),
                keywords: row.get::<_, i64>(3)? as u64,
                modseq: row.get::<_, i64>(4)? as u64,
                received: row.get(5)?,
                saved: row.get(6)?,
                key: row.get::<_, i64>(7)? as u64,
            });
        }
        editor.head().uidnext = row.uidnext;
        editor.head().modseq = row.modseq;
        editor.head().recent_from = row.recent;
        Ok(editor.finish())
    }

    /// An error with the file it is about.
    pub(crate) fn placed(&self, error: Error) -> Error {
        match error {
            Error::Damaged(what) => Error::Damaged(format!("{}: {what}", self.path.display())),
            other => other,
        }
    }
}

/// What [`Catalogue::moment`] gives.
pub(crate) struct Moment<'a>(&'a Catalogue);

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        // Nothing was written, so nothing can be lost.
        let ended = self.0.db.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if ended.is_err() {
            self.0.roll_back();
        }
    }
}

/// Which start of the machine this is.
fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn at(path: &Path, error: rusqlite::Error) -> Error {
    match Error::from(error) {
        Error::Damaged(what) => Error::Damaged(format!("{}: {what}", path.display())),
        Error::Trouble(mut trouble) => {
            trouble.what = format!("{}: {}", path.display(), trouble.what);
            Error::Trouble(trouble)
        }
        other => other,
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::Damaged(format!("the catalogue is damaged ({error})"))
            }
            _ => Error::Trouble(Trouble::from_error("catalogue", error)),
        }
    }
}
