//! What was learned: how often each token was in spam and in other mail, of the site and of each user.
//!
//! One SQLite file of bounded size. Tokens are kept as keyed hashes: nobody reads in it what people wrote, and nobody
//! can make up words that fall together. Everything here blocks.

use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mail::Trouble;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::Sample;
use super::chance::{Chance, Evidence, combine};

/// How long a statement waits for somebody who writes.
const BUSY: Duration = Duration::from_secs(10);

/// Kilobytes of pages that SQLite keeps.
const CACHE: i64 = 4096;

/// What is kept of a full table when room is made, in percent.
const KEPT: i64 = 80;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS secret(key BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS owner(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        spam INTEGER NOT NULL DEFAULT 0, ham INTEGER NOT NULL DEFAULT 0, tokens INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS token(owner INTEGER NOT NULL, key INTEGER NOT NULL,
        spam INTEGER NOT NULL, ham INTEGER NOT NULL, seen INTEGER NOT NULL,
        PRIMARY KEY(owner, key)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS learned(owner INTEGER NOT NULL, message BLOB NOT NULL,
        spam INTEGER NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY(owner, message)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS reputation(sender TEXT PRIMARY KEY, spam INTEGER NOT NULL, ham INTEGER NOT NULL,
        seen INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO secret SELECT randomblob(16) WHERE NOT EXISTS (SELECT 1 FROM secret);
";

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wanted.
    Ham,
    /// Not wanted.
    Spam,
}

/// Numbers of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Spam.
    pub spam: u32,
    /// Other mail.
    pub ham: u32,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Tokens of the site.
    pub site_tokens: i64,
    /// Tokens of each user.
    pub user_tokens: i64,
    /// Days after which a token is forgotten that was not learned again.
    pub lifetime: i64,
    /// Users with statistics of their own.
    pub users: i64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { site_tokens: 1_000_000, user_tokens: 100_000, lifetime: 365, users: 10_000 }
    }
}

/// Whose statistics: one line of [`Statistics::owners`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user; empty is the site.
    pub name: String,
    /// What was learned.
    pub learned: Counts,
    /// Distinct tokens that are remembered.
    pub tokens: i64,
}

/// What learning or forgetting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is counted now, or no longer.
    Done,
    /// It was so already.
    Nothing,
}

/// The open file.
#[derive(Debug)]
pub struct Statistics {
    path: PathBuf,
    limits: Limits,
    secret: Vec<u8>,
    connection: Mutex<Connection>,
}

