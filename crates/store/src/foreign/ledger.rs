//! What formats of others have no place for: MODSEQ, expunged UIDs, summaries, annotations, rights.
//!
//! One SQLite file for an account, in a place where other programs do not look. It may be deleted at any time:
//! messages, UIDs and flags are in the files of the format itself. MODSEQs of a new ledger start at the time of day,
//! above those of any older one, so that no client takes old news for new.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

use super::owned;
use crate::{Entry, Error, Flags, Owner, Pair, Result, SpecialUse, Summary, UidSet};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS mailbox (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, guid TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL DEFAULT 0, modseq INTEGER NOT NULL, floor INTEGER NOT NULL,
  keywords TEXT NOT NULL DEFAULT '', special TEXT, recent INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS message (
  mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, flags INTEGER NOT NULL, keywords INTEGER NOT NULL,
  modseq INTEGER NOT NULL, size INTEGER NOT NULL, received INTEGER NOT NULL, saved INTEGER NOT NULL,
  key INTEGER NOT NULL, PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS summary (
  mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, envelope BLOB NOT NULL, bodystructure BLOB NOT NULL,
  PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS header (
  mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, text BLOB NOT NULL, PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vanished (
  mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, modseq INTEGER NOT NULL,
  PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS metadata (
  mailbox INTEGER NOT NULL, entry TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (mailbox, entry)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acl (
  mailbox INTEGER NOT NULL, identifier TEXT NOT NULL, rights TEXT NOT NULL,
  PRIMARY KEY (mailbox, identifier)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivery (
  id TEXT PRIMARY KEY, at INTEGER NOT NULL, uidnext INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS moving (
  id INTEGER PRIMARY KEY, process INTEGER NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
  uidnext INTEGER NOT NULL, uids TEXT NOT NULL);
";

/// Deliveries are remembered for this long, in seconds: longer than any queue tries.
const DELIVERIES_KEPT: i64 = 14 * 86400;

/// The ledger of an account.
#[derive(Debug)]
pub struct Ledger {
    connection: Mutex<Connection>,
}

/// A mailbox in it.
#[derive(Clone, Debug)]
pub struct Book {
    /// Its number.
    pub id: i64,
    /// 32 hexadecimal digits, for MAILBOXID.
    pub guid: String,
    /// UIDVALIDITY when it was last written; 0 before.
    pub uidvalidity: u32,
    /// HIGHESTMODSEQ.
    pub modseq: u64,
    /// Names of keywords, in the order of their bits.
    pub keywords: Vec<String>,
    /// Messages from this UID on were in no session yet; 0 where that is not known.
    pub recent: u32,
}

/// What is written at once.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// HIGHESTMODSEQ after it.
    pub modseq: u64,
    /// The names of the keywords.
    pub keywords: Vec<String>,
    /// Messages that are new or changed.
    pub changed: &'a [Entry],
    /// Messages that are gone.
    pub gone: &'a [u32],
    /// The mailbox started anew: all that was known is forgotten first.
    pub anew: bool,
}

pub(super) fn failed(error: rusqlite::Error) -> Error {
    Error::Trouble(mail::Trouble::new(format!("facteur.db: {error}")))
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Ledger {
    /// Opens the file, making it where there is none. One that cannot be used is put aside and made anew.
    pub fn open(path: &Path, owner: &Owner) -> Result<Ledger> {
        if let Some(directory) = path.parent() {
            owned::directories(directory, owner)?;
        }
        // What it holds is read by nobody but the owner of the mail.
        let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        made.map_err(|error| Error::io("create", path, error))?;
        let connection = match Ledger::connect(path) {
            Ok(connection) => connection,
            Err(rusqlite::Error::SqliteFailure(code, _))
                if matches!(code.code, ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) =>
            {
                log::warn!("{}: damaged; starting a new one, messages are not concerned", path.display());
                std::fs::rename(path, path.with_extension("db.damaged"))
                    .map_err(|error| Error::io("put aside", path, error))?;
                Ledger::connect(path).map_err(failed)?
            }
            Err(error) => {
                return Err(Error::Trouble(mail::Trouble::new(format!("{}: {error}", path.display()))));
            }
        };
        owned::give(path, owner)?;
        Ok(Ledger { connection: Mutex::new(connection) })
    }

    fn connect(path: &Path) -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(30))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Losing the last lines in a power cut costs a client a look at flags it knows.
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.execute_batch(SCHEMA)?;
        let has_recent: i64 = connection.query_row(
            "SELECT count(*) FROM pragma_table_info('mailbox') WHERE name = 'recent'",
            [],
            |row| row.get(0),
        )?;
        if has_recent == 0 {
            connection.execute_batch("ALTER TABLE mailbox ADD COLUMN recent INTEGER NOT NULL DEFAULT 0")?;
        }
        Ok(connection)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does it in a transaction that holds others off from its start.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let done = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    /// A number that changes when another process has written.
    pub fn version(&self) -> Result<i64> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("PRAGMA data_version").map_err(failed)?;
        statement.query_row([], |row| row.get(0)).map_err(failed)
    }

    /// The mailbox with this key; made where it is not known yet. With a `guid`, one that another program has
    /// renamed is found again, and another mailbox of the same name is not taken for it. `now`: seconds since 1970.
    pub fn book(&self, key: &str, guid: Option<&str>, now: i64) -> Result<Book> {
        if let Some(book) = self.find(key)? {
            if guid.is_none_or(|guid| guid == book.guid) {
                return Ok(book);
            }
            self.forget(key)?;
        }
        if let Some(guid) = guid {
            self.lock()
                .execute("UPDATE mailbox SET key = ?1 WHERE guid = ?2", [key, guid])
                .map_err(failed)?;
        }
        self.lock()
            .execute(
                "INSERT OR IGNORE INTO mailbox (key, guid, modseq, floor)
                 VALUES (?1, coalesce(?2, lower(hex(randomblob(16)))), ?3, ?3)",
                params![key, guid, now.max(1)],
            )
            .map_err(failed)?;
        self.find(key)?.ok_or(Error::Gone)
    }

    fn find(&self, key: &str) -> Result<Option<Book>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(
                "SELECT id, guid, uidvalidity, modseq, keywords, recent FROM mailbox WHERE key = ?1",
            )
            .map_err(failed)?;
        let book = statement.query_row([key], |row| {
            let keywords: String = row.get(4)?;
            Ok(Book {
                id: row.get(0)?,
                guid: row.get(1)?,
                uidvalidity: row.get(2)?,
                modseq: row.get::<_, i64>(3)?.cast_unsigned(),
                keywords: keywords.split_terminator(' ').map(str::to_owned).collect(),
                recent: row.get(5)?,
            })
        });
        book.optional().map_err(failed)
    }

    /// Keeps from which UID on messages were in no session yet.
    pub fn set_recent(&self, id: i64, recent: u32) -> Result<()> {
        let changed =
            self.lock().execute("UPDATE mailbox SET recent = ?2 WHERE id = ?1", params![id, recent]);
        changed.map(drop).map_err(failed)
    }

    /// All messages known of a mailbox, by UID.
    pub fn messages(&self, id: i64) -> Result<Vec<Entry>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(
                "SELECT uid, flags, keywords, modseq, size, received, saved, key FROM message WHERE mailbox = ?1",
            )
            .map_err(failed)?;
        let rows = statement.query_map([id], |row| {
            Ok(Entry {
                uid: row.get(0)?,
                flags: Flags(row.get(1)?),
                keywords: row.get::<_, i64>(2)?.cast_unsigned(),
                modseq: row.get::<_, i64>(3)?.cast_unsigned(),
                size: row.get(4)?,
                received: row.get(5)?,
                saved: row.get(6)?,
                key: row.get::<_, i64>(7)?.cast_unsigned(),
            })
        });
        rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// Writes what has changed. Where another process was faster the MODSEQ given may be one it gave too: each has
    /// the files to tell what changed, and both changes are behind the same number.
    pub fn change(&self, id: i64, change: &Change<'_>) -> Result<()> {
        self.write(|transaction| {
            if change.anew {
                for table in ["message", "summary", "header", "vanished"] {
                    transaction.execute(&format!("DELETE FROM {table} WHERE mailbox = ?1"), [id])?;
                }
                transaction
                    .execute("UPDATE mailbox SET floor = ?2 WHERE id = ?1", params![id, number(change.modseq)])?;
            }
            let mut put = transaction.prepare_cached(
                "INSERT OR REPLACE INTO message (mailbox, uid, flags, keywords, modseq, size, received, saved, key)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for entry in change.changed {
                put.execute(params![
                    id,
                    entry.uid,
                    entry.flags.0,
                    entry.keywords.cast_signed(),
                    number(entry.modseq),
                    entry.size,
                    entry.received,
                    entry.saved,
                    entry.key.cast_signed(),
                ])?;
            }
            for uid in change.gone {
                for table in ["message", "summary", "header"] {
                    let delete = format!("DELETE FROM {table} WHERE mailbox = ?1 AND uid = ?2");
                    transaction.prepare_cached(&delete)?.execute(params![id, uid])?;
                }
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO vanished (mailbox, uid, modseq) VALUES (?1, ?2, ?3)")?
                    .execute(params![id, uid, number(change.modseq)])?;
            }
            transaction.execute(
                "UPDATE mailbox SET uidvalidity = ?2, modseq = max(modseq, ?3), keywords = ?4 WHERE id = ?1",
                params![id, change.uidvalidity, number(change.modseq), change.keywords.join(" ")],
            )?;
            Ok(())
        })
    }

    /// UIDs that vanished after a MODSEQ; `None` where that is no longer known.
    pub fn vanished(&self, id: i64, modseq: u64) -> Result<Option<UidSet>> {
        let connection = self.lock();
        let floor: i64 = connection
            .query_row("SELECT floor FROM mailbox WHERE id = ?1", [id], |row| row.get(0))
            .map_err(failed)?;
        if number(modseq) < floor {
            return Ok(None);
        }
        let mut statement = connection
            .prepare_cached("SELECT uid FROM vanished WHERE mailbox = ?1 AND modseq > ?2 ORDER BY uid")
            .map_err(failed)?;
        let uids =
            statement.query_map(params![id, number(modseq)], |row| row.get::<_, u32>(0)).map_err(failed)?;
        uids.collect::<rusqlite::Result<_>>().map(Some).map_err(failed)
    }

    /// The summaries that are kept of messages from one UID to another, by UID.
    pub fn summaries(&self, id: i64, first: u32, last: u32) -> Result<Vec<(u32, Summary)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(
                "SELECT uid, envelope, bodystructure FROM summary WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3",
            )
            .map_err(failed)?;
        let rows = statement.query_map(params![id, first, last], |row| {
            let summary = Summary {
                envelope: row.get::<_, Vec<u8>>(1)?.into(),
                bodystructure: row.get::<_, Vec<u8>>(2)?.into(),
            };
            Ok((row.get(0)?, summary))
        });
        rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// The headers that are kept of messages from one UID to another, by UID.
    pub fn headers(&self, id: i64, first: u32, last: u32) -> Result<Vec<(u32, Bytes)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT uid, text FROM header WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3")
            .map_err(failed)?;
        let rows = statement
            .query_map(params![id, first, last], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?.into())));
        rows.map_err(failed)?.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// Keeps summaries and headers.
    pub fn keep(&self, id: i64, kept: &[(u32, Summary, Bytes)]) -> Result<()> {
        self.write(|transaction| {
            let mut summaries = transaction.prepare_cached(
                "INSERT OR REPLACE INTO summary (mailbox, uid, envelope, bodystructure) VALUES (?1, ?2, ?3, ?4)",
            )?;
            let mut headers = transaction
                .prepare_cached("INSERT OR REPLACE INTO header (mailbox, uid, text) VALUES (?1, ?2, ?3)")?;
            for (uid, summary, header) in kept {
                summaries.execute(params![id, uid, &summary.envelope[..], &summary.bodystructure[..]])?;
                headers.execute(params![id, uid, &header[..]])?;
            }
            Ok(())
        })
    }

    /// A mailbox got another key.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.lock()
            .execute("UPDATE mailbox SET key = ?2 WHERE key = ?1", [from, to])
            .map(drop)
            .map_err(failed)
    }

    /// A mailbox is gone.
    pub fn forget(&self, key: &str) -> Result<()> {
        let Some(book) = self.find(key)? else { return Ok(()) };
        self.write(|transaction| {
            for table in ["message", "summary", "header", "vanished", "metadata", "acl"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE mailbox = ?1"), [book.id])?;
            }
            transaction.execute("DELETE FROM mailbox WHERE id = ?1", [book.id]).map(drop)
        })
    }

    /// What mailboxes are for: their keys and uses.
    pub fn special_uses(&self) -> Result<Vec<(String, SpecialUse)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT key, special FROM mailbox WHERE special IS NOT NULL")
            .map_err(failed)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        let rows: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>().map_err(failed)?;
        let uses = rows.into_iter();
        Ok(uses.filter_map(|(key, text)| Some((key, SpecialUse::from_attribute(&text)?))).collect())
    }

    /// Says what a mailbox is for.
    pub fn set_special_use(&self, id: i64, special: SpecialUse) -> Result<()> {
        let connection = self.lock();
        connection
            .execute("UPDATE mailbox SET special = ?2 WHERE id = ?1", params![id, special.attribute()])
            .map(drop)
            .map_err(failed)
    }

    /// Annotations of a mailbox; 0 stands for the account.
    pub fn metadata(&self, id: i64) -> Result<Vec<Pair>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT entry, value FROM metadata WHERE mailbox = ?1 ORDER BY entry")
            .map_err(failed)?;
        let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// Sets or removes an annotation.
    pub fn set_metadata(&self, id: i64, entry: &str, value: Option<&[u8]>) -> Result<()> {
        let connection = self.lock();
        match value {
            Some(value) => connection.execute(
                "INSERT OR REPLACE INTO metadata (mailbox, entry, value) VALUES (?1, ?2, ?3)",
                params![id, entry, value],
            ),
            None => connection
                .execute("DELETE FROM metadata WHERE mailbox = ?1 AND entry = ?2", params![id, entry]),
        }
        .map(drop)
        .map_err(failed)
    }

    /// Rights granted on a mailbox.
    pub fn acl(&self, id: i64) -> Result<Vec<(String, String)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT identifier, rights FROM acl WHERE mailbox = ?1 ORDER BY identifier")
            .map_err(failed)?;
        let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// Grants rights, or takes them away.
    pub fn set_acl(&self, id: i64, identifier: &str, rights: Option<&str>) -> Result<()> {
        let connection = self.lock();
        match rights {
            Some(rights) => connection.execute(
                "INSERT OR REPLACE INTO acl (mailbox, identifier, rights) VALUES (?1, ?2, ?3)",
                params![id, identifier, rights],
            ),
            None => connection
                .execute("DELETE FROM acl WHERE mailbox = ?1 AND identifier = ?2", params![id, identifier]),
        }
        .map(drop)
        .map_err(failed)
    }

    /// Notes that a delivery begins, and forgets those long done. `uidnext`: of its mailbox. `now`: seconds since 1970.
    pub fn begin(&self, delivery: &str, uidnext: u32, now: i64) -> Result<Begun> {
        self.write(|transaction| {
            let known: Option<Option<u32>> = transaction
                .prepare_cached("SELECT uidnext FROM delivery WHERE id = ?1")?
                .query_row([delivery], |row| row.get(0))
                .optional()?;
            match known {
                Some(None) => return Ok(Begun::Done),
                Some(Some(uidnext)) => return Ok(Begun::Before(uidnext)),
                None => {}
            }
            transaction.execute("DELETE FROM delivery WHERE at < ?1", [now - DELIVERIES_KEPT])?;
            transaction
                .prepare_cached("INSERT INTO delivery (id, at, uidnext) VALUES (?1, ?2, ?3)")?
                .execute(params![delivery, now, uidnext])?;
            Ok(Begun::New)
        })
    }

    /// A delivery that began is done.
    pub fn done(&self, delivery: &str) -> Result<()> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("UPDATE delivery SET uidnext = NULL WHERE id = ?1").map_err(failed)?;
        statement.execute([delivery]).map(drop).map_err(failed)
    }
}

/// What is known of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing.
    New,
    /// It began, when the mailbox had this UIDNEXT, and nobody said that it was done.
    Before(u32),
    /// It is done.
    Done,
}
