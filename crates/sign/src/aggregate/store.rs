//! What was seen and what was received, in one SQLite file of bounded size. Everything here blocks.

use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mail::Trouble;
use rusqlite::{Connection, OptionalExtension, Row as Line, params};

use super::{Received, Row, Seen};

/// How long a statement waits for somebody who writes.
const BUSY: Duration = Duration::from_secs(10);

/// Policies of one day; a stranger who makes up domains has no more of them kept.
const POLICIES: i64 = 20_000;

/// Rows of one policy's day.
const ROWS: i64 = 20_000;

/// Days after which nobody is told any more what was seen.
const LATEST: i64 = 4;

/// Reports of others that are kept, and days for which they are.
const REPORTS: i64 = 10_000;
const KEPT: i64 = 400;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS policy(id INTEGER PRIMARY KEY, day INTEGER NOT NULL, domain TEXT NOT NULL,
        published TEXT NOT NULL, reports TEXT NOT NULL, rows INTEGER NOT NULL DEFAULT 0,
        UNIQUE(day, domain, published, reports));
    CREATE TABLE IF NOT EXISTS seen(policy INTEGER NOT NULL, head TEXT NOT NULL, tail TEXT NOT NULL,
        count INTEGER NOT NULL, PRIMARY KEY(policy, head, tail)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS sent(policy INTEGER NOT NULL, address TEXT NOT NULL,
        PRIMARY KEY(policy, address)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS report(id INTEGER PRIMARY KEY AUTOINCREMENT, organization TEXT NOT NULL,
        email TEXT NOT NULL, name TEXT NOT NULL, domain TEXT NOT NULL, policy TEXT NOT NULL, begin INTEGER NOT NULL,
        end INTEGER NOT NULL, arrived INTEGER NOT NULL, proven TEXT NOT NULL, messages INTEGER NOT NULL,
        good INTEGER NOT NULL, UNIQUE(organization, name, domain));
    CREATE TABLE IF NOT EXISTS row(report INTEGER NOT NULL, number INTEGER NOT NULL, source TEXT NOT NULL,
        count INTEGER NOT NULL, disposition TEXT NOT NULL, dkim INTEGER NOT NULL, spf INTEGER NOT NULL,
        header_from TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY(report, number)) WITHOUT ROWID;
";

/// What was seen of one domain on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// For [`Store::document`] and [`Store::done`].
    pub id: i64,
    /// Days since the epoch.
    pub day: i64,
    /// Whose policy it is.
    pub domain: String,
    /// `rua=`.
    pub reports: Vec<String>,
    /// Rows.
    pub rows: i64,
}

/// A report of somebody else, without its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// For [`Store::report`].
    pub id: i64,
    /// When it came, in seconds.
    pub arrived: i64,
    /// The domain that vouched for the message it came in; empty when none did.
    pub proven: String,
    /// Messages it tells of.
    pub messages: i64,
    /// Those of them for which the domain vouched.
    pub good: i64,
    /// The rest; rows are empty.
    pub report: Received,
}

