//! Accounts.

use super::work::{Work, list, number, text, with};
use super::{Directory, Error, folded};
use mail::Trouble;
use tables::sql::{Row, Statement};

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

fn entry(row: &Row) -> Entry {
    let owned = |column: &str| row.get(column).map(str::to_owned);
    Entry {
        name: text(row, "name"),
        password: owned("password"),
        disabled: row.get("disabled") != Some("0"),
        // A role that a later release knows gives no rights here.
        role: Role::parse(&text(row, "role")).unwrap_or_default(),
        uid: number(row, "uid"),
        gid: number(row, "gid"),
        home: owned("home"),
        mail: owned("mail"),
        quota: owned("quota"),
        fields: text(row, "fields"),
        created: number(row, "created").unwrap_or_default(),
        changed: number(row, "changed").unwrap_or_default(),
    }
}

impl Directory {
    /// The account of this name, in any case.
    ///
    /// # Errors
    /// The data base failed.
    pub async fn account(&self, name: &str) -> Result<Option<Entry>, Trouble> {
        let found =
            self.ask(with(&format!("SELECT {COLUMNS} FROM accounts WHERE name = "), &folded(name))).await?;
        Ok(found.rows.first().map(entry))
    }

    /// All accounts, by name; those of one domain when it is given.
    ///
    /// # Errors
    /// The data base failed.
    pub async fn accounts(&self, domain: Option<&str>) -> Result<Vec<Entry>, Trouble> {
        let mut query = Statement::new().text(&format!("SELECT {COLUMNS} FROM accounts"));
        if let Some(domain) = domain {
            query = query.then(with(" WHERE name LIKE ", &ending(domain))).text(" ESCAPE '!'");
        }
        let found = self.ask(query.text(" ORDER BY name")).await?;
        Ok(found.rows.iter().map(entry).collect())
    }

    /// Adds an account, and its domain if that is new; tells whether it was.
    ///
    /// # Errors
    /// There is one of that name, or the name cannot be one.
    pub async fn add_account(&self, name: &str, change: &Change, now: u64) -> Result<bool, Error> {
        check_name(name)?;
        let (name, now) = (folded(name), now.to_string());
        let mut work = self.begin().await?;
        let values = [Some(name.as_str()), Some(&now), Some(&now)];
        let row = list("INSERT INTO accounts (name, created, changed) VALUES (", &values, ")");
        if work.change(self.unless_there(row, "accounts.created")).await? == 0 {
            return Err(Error::Wrong(format!("{name}: there is an account of that name")));
        }
        let mut new_domain = false;
        if let Some((_, domain)) = name.rsplit_once('@') {
            let row = list("INSERT INTO domains (name, created) VALUES (", &[Some(domain), Some(&now)], ")");
            new_domain = work.change(self.unless_there(row, "domains.created")).await? > 0;
        }
        apply(&mut work, &name, change, &now).await?;
        work.commit().await?;
        Ok(new_domain)
    }

    /// Changes an account.
    ///
    /// # Errors
    /// There is none of that name.
    pub async fn change_account(&self, name: &str, change: &Change, now: u64) -> Result<(), Error> {
        let mut work = self.begin().await?;
        let there = work.ask(with("SELECT id FROM accounts WHERE name = ", &folded(name))).await?;
        if there.rows.is_empty() {
            return Err(unknown(name));
        }
        apply(&mut work, &folded(name), change, &now.to_string()).await?;
        work.commit().await?;
        Ok(())
    }

    /// Takes an account out, with its app passwords. Its mail stays.
    ///
    /// # Errors
    /// There is none of that name.
    pub async fn delete_account(&self, name: &str) -> Result<(), Error> {
        let mut work = self.begin().await?;
        for table in ["app_passwords", "totp"] {
            let head = format!("DELETE FROM {table} WHERE account IN (SELECT id FROM accounts WHERE name = ");
            work.change(with(&head, &folded(name)).text(")")).await?;
        }
        let gone = work.change(with("DELETE FROM accounts WHERE name = ", &folded(name))).await?;
        work.commit().await?;
        if gone > 0 { Ok(()) } else { Err(unknown(name)) }
    }
}

/// Changes the row.
async fn apply(work: &mut Work<'_>, name: &str, change: &Change, now: &str) -> Result<(), Trouble> {
    let Change { password, disabled, role, uid, gid, home, mail, quota, fields } = change;
    let number = |value: &Option<u32>| value.map(|value| value.to_string());
    let mut statement = with("UPDATE accounts SET changed = ", now);
    // An empty text takes the value away.
    for (column, value) in [
        ("password", password.clone()),
        ("home", home.clone()),
        ("mail", mail.clone()),
        ("quota", quota.clone()),
    ] {
        if let Some(value) = value {
            let value = Some(value.as_str()).filter(|value| !value.is_empty());
            statement = statement.text(&format!(", {column} = ")).quoted(value);
        }
    }
    for (column, value) in [
        ("disabled", disabled.map(|disabled| u8::from(disabled).to_string())),
        ("role", role.map(|role| role.as_str().to_owned())),
        ("uid", number(uid)),
        ("gid", number(gid)),
        ("fields", fields.clone()),
    ] {
        if let Some(value) = value {
            statement = statement.then(with(&format!(", {column} = "), &value));
        }
    }
    work.change(statement.then(with(" WHERE name = ", name))).await?;
    Ok(())
}

/// A pattern for LIKE, with `!` before what is special.
fn ending(domain: &str) -> String {
    let mut pattern = "%@".to_owned();
    for c in folded(domain).chars() {
        if "!%_".contains(c) {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern
}

pub(super) fn unknown(name: &str) -> Error {
    Error::Wrong(format!("{name}: there is no such account"))
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
