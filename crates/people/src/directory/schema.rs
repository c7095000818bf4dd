//! The schema of the directory, and the way from each version to the next and back.

use rusqlite::{Connection, TransactionBehavior};

/// One step.
struct Migration {
    forward: &'static str,
    back: &'static str,
}

/// Every step, the first from an empty file. A step that was released never changes.
const MIGRATIONS: &[Migration] = &[
    Migration {
        forward: "
            CREATE TABLE domains (
                name TEXT PRIMARY KEY COLLATE NOCASE,
                created INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE accounts (
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL UNIQUE COLLATE NOCASE,
                password TEXT,
                disabled INTEGER NOT NULL DEFAULT 0,
                role TEXT NOT NULL DEFAULT 'user',
                uid INTEGER,
                gid INTEGER,
                home TEXT,
                mail TEXT,
                quota TEXT,
                fields TEXT NOT NULL DEFAULT '',
                created INTEGER NOT NULL,
                changed INTEGER NOT NULL
            ) STRICT;
            CREATE TABLE aliases (
                address TEXT NOT NULL COLLATE NOCASE,
                target TEXT NOT NULL,
                created INTEGER NOT NULL,
                PRIMARY KEY (address, target)
            ) STRICT, WITHOUT ROWID;",
        back: "DROP TABLE aliases; DROP TABLE accounts; DROP TABLE domains;",
    },
    Migration {
        forward: "
            CREATE TABLE app_passwords (
                id INTEGER PRIMARY KEY,
                account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
                name TEXT NOT NULL,
                password TEXT NOT NULL,
                scope TEXT NOT NULL DEFAULT '',
                expires INTEGER,
                created INTEGER NOT NULL,
                last_used INTEGER,
                UNIQUE (account, name)
            ) STRICT;",
        back: "DROP TABLE app_passwords;",
    },
];

/// The version this release works with.
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
pub const VERSION: u32 = MIGRATIONS.len() as u32;

/// Why a file was not migrated.
pub enum Failed {
    /// It has, or should get, a version that is not known: a sentence.
    Version(String),
    /// SQLite failed.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Failed {
        Failed::Sqlite(error)
    }
}

/// Brings an older file to the present version. A newer one is not touched.
pub fn renew(connection: &mut Connection) -> Result<(), Failed> {
    let version = version(connection)?;
    if version > VERSION {
        return Err(Failed::Version(format!(
            "made by a newer release (schema {version}; this one knows {VERSION}); there, run \
             `facteur directory migrate --to {VERSION}`"
        )));
    }
    if version < VERSION {
        migrate(connection, VERSION)?;
    }
    Ok(())
}

/// Goes to a version, forward or back, whole or not at all. Tells the version the file had.
pub fn migrate(connection: &mut Connection, to: u32) -> Result<u32, Failed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = version(&transaction)?;
    for known in [from, to] {
        if known > VERSION {
            return Err(Failed::Version(format!(
                "schema {known} is not known: this release knows 0 to {VERSION}"
            )));
        }
    }
    let (steps, at) = (MIGRATIONS, |version: u32| version as usize);
    if from < to {
        for step in &steps[at(from)..at(to)] {
            transaction.execute_batch(step.forward)?;
        }
    } else {
        for step in steps[at(to)..at(from)].iter().rev() {
            transaction.execute_batch(step.back)?;
        }
    }
    transaction.pragma_update(None, "user_version", to)?;
    transaction.commit()?;
    Ok(from)
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
