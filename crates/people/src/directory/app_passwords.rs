//! App passwords: made by us for one program of a user, limited to services, and taken back without touching others.

use super::accounts::unknown;
use super::work::{list, number, text, with};
use super::{Directory, Error, folded};
use crate::{random, schemes};
use mail::Trouble;
use tables::sql::Row;

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
    id: String,
}

/// Letters that are not mistaken for one another.
const ALPHABET: &[u8; 64] = b"abcdefghijkmnopqrstuvwxyzabcdefghijkmnopqrstuvwxyz23456789234567";

/// Letters of a password: five bits each at least.
const LETTERS: usize = 24;

/// Uses within so many seconds are written down once.
const MINUTE: u64 = 60;

fn app_password(row: &Row) -> AppPassword {
    AppPassword {
        id: text(row, "id"),
        name: text(row, "name"),
        scope: text(row, "scope").split_ascii_whitespace().map(str::to_owned).collect(),
        expires: number(row, "expires"),
        created: number(row, "created").unwrap_or_default(),
        last_used: number(row, "last_used"),
        stored: text(row, "password"),
    }
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
    /// The data base failed.
    pub async fn app_passwords(&self, account: &str) -> Result<Vec<AppPassword>, Trouble> {
        let head = "SELECT p.id, p.name, p.scope, p.expires, p.created, p.last_used, p.password \
                    FROM app_passwords p JOIN accounts a ON p.account = a.id WHERE a.name = ";
        let found = self.ask(with(head, &folded(account)).text(" ORDER BY p.name")).await?;
        Ok(found.rows.iter().map(app_password).collect())
    }

    /// Makes one, and gives the password: it is never shown again.
    ///
    /// # Errors
    /// There is no such account, or one of that name.
    pub async fn add_app_password(
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
        let (scope, created) = (scope.join(" "), now.to_string());
        let expires = expires.map(|time| time.to_string());
        let values =
            [Some(name), Some(stored.as_str()), Some(&scope), expires.as_deref(), Some(created.as_str())];
        let head = "INSERT INTO app_passwords (account, name, password, scope, expires, created) SELECT id, ";
        let row = list(head, &values, "").then(with(" FROM accounts WHERE name = ", &folded(account)));
        let mut work = self.begin().await?;
        let new = work.change(self.unless_there(row, "app_passwords.created")).await?;
        work.commit().await?;
        if new > 0 {
            return Ok(password);
        }
        match self.account(account).await? {
            Some(_) => Err(Error::Wrong(format!("{account}: there is an app password named \"{name}\""))),
            None => Err(unknown(account)),
        }
    }

    /// Takes one back.
    ///
    /// # Errors
    /// It is not there.
    pub async fn delete_app_password(&self, account: &str, name: &str) -> Result<(), Error> {
        let these = with("DELETE FROM app_passwords WHERE name = ", name)
            .then(with(" AND account = (SELECT id FROM accounts WHERE name = ", &folded(account)));
        let mut work = self.begin().await?;
        let gone = work.change(these.text(")")).await?;
        work.commit().await?;
        let wrong = || Error::Wrong(format!("{account}: there is no app password named \"{name}\""));
        if gone > 0 { Ok(()) } else { Err(wrong()) }
    }

    /// Writes down that one was used, to the minute.
    ///
    /// # Errors
    /// The data base failed.
    pub async fn app_password_used(&self, used: &AppPassword, now: u64) -> Result<(), Trouble> {
        if used.last_used.is_some_and(|last| now.saturating_sub(last) < MINUTE) {
            return Ok(());
        }
        let used = with("UPDATE app_passwords SET last_used = ", &now.to_string())
            .then(with(" WHERE id = ", &used.id));
        self.ask(used).await?;
        Ok(())
    }
}
