//! App passwords: made by us for one program of a user, limited to services, and taken back without touching others.

use rusqlite::{Row, params};

use super::accounts::{stamp, unknown};
use super::{Directory, Error};
use crate::{random, schemes};
use mail::Trouble;

/// One of them; the password itself is known to its user alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPassword {
    /// What the user calls it.
    pub name: String,
    /// The services it opens (`imap`, `smtp`, …); empty for all.
    pub scope: Vec<String>,
    /// Until when, in seconds since 1970.
    pub expires: Option<u64>,
    /// Seconds since 1970.
    pub created: u64,
    /// When it was last used, to the minute.
    pub last_used: Option<u64>,
    /// Its digest.
    pub(crate) stored: String,
    id: i64,
}

/// Letters that are not mistaken for one another.
const ALPHABET: &[u8; 64] = b"abcdefghijkmnopqrstuvwxyzabcdefghijkmnopqrstuvwxyz23456789234567";

/// Letters of a password: five bits each at least.
const LETTERS: usize = 24;

/// Uses within so many seconds are written down once.
const MINUTE: u64 = 60;

fn app_password(row: &Row<'_>) -> rusqlite::Result<AppPassword> {
    let scope: String = row.get(2)?;
    let seconds = |value: Option<i64>| value.map(i64::unsigned_abs);
    Ok(AppPassword {
        id: row.get(0)?,
        name: row.get(1)?,
        scope: scope.split_ascii_whitespace().map(str::to_owned).collect(),
        expires: seconds(row.get(3)?),
        created: row.get::<_, i64>(4)?.unsigned_abs(),
        last_used: seconds(row.get(5)?),
        stored: row.get(6)?,
    })
}

impl AppPassword {
    /// Does it open this service at this time?
    pub fn opens(&self, service: &str, now: u64) -> bool {
        let in_time = self.expires.is_none_or(|expires| now < expires);
        in_time && (self.scope.is_empty() || self.scope.iter().any(|known| known == service))
    }
}

impl Directory {
    /// The app passwords of an account.
    ///
    /// # Errors
    /// The file failed.
    pub fn app_passwords(&self, account: &str) -> Result<Vec<AppPassword>, Trouble> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT p.id, p.name, p.scope, p.expires, p.created, p.last_used, p.password \
                 FROM app_passwords p JOIN accounts a ON p.account = a.id WHERE a.name = ?1 ORDER BY p.name",
            )?;
            query.query_map([account], app_password)?.collect()
        })
    }

    /// Makes one, and gives the password: it is never shown again.
    ///
    /// # Errors
    /// There is no such account, or one of that name.
    pub fn add_app_password(
        &self,
        account: &str,
        name: &str,
        scope: &[String],
        expires: Option<u64>,
        now: u64,
    ) -> Result<String, Error> {
        if name.is_empty() || name.contains(char::is_control) {
            return Err(Error::Wrong("an app password needs a name".to_owned()));
        }
        let password = random::letters(LETTERS, ALPHABET);
        // Nobody guesses 120 random bits: a fast digest is enough, and costs no login anything.
        let stored = schemes::generate("SSHA256", &password, account).map_err(Error::Wrong)?;
        let new = self.with(|connection| {
            connection.execute(
                "INSERT OR IGNORE INTO app_passwords (account, name, password, scope, expires, created) \
                 SELECT id, ?2, ?3, ?4, ?5, ?6 FROM accounts WHERE name = ?1",
                params![account, name, stored, scope.join(" "), expires.map(stamp), stamp(now)],
            )
        })?;
        if new > 0 {
            return Ok(password);
        }
        match self.account(account)? {
            Some(_) => Err(Error::Wrong(format!("{account}: there is an app password named \"{name}\""))),
            None => Err(unknown(account)),
        }
    }

    /// Takes one back.
    ///
    /// # Errors
    /// It is not there.
    pub fn delete_app_password(&self, account: &str, name: &str) -> Result<(), Error> {
        let gone = self.with(|connection| {
            let query = "DELETE FROM app_passwords WHERE name = ?2 \
                         AND account = (SELECT id FROM accounts WHERE name = ?1)";
            connection.execute(query, [account, name])
        })?;
        let wrong = || Error::Wrong(format!("{account}: there is no app password named \"{name}\""));
        if gone > 0 { Ok(()) } else { Err(wrong()) }
    }

    /// Writes down that one was used, to the minute.
    ///
    /// # Errors
    /// The file failed.
    pub fn app_password_used(&self, used: &AppPassword, now: u64) -> Result<(), Trouble> {
        if used.last_used.is_some_and(|last| now.saturating_sub(last) < MINUTE) {
            return Ok(());
        }
        self.with(|connection| {
            let query = "UPDATE app_passwords SET last_used = ?2 WHERE id = ?1";
            connection.execute(query, params![used.id, stamp(now)])
        })?;
        Ok(())
    }
}