impl Statistics {
    /// Opens the file, and makes it if there is none. Made by root, it belongs to whom its folder belongs to.
    ///
    /// # Errors
    /// It cannot be opened, or is something else.
    pub fn open(path: &Path, limits: Limits) -> Result<Statistics, Trouble> {
        if !path.exists() {
            let made = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
            made.map_err(|error| Trouble::from_error(path.display().to_string(), error))?;
            let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
            if let Some(folder) = folder {
                // Only root may give it away, and only then it is needed.
                let _ = std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid()));
            }
        }
        let opened = || -> rusqlite::Result<(Connection, Vec<u8>)> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            // A crash may forget what was learned last; it damages nothing.
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.pragma_update(None, "cache_size", -CACHE)?;
            connection.execute_batch(SCHEMA)?;
            let secret = connection.query_row("SELECT key FROM secret", [], |row| row.get(0))?;
            Ok((connection, secret))
        };
        let (connection, secret) = opened().map_err(|error| trouble(path, &error))?;
        Ok(Statistics { path: path.to_owned(), limits, secret, connection: Mutex::new(connection) })
    }

    /// Counts a message for the site (`owner` empty) or for a user. What it was learned as before is forgotten first.
    ///
    /// # Errors
    /// The file failed; nothing is counted then.
    pub fn learn(&self, owner: &str, sample: &Sample, class: Class, today: i64) -> Result<Changed, Trouble> {
        self.change(|work| {
            let owner = self.owner(work, owner)?;
            let before = learned_as(work, owner, sample)?;
            if before == Some(class) {
                return Ok(Changed::Nothing);
            }
            if let Some(before) = before {
                self.count(work, owner, sample, before, -1, today)?;
            }
            self.count(work, owner, sample, class, 1, today)?;
            work.prepare_cached("INSERT OR REPLACE INTO learned VALUES (?, ?, ?, ?)")?.execute(params![
                owner,
                sample.fingerprint(),
                class == Class::Spam,
                today
            ])?;
            self.make_room(work, owner, today)?;
            Ok(Changed::Done)
        })
    }

    /// Takes back what was learned of a message.
    ///
    /// # Errors
    /// The file failed.
    pub fn forget(&self, owner: &str, sample: &Sample, today: i64) -> Result<Changed, Trouble> {
        self.change(|work| {
            let owner = self.owner(work, owner)?;
            let Some(class) = learned_as(work, owner, sample)? else { return Ok(Changed::Nothing) };
            self.count(work, owner, sample, class, -1, today)?;
            work.execute(
                "DELETE FROM learned WHERE owner = ? AND message = ?",
                params![owner, sample.fingerprint()],
            )?;
            Ok(Changed::Done)
        })
    }

    /// What the site, and the user when one is given, would say of a message. `None`: less than `least` messages of
    /// either kind were learned.
    ///
    /// # Errors
    /// The file failed.
    pub fn chance(&self, user: Option<&str>, sample: &Sample, least: u32) -> Result<Option<Chance>, Trouble> {
        let connection = self.lock();
        let look = || -> rusqlite::Result<Option<Chance>> {
            let site = counts(&connection, "")?;
            let own = match user {
                Some(user) => counts(&connection, user)?,
                None => (0, Counts::default()),
            };
            let enough = |counts: Counts| counts.spam.min(counts.ham) >= least.max(1);
            if !enough(site.1) && !enough(own.1) {
                return Ok(None);
            }
            let all = Evidence { site: site.1, own: own.1 };
            let mut statement =
                connection.prepare_cached("SELECT spam, ham FROM token WHERE owner = ? AND key = ?")?;
            let mut seen = |owner: i64, key: i64| -> rusqlite::Result<Counts> {
                if owner == 0 {
                    return Ok(Counts::default());
                }
                let row = |row: &rusqlite::Row<'_>| Ok(Counts { spam: row.get(0)?, ham: row.get(1)? });
                Ok(statement.query_row(params![owner, key], row).optional()?.unwrap_or_default())
            };
            let mut evidence = Vec::with_capacity(sample.tokens().len());
            for token in sample.tokens() {
                let key = self.key(token);
                let found = Evidence { site: seen(site.0, key)?, own: seen(own.0, key)? };
                evidence.push((token.clone(), found));
            }
            Ok(Some(combine(all, evidence.into_iter())))
        };
        look().map_err(|error| trouble(&self.path, &error))
    }

    /// The first of these names that has learned anything.
    ///
    /// # Errors
    /// The file failed.
    pub fn owners_of(&self, names: &[String]) -> Result<Option<String>, Trouble> {
        let connection = self.lock();
        for name in names {
            let found = counts(&connection, name).map_err(|error| trouble(&self.path, &error))?;
            if found.1 != Counts::default() {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// Everybody who has statistics: the site first, then users by name.
    ///
    /// # Errors
    /// The file failed.
    pub fn owners(&self) -> Result<Vec<Owner>, Trouble> {
        let connection = self.lock();
        let look = || -> rusqlite::Result<Vec<Owner>> {
            let mut all = connection.prepare("SELECT name, spam, ham, tokens FROM owner ORDER BY name")?;
            let rows = all.query_map([], |row| {
                Ok(Owner {
                    name: row.get(0)?,
                    learned: Counts { spam: row.get(1)?, ham: row.get(2)? },
                    tokens: row.get(3)?,
                })
            })?;
            rows.collect()
        };
        look().map_err(|error| trouble(&self.path, &error))
    }

    /// What is known of a proven sender.
    ///
    /// # Errors
    /// The file failed.
    pub fn reputation(&self, sender: &str) -> Result<Counts, Trouble> {
        let connection = self.lock();
        let row = |row: &rusqlite::Row<'_>| Ok(Counts { spam: row.get(0)?, ham: row.get(1)? });
        let found = connection.query_row("SELECT spam, ham FROM reputation WHERE sender = ?", [sender], row);
        let found = found.optional().map_err(|error| trouble(&self.path, &error))?;
        Ok(found.unwrap_or_default())
    }

    /// Remembers what a proven sender sent.
    ///
    /// # Errors
    /// The file failed.
    pub fn remember(&self, sender: &str, class: Class, today: i64) -> Result<(), Trouble> {
        let (spam, ham) = amounts(class, 1);
        self.change(|work| {
            work.prepare_cached(
                "INSERT INTO reputation VALUES (?1, ?2, ?3, ?4) ON CONFLICT(sender) DO UPDATE
                 SET spam = spam + ?2, ham = ham + ?3, seen = ?4",
            )?
            .execute(params![sender, spam, ham, today])?;
            // Old fame fades: who sent much long ago is no better than who sends something now.
            work.prepare_cached(
                "UPDATE reputation SET spam = spam / 2, ham = ham / 2 WHERE sender = ? AND spam + ham > 1000",
            )?
            .execute([sender])?;
            let many: i64 = work.query_row("SELECT count(*) FROM reputation", [], |row| row.get(0))?;
            if many > self.limits.user_tokens {
                work.execute(
                    "DELETE FROM reputation WHERE sender IN
                     (SELECT sender FROM reputation ORDER BY seen, spam + ham LIMIT ?)",
                    [many - self.limits.user_tokens * KEPT / 100],
                )?;
            }
            Ok(())
        })
    }

    fn count(
        &self,
        work: &Transaction<'_>,
        owner: i64,
        sample: &Sample,
        class: Class,
        by: i64,
        today: i64,
    ) -> rusqlite::Result<()> {
        let (spam, ham) = amounts(class, by);
        let mut fresh = 0_i64;
        let mut update = work.prepare_cached(
            "UPDATE token SET spam = max(0, spam + ?3), ham = max(0, ham + ?4), seen = max(seen, ?5)
             WHERE owner = ?1 AND key = ?2",
        )?;
        let mut insert = work.prepare_cached("INSERT INTO token VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for token in sample.tokens() {
            let key = self.key(token);
            if update.execute(params![owner, key, spam, ham, today])? == 0 && by > 0 {
                insert.execute(params![owner, key, spam, ham, today])?;
                fresh += 1;
            }
        }
        work.prepare_cached(
            "UPDATE owner SET spam = max(0, spam + ?2), ham = max(0, ham + ?3), tokens = tokens + ?4 WHERE id = ?1",
        )?
        .execute(params![owner, spam, ham, fresh])?;
        Ok(())
    }

    /// Forgets what is old, and what was seen least when there is too much.
    fn make_room(&self, work: &Transaction<'_>, owner: i64, today: i64) -> rusqlite::Result<()> {
        let site: bool =
            work.query_row("SELECT name = '' FROM owner WHERE id = ?", [owner], |row| row.get(0))?;
        let most = if site { self.limits.site_tokens } else { self.limits.user_tokens };
        let have: i64 = work.query_row("SELECT tokens FROM owner WHERE id = ?", [owner], |row| row.get(0))?;
        if have <= most {
            return Ok(());
        }
        let oldest = today - self.limits.lifetime;
        work.execute("DELETE FROM token WHERE owner = ? AND seen < ?", params![owner, oldest])?;
        let mut left = have - work.changes() as i64;
        work.execute("DELETE FROM learned WHERE owner = ? AND seen < ?", params![owner, oldest])?;
        let wanted = most * KEPT / 100;
        if left > wanted {
            // What was seen once says least; of those, what was not seen for longest.
            work.execute(
                "DELETE FROM token WHERE owner = ?1 AND key IN
                 (SELECT key FROM token WHERE owner = ?1 ORDER BY min(spam + ham, 3), seen, key LIMIT ?2)",
                params![owner, left - wanted],
            )?;
            left -= work.changes() as i64;
        }
        work.execute("UPDATE owner SET tokens = ? WHERE id = ?", params![left, owner])?;
        Ok(())
    }

    /// The row of an owner, made if there is none.
    fn owner(&self, work: &Transaction<'_>, name: &str) -> rusqlite::Result<i64> {
        let known =
            work.query_row("SELECT id FROM owner WHERE name = ?", [name], |row| row.get(0)).optional()?;
        if let Some(id) = known {
            return Ok(id);
        }
        let many: i64 =
            work.query_row("SELECT count(*) FROM owner WHERE name != ''", [], |row| row.get(0))?;
        if many >= self.limits.users && !name.is_empty() {
            return Err(rusqlite::Error::InvalidParameterName(
                "there are statistics of too many users".into(),
            ));
        }
        work.execute("INSERT INTO owner(name) VALUES (?)", [name])?;
        Ok(work.last_insert_rowid())
    }

    fn key(&self, token: &str) -> i64 {
        let digest = Sha256::new().chain_update(&self.secret).chain_update(token).finalize();
        let mut key = [0; 8];
        key.copy_from_slice(&digest[..8]);
        i64::from_le_bytes(key)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, Trouble> {
        let mut connection = self.lock();
        let all = || -> rusqlite::Result<T> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        all().map_err(|error| trouble(&self.path, &error))
    }
}

fn amounts(class: Class, by: i64) -> (i64, i64) {
    match class {
        Class::Spam => (by, 0),
        Class::Ham => (0, by),
    }
}

fn learned_as(work: &Transaction<'_>, owner: i64, sample: &Sample) -> rusqlite::Result<Option<Class>> {
    let mut statement = work.prepare_cached("SELECT spam FROM learned WHERE owner = ? AND message = ?")?;
    let spam: Option<bool> =
        statement.query_row(params![owner, sample.fingerprint()], |row| row.get(0)).optional()?;
    Ok(spam.map(|spam| if spam { Class::Spam } else { Class::Ham }))
}

/// The number and the counts of an owner; 0 is nobody.
fn counts(connection: &Connection, name: &str) -> rusqlite::Result<(i64, Counts)> {
    let mut statement = connection.prepare_cached("SELECT id, spam, ham FROM owner WHERE name = ?")?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, Counts { spam: row.get(1)?, ham: row.get(2)? }));
    Ok(statement.query_row([name], row).optional()?.unwrap_or_default())
}

fn trouble(path: &Path, error: &rusqlite::Error) -> Trouble {
    Trouble::new(format!("{}: {error}", path.display()))
}
