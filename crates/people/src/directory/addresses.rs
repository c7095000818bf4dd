//! Domains and aliases.

use super::work::{list, text, with};
use super::{Directory, Error, folded};
use mail::Trouble;
use tables::sql::Statement;

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
    /// The data base failed.
    pub async fn domains(&self) -> Result<Vec<String>, Trouble> {
        let found = self.ask(Statement::new().text("SELECT name FROM domains ORDER BY name")).await?;
        Ok(found.rows.iter().map(|row| text(row, "name")).collect())
    }

    /// Adds a domain.
    ///
    /// # Errors
    /// It is there, or is none.
    pub async fn add_domain(&self, name: &str, now: u64) -> Result<(), Error> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || "/@".contains(c);
        if name.is_empty() || name.contains(bad) || name.starts_with('.') || name.len() > 255 {
            return Err(Error::Wrong(format!("\"{}\": no domain", mail::logline::printable(name))));
        }
        let (name, now) = (folded(name), now.to_string());
        let values = [Some(name.as_str()), Some(now.as_str())];
        let row = list("INSERT INTO domains (name, created) VALUES (", &values, ")");
        let mut work = self.begin().await?;
        let new = work.change(self.unless_there(row, "domains.created")).await?;
        work.commit().await?;
        if new > 0 { Ok(()) } else { Err(Error::Wrong(format!("{name}: the domain is there"))) }
    }

    /// Takes a domain out. Its accounts and aliases must be gone.
    ///
    /// # Errors
    /// It is not there, or is in use.
    pub async fn delete_domain(&self, name: &str) -> Result<(), Error> {
        let ending = |address: &str| {
            address.rsplit_once('@').is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(name))
        };
        let accounts = self.accounts(Some(name)).await?.len();
        let aliases = self.aliases().await?.iter().filter(|alias| ending(&alias.address)).count();
        if accounts + aliases > 0 {
            let text = format!("{name}: has {accounts} accounts and {aliases} aliases; delete these first");
            return Err(Error::Wrong(text));
        }
        let mut work = self.begin().await?;
        let gone = work.change(with("DELETE FROM domains WHERE name = ", &folded(name))).await?;
        work.commit().await?;
        if gone > 0 { Ok(()) } else { Err(Error::Wrong(format!("{name}: there is no such domain"))) }
    }

    /// All aliases.
    ///
    /// # Errors
    /// The data base failed.
    pub async fn aliases(&self) -> Result<Vec<Alias>, Trouble> {
        let query = "SELECT address, target FROM aliases ORDER BY address, target";
        let found = self.ask(Statement::new().text(query)).await?;
        let mut aliases: Vec<Alias> = Vec::new();
        for (address, target) in found.rows.iter().map(|row| (text(row, "address"), text(row, "target"))) {
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
    pub async fn add_alias(&self, address: &str, targets: &[String], now: u64) -> Result<(), Error> {
        for text in targets.iter().map(String::as_str).chain([address]) {
            let bad = |c: char| c.is_whitespace() || c.is_control() || c == ',';
            if text.is_empty() || text.contains(bad) || text.len() > 500 {
                return Err(Error::Wrong(format!("\"{}\": no address", mail::logline::printable(text))));
            }
        }
        let (address, now) = (folded(address), now.to_string());
        let mut work = self.begin().await?;
        for target in targets {
            let values = [Some(address.as_str()), Some(target), Some(&now)];
            let row = list("INSERT INTO aliases (address, target, created) VALUES (", &values, ")");
            work.change(self.unless_there(row, "aliases.created")).await?;
        }
        work.commit().await?;
        Ok(())
    }

    /// Takes targets out of an alias; all of it when none is named.
    ///
    /// # Errors
    /// It is not there.
    pub async fn delete_alias(&self, address: &str, targets: &[String]) -> Result<(), Error> {
        let these = || with("DELETE FROM aliases WHERE address = ", &folded(address));
        let mut work = self.begin().await?;
        let mut gone = 0;
        if targets.is_empty() {
            gone = work.change(these()).await?;
        }
        for target in targets {
            gone += work.change(these().then(with(" AND target = ", target))).await?;
        }
        work.commit().await?;
        if gone > 0 { Ok(()) } else { Err(Error::Wrong(format!("{address}: there is no such alias"))) }
    }
}
