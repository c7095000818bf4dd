//! Accounts.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Directory, Error};
use mail::Trouble;

/// An account as the directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name: an address, or a name without a domain.
    pub name: String,
    /// `{SCHEME}hash`; `None` when nobody can log in with a password.
    pub password: Option<String>,
    /// Nobody can log in; mail still arrives.
    pub disabled: bool,
    /// What he may do besides reading his mail.
    pub role: Role,
    /// `uid`
    pub uid: Option<u32>,
    /// `gid`
    pub gid: Option<u32>,
    /// `home`
    pub home: Option<String>,
    /// `mail`: a `mail_location` of his own.
    pub mail: Option<String>,
    /// `1G`, or a whole rule (`*:storage=1G:messages=1000`).
    pub quota: Option<String>,
    /// Further fields, `name=value` divided by blanks.
    pub fields: String,
    /// Seconds since 1970.
    pub created: u64,
    /// Seconds since 1970.
    pub changed: u64,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Reads his mail.
    #[default]
    User,
    /// Cares for the accounts of his domain.
    DomainAdmin,
    /// Cares for everything.
    Admin,
}

/// What is changed of an account; `None` stays as it is, and an empty text is no value.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// `{SCHEME}hash`
    pub password: Option<String>,
    /// Closed or open.
    pub disabled: Option<bool>,
    /// The role.
    pub role: Option<Role>,
    /// The number of a system account.
    pub uid: Option<u32>,
    /// The number of a group.
    pub gid: Option<u32>,
    /// The home directory.
    pub home: Option<String>,
    /// `mail_location`
    pub mail: Option<String>,
    /// The quota.
    pub quota: Option<String>,
    /// Further fields.
    pub fields: Option<String>,
}

impl Role {
    /// As stored and as commands write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::DomainAdmin => "domain-admin",
            Role::Admin => "admin",
        }
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Role> {
        [Role::User, Role::DomainAdmin, Role::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

const COLUMNS: &str = "name, password, disabled, role, uid, gid, home, mail, quota, fields, created, changed";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let role: String = row.get(3)?;
    Ok(Entry {
        name: row.get(0)?,
        password: row.get(1)?,
        disabled: row.get(2)?,
        // A role that a later release knows gives no rights here.
        role: Role::parse(&role).unwrap_or_default(),
        uid: row.get(4)?,
        gid: row.get(5)?,
        home: row.get(6)?,
        mail: row.get(7)?,
        quota: row.get(8)?,
        fields: row.get(9)?,
        created: row.get::<_, i64>(10)?.unsigned_abs(),
        changed: row.get::<_, i64>(11)?.unsigned_abs(),
    })
}

impl Directory {
    /// The account of this name, in any case.
    ///
    /// # Errors
    /// The file failed.
    pub fn account(&self, name: &str) -> Result<Option<Entry>, Trouble> {
        self.with(|connection| {
            let mut query =
                connection.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE name = ?1"))?;
            query.query_row([name], entry).optional()
        })
    }

    /// All accounts, by name; those of one domain when it is given.
    ///
    /// # Errors
    /// The file failed.
    pub fn accounts(&self, domain: Option<&str>) -> Result<Vec<Entry>, Trouble> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM accounts WHERE ?1 IS NULL OR name LIKE '%@' || replace(?1, '_', '\\_') \
                 ESCAPE '\\' ORDER BY name"
            ))?;
            query.query_map([domain], entry)?.collect()
        })
    }

    /// Adds an account, and its domain if that is new; tells whether it was.
    ///
    /// # Errors
    /// There is one of that name, or the name cannot be one.
    pub fn add_account(&self, name: &str, change: &Change, now: u64) -> Result<bool, Error> {
        check_name(name)?;
        let domain = name.rsplit_once('@').map(|(_, domain)| domain.to_owned());
        let added = self.with(|connection| {
            let transaction = connection.transaction()?;
            let new = transaction.execute(
                "INSERT OR IGNORE INTO accounts (name, created, changed) VALUES (?1, ?2, ?2)",
                params![name, stamp(now)],
            )?;
            if new == 0 {
                return Ok(None);
            }
            let mut new_domain = false;
            if let Some(domain) = domain {
                let query = "INSERT OR IGNORE INTO domains (name, created) VALUES (?1, ?2)";
                new_domain = transaction.execute(query, params![domain, stamp(now)])? > 0;
            }
            apply(&transaction, name, change, now)?;
            transaction.commit()?;
            Ok(Some(new_domain))
        })?;
        added.ok_or_else(|| Error::Wrong(format!("{name}: there is an account of that name")))
    }

    /// Changes an account.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn change_account(&self, name: &str, change: &Change, now: u64) -> Result<(), Error> {
        let found = self.with(|connection| {
            let transaction = connection.transaction()?;
            let found = apply(&transaction, name, change, now)?;
            transaction.commit()?;
            Ok(found)
        })?;
        if found { Ok(()) } else { Err(unknown(name)) }
    }

    /// Takes an account out, with its app passwords. Its mail stays.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn delete_account(&self, name: &str) -> Result<(), Error> {
        let gone =
            self.with(|connection| connection.execute("DELETE FROM accounts WHERE name = ?1", [name]))?;
        if gone > 0 { Ok(()) } else { Err(unknown(name)) }
    }
}

/// Changes the row; false when there is none.
fn apply(connection: &Connection, name: &str, change: &Change, now: u64) -> rusqlite::Result<bool> {
    let Change { password, disabled, role, uid, gid, home, mail, quota, fields } = change;
    let changed = connection.execute(
        "UPDATE accounts SET
            password = CASE WHEN ?2 IS NULL THEN password ELSE nullif(?2, '') END,
            disabled = coalesce(?3, disabled),
            role = coalesce(?4, role),
            uid = coalesce(?5, uid),
            gid = coalesce(?6, gid),
            home = CASE WHEN ?7 IS NULL THEN home ELSE nullif(?7, '') END,
            mail = CASE WHEN ?8 IS NULL THEN mail ELSE nullif(?8, '') END,
            quota = CASE WHEN ?9 IS NULL THEN quota ELSE nullif(?9, '') END,
            fields = coalesce(?10, fields),
            changed = ?11
         WHERE name = ?1",
        params![
            name,
            password,
            disabled,
            role.map(Role::as_str),
            uid,
            gid,
            home,
            mail,
            quota,
            fields,
            stamp(now)
        ],
    )?;
    Ok(changed > 0)
}

pub(super) fn unknown(name: &str) -> Error {
    Error::Wrong(format!("{name}: there is no such account"))
}

/// As SQLite counts.
pub(super) fn stamp(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn check_name(name: &str) -> Result<(), Error> {
    let domain = name.rsplit_once('@').map_or("x", |(_, domain)| domain);
    let bad = |c: char| c.is_whitespace() || c.is_control() || "/:*".contains(c);
    if name.is_empty() || name.starts_with('@') || domain.is_empty() || name.contains(bad) || name.len() > 255
    {
        return Err(Error::Wrong(format!("\"{}\": no name of an account", mail::logline::printable(name))));
    }
    Ok(())
}