/// The open file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the file, and makes it if there is none. Made by root, it belongs to whom its folder belongs to.
    ///
    /// # Errors
    /// It cannot be opened, or is something else.
    pub fn open(path: &Path) -> Result<Store, Trouble> {
        if !path.exists() {
            let made = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
            made.map_err(|error| Trouble::from_error(path.display().to_string(), error))?;
            if let Some(folder) = path.parent().and_then(|folder| fs::metadata(folder).ok()) {
                // Only root may give it away, and only then it is needed.
                let _ = std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid()));
            }
        }
        let opened = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            // A crash of the machine may forget the last messages; it damages nothing.
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        };
        let connection = opened().map_err(|error| trouble(path, &error))?;
        Ok(Store { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, Trouble> {
        let mut connection: MutexGuard<'_, _> =
            self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|error| trouble(&self.path, &error))
    }

    /// Counts a message of this day (days since the epoch). What is beyond the bounds is not told.
    ///
    /// # Errors
    /// The file failed.
    pub fn note(&self, day: i64, seen: &Seen) -> Result<(), Trouble> {
        let reports = seen.reports.join(",");
        self.with(|connection| {
            let work = connection.transaction()?;
            let find = "SELECT id, rows FROM policy WHERE day = ?1 AND domain = ?2 AND published = ?3 AND reports = ?4";
            let key = params![day, seen.domain, seen.policy, reports];
            let known = |line: &Line<'_>| Ok((line.get(0)?, line.get(1)?));
            let found: Option<(i64, i64)> = work.prepare_cached(find)?.query_row(key, known).optional()?;
            let (policy, rows) = match found {
                Some(found) => found,
                None => {
                    let count: i64 =
                        work.query_row("SELECT count(*) FROM policy WHERE day = ?1", [day], |line| line.get(0))?;
                    if count >= POLICIES {
                        return Ok(());
                    }
                    let add = "INSERT INTO policy(day, domain, published, reports) VALUES (?1, ?2, ?3, ?4)";
                    work.prepare_cached(add)?.execute(params![day, seen.domain, seen.policy, reports])?;
                    (work.last_insert_rowid(), 0)
                }
            };
            let again = "UPDATE seen SET count = count + 1 WHERE policy = ?1 AND head = ?2 AND tail = ?3";
            let again = work.prepare_cached(again)?.execute(params![policy, seen.head, seen.tail])?;
            if again == 0 && rows < ROWS {
                let add = "INSERT INTO seen(policy, head, tail, count) VALUES (?1, ?2, ?3, 1)";
                work.prepare_cached(add)?.execute(params![policy, seen.head, seen.tail])?;
                work.prepare_cached("UPDATE policy SET rows = rows + 1 WHERE id = ?1")?.execute([policy])?;
            }
            work.commit()
        })
    }

    /// What was seen before this day and is not told yet. What is too old to tell is forgotten.
    ///
    /// # Errors
    /// The file failed.
    pub fn pending(&self, today: i64) -> Result<Vec<Pending>, Trouble> {
        self.with(|connection| {
            let work = connection.transaction()?;
            let old = today - LATEST;
            for table in ["seen", "sent"] {
                let forget =
                    format!("DELETE FROM {table} WHERE policy IN (SELECT id FROM policy WHERE day < ?1)");
                work.execute(&forget, [old])?;
            }
            work.execute("DELETE FROM policy WHERE day < ?1", [old])?;
            work.commit()?;
            let find =
                "SELECT id, day, domain, reports, rows FROM policy WHERE day < ?1 ORDER BY day, domain, id";
            let mut find = connection.prepare(find)?;
            let lines = find.query_map([today], |line| {
                let reports: String = line.get(3)?;
                Ok(Pending {
                    id: line.get(0)?,
                    day: line.get(1)?,
                    domain: line.get(2)?,
                    reports: reports.split(',').map(str::to_owned).collect(),
                    rows: line.get(4)?,
                })
            })?;
            lines.collect()
        })
    }

    /// The policy and the records of a report.
    ///
    /// # Errors
    /// The file failed.
    pub(super) fn document(&self, id: i64) -> Result<String, Trouble> {
        self.with(|connection| {
            let published = "SELECT published FROM policy WHERE id = ?1";
            let mut out: String = connection.query_row(published, [id], |line| line.get(0))?;
            let mut find = connection.prepare("SELECT head, count, tail FROM seen WHERE policy = ?1")?;
            let mut lines = find.query([id])?;
            while let Some(line) = lines.next()? {
                let (head, count, tail): (String, i64, String) = (line.get(0)?, line.get(1)?, line.get(2)?);
                out.push_str(&format!("{head}{count}{tail}"));
            }
            Ok(out)
        })
    }

    /// Was this address told already?
    ///
    /// # Errors
    /// The file failed.
    pub(super) fn was_sent(&self, id: i64, address: &str) -> Result<bool, Trouble> {
        self.with(|connection| {
            let find = "SELECT 1 FROM sent WHERE policy = ?1 AND address = ?2";
            Ok(connection.query_row(find, params![id, address], |_| Ok(())).optional()?.is_some())
        })
    }

    /// This address is told.
    ///
    /// # Errors
    /// The file failed.
    pub fn sent(&self, id: i64, address: &str) -> Result<(), Trouble> {
        self.with(|connection| {
            let add = "INSERT OR IGNORE INTO sent(policy, address) VALUES (?1, ?2)";
            connection.execute(add, params![id, address]).map(|_| ())
        })
    }

    /// All who want to hear of it are told.
    ///
    /// # Errors
    /// The file failed.
    pub fn done(&self, id: i64) -> Result<(), Trouble> {
        self.with(|connection| {
            let work = connection.transaction()?;
            work.execute("DELETE FROM seen WHERE policy = ?1", [id])?;
            work.execute("DELETE FROM sent WHERE policy = ?1", [id])?;
            work.execute("DELETE FROM policy WHERE id = ?1", [id])?;
            work.commit()
        })
    }

    /// Keeps a report of somebody else that came at `now` (seconds), in a message that `proven` vouches for. Gives its
    /// number; `None` when it is there already.
    ///
    /// # Errors
    /// The file failed.
    pub fn keep(&self, report: &Received, proven: &str, now: i64) -> Result<Option<i64>, Trouble> {
        let (messages, good) = report.counts();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.with(|connection| {
            let work = connection.transaction()?;
            let add = "INSERT OR IGNORE INTO report(organization, email, name, domain, policy, begin, end, arrived, proven, \
                       messages, good) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
            let Received { organization, email, id, domain, policy, begin, end, rows } = report;
            let added = work.execute(
                add,
                params![
                    organization, email, id, domain, policy, begin, end, now, proven, number(messages), number(good)
                ],
            )?;
            if added == 0 {
                return Ok(None);
            }
            let id = work.last_insert_rowid();
            let add = "INSERT INTO row VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            for (at, row) in (0_i64..).zip(rows) {
                let Row { source, count, disposition, dkim, spf, header_from, reason } = row;
                let count = number(*count);
                let line = params![id, at, source, count, disposition, dkim, spf, header_from, reason];
                work.prepare_cached(add)?.execute(line)?;
            }
            work.execute(
                "DELETE FROM report WHERE arrived < ?1 OR id <= (SELECT max(id) FROM report) - ?2",
                params![now - KEPT * 86_400, REPORTS],
            )?;
            work.execute("DELETE FROM row WHERE report NOT IN (SELECT id FROM report)", [])?;
            work.commit()?;
            Ok(Some(id))
        })
    }

    /// Reports of others, the newest first; about one domain, or all.
    ///
    /// # Errors
    /// The file failed.
    pub fn reports(&self, domain: Option<&str>) -> Result<Vec<Listed>, Trouble> {
        self.with(|connection| {
            let mut find = connection.prepare(
                "SELECT id, organization, email, name, domain, policy, begin, end, arrived, proven, messages, good \
                 FROM report WHERE ?1 IS NULL OR domain = ?1 ORDER BY begin DESC, id DESC",
            )?;
            find.query_map([domain], listed)?.collect()
        })
    }

    /// A report with its rows.
    ///
    /// # Errors
    /// The file failed.
    pub fn report(&self, id: i64) -> Result<Option<Listed>, Trouble> {
        self.with(|connection| {
            let find = "SELECT id, organization, email, name, domain, policy, begin, end, arrived, proven, messages, good \
                        FROM report WHERE id = ?1";
            let Some(mut found) = connection.query_row(find, [id], listed).optional()? else { return Ok(None) };
            let mut find = connection.prepare(
                "SELECT source, count, disposition, dkim, spf, header_from, reason FROM row WHERE report = ?1 \
                 ORDER BY number",
            )?;
            let rows = find.query_map([id], |line| {
                Ok(Row {
                    source: line.get(0)?,
                    count: line.get::<_, i64>(1)?.try_into().unwrap_or(0),
                    disposition: line.get(2)?,
                    dkim: line.get(3)?,
                    spf: line.get(4)?,
                    header_from: line.get(5)?,
                    reason: line.get(6)?,
                })
            })?;
            found.report.rows = rows.collect::<rusqlite::Result<_>>()?;
            Ok(Some(found))
        })
    }
}

fn listed(line: &Line<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        id: line.get(0)?,
        report: Received {
            organization: line.get(1)?,
            email: line.get(2)?,
            id: line.get(3)?,
            domain: line.get(4)?,
            policy: line.get(5)?,
            begin: line.get(6)?,
            end: line.get(7)?,
            rows: Vec::new(),
        },
        arrived: line.get(8)?,
        proven: line.get(9)?,
        messages: line.get(10)?,
        good: line.get(11)?,
    })
}

fn trouble(path: &Path, error: &rusqlite::Error) -> Trouble {
    Trouble::new(format!("{}: {error}", path.display()))
}
