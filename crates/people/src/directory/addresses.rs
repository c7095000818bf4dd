//! Domains and aliases.

use rusqlite::params;

use super::accounts::stamp;
use super::{Directory, Error};
use mail::Trouble;

/// An alias: mail for the address goes to each target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// An address, or `@domain` for whatever else is sent to a domain.
    pub address: String,
    /// Where to; several make a group.
    pub targets: Vec<String>,
}

impl Directory {
    /// All domains.
    ///
    /// # Errors
    /// The file failed.
    pub fn domains(&self) -> Result<Vec<String>, Trouble> {
        self.with(|connection| {
            let mut query = connection.prepare_cached("SELECT name FROM domains ORDER BY name")?;
            query.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// Adds a domain.
    ///
    /// # Errors
    /// It is there, or is none.
    pub fn add_domain(&self, name: &str, now: u64) -> Result<(), Error> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || "/@".contains(c);
        if name.is_empty() || name.contains(bad) || name.starts_with('.') || name.len() > 255 {
            return Err(Error::Wrong(format!("\"{}\": no domain", mail::logline::printable(name))));
        }
        let query = "INSERT OR IGNORE INTO domains (name, created) VALUES (?1, ?2)";
        let new = self.with(|connection| connection.execute(query, params![name, stamp(now)]))?;
        if new > 0 { Ok(()) } else { Err(Error::Wrong(format!("{name}: the domain is there"))) }
    }

    /// Takes a domain out. Its accounts and aliases must be gone.
    ///
    /// # Errors
    /// It is not there, or is in use.
    pub fn delete_domain(&self, name: &str) -> Result<(), Error> {
        let ending = |address: &str| {
            address.rsplit_once('@').is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(name))
        };
        let accounts = self.accounts(Some(name))?.len();
        let aliases = self.aliases()?.iter().filter(|alias| ending(&alias.address)).count();
        if accounts + aliases > 0 {
            let text = format!("{name}: has {accounts} accounts and {aliases} aliases; delete these first");
            return Err(Error::Wrong(text));
        }
        let gone =
            self.with(|connection| connection.execute("DELETE FROM domains WHERE name = ?1", [name]))?;
        if gone > 0 { Ok(()) } else { Err(Error::Wrong(format!("{name}: there is no such domain"))) }
    }

    /// All aliases.
    ///
    /// # Errors
    /// The file failed.
    pub fn aliases(&self) -> Result<Vec<Alias>, Trouble> {
        let rows: Vec<(String, String)> = self.with(|connection| {
            let mut query =
                connection.prepare_cached("SELECT address, target FROM aliases ORDER BY address, target")?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let mut aliases: Vec<Alias> = Vec::new();
        for (address, target) in rows {
            match aliases.last_mut() {
                Some(alias) if alias.address.eq_ignore_ascii_case(&address) => alias.targets.push(target),
                _ => aliases.push(Alias { address, targets: vec![target] }),
            }
        }
        Ok(aliases)
    }

    /// Adds targets to an alias, which may be new.
    ///
    /// # Errors
    /// An address is none.
    pub fn add_alias(&self, address: &str, targets: &[String], now: u64) -> Result<(), Error> {
        for text in targets.iter().map(String::as_str).chain([address]) {
            let bad = |c: char| c.is_whitespace() || c.is_control() || c == ',';
            if text.is_empty() || text.contains(bad) || text.len() > 500 {
                return Err(Error::Wrong(format!("\"{}\": no address", mail::logline::printable(text))));
            }
        }
        self.with(|connection| {
            let transaction = connection.transaction()?;
            for target in targets {
                transaction.execute(
                    "INSERT OR IGNORE INTO aliases (address, target, created) VALUES (?1, ?2, ?3)",
                    params![address, target, stamp(now)],
                )?;
            }
            transaction.commit()
        })?;
        Ok(())
    }

    /// Takes targets out of an alias; all of it when none is named.
    ///
    /// # Errors
    /// It is not there.
    pub fn delete_alias(&self, address: &str, targets: &[String]) -> Result<(), Error> {
        let gone = self.with(|connection| {
            let transaction = connection.transaction()?;
            let mut gone = 0;
            if targets.is_empty() {
                gone = transaction.execute("DELETE FROM aliases WHERE address = ?1", [address])?;
            }
            for target in targets {
                let query = "DELETE FROM aliases WHERE address = ?1 AND target = ?2";
                gone += transaction.execute(query, [address, target.as_str()])?;
            }
            transaction.commit()?;
            Ok(gone)
        })?;
        if gone > 0 { Ok(()) } else { Err(Error::Wrong(format!("{address}: there is no such alias"))) }
    }
}
