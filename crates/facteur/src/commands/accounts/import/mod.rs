//! `facteur directory import`: the people of another system come into the directory; first shown, then made.

mod schemas;
mod system;

use people::directory::{Change, Directory};
use people::schemes;

use super::options::Options;
use super::{existing, made, now, wait};

/// What another system knows.
#[derive(Debug, Default)]
pub struct Found {
    /// Domains.
    pub domains: Vec<String>,
    /// Accounts with what is known of each.
    pub accounts: Vec<(String, Change)>,
    /// Aliases with their targets.
    pub aliases: Vec<(String, Vec<String>)>,
    /// What could not be taken over, and why.
    pub remarks: Vec<String>,
}

/// So many names of a list are shown.
const SHOWN: usize = 10;

const SCHEMAS: &str = "passwd, postfixadmin, vimbadmin, mailcow or iredmail";

/// `facteur directory import SCHEMA SOURCE [--yes]`
pub fn import(options: &Options) -> Result<(), String> {
    let [schema, source] = options.exactly()?;
    let mut found = match schema {
        "passwd" => system::read(source, options.value("domain"))?,
        other => match schemas::find(other) {
            Some(schema) => schemas::read(schema, source)?,
            None => return Err(format!("{other}: {SCHEMAS} is expected")),
        },
    };
    let directory = existing(options)?;
    if directory.exists() {
        found.leave_out(&directory)?;
    }
    found.tell();
    if !options.has("yes") {
        println!("Nothing was done. The same command with --yes does it.");
        return Ok(());
    }
    let directory = made(options)?;
    for domain in &found.domains {
        wait(directory.add_domain(domain, now()))?;
    }
    for (name, change) in &found.accounts {
        wait(directory.add_account(name, change, now()))?;
    }
    for (address, targets) in &found.aliases {
        wait(directory.add_alias(address, targets, now()))?;
    }
    println!("Imported.");
    Ok(())
}

impl Found {
    /// What is in the directory stays as it is.
    fn leave_out(&mut self, directory: &Directory) -> Result<(), String> {
        let domains = wait(directory.domains())?;
        self.domains.retain(|name| !domains.iter().any(|known| known.eq_ignore_ascii_case(name)));
        let mut there = 0;
        let mut failed = None;
        self.accounts.retain(|(name, _)| match wait(directory.account(name)) {
            Ok(None) => true,
            Ok(Some(_)) => {
                there += 1;
                false
            }
            Err(trouble) => {
                failed.get_or_insert(trouble);
                false
            }
        });
        if there > 0 {
            self.remarks.push(format!("{there} accounts are in the directory already and stay as they are"));
        }
        failed.map_or(Ok(()), Err)
    }

    /// Adds an account with a password as another system stores it.
    fn account(&mut self, name: &str, stored: &str, mut change: Change) {
        change.password = Some(self.password(name, stored));
        self.accounts.push((name.to_owned(), change));
    }

    /// Adds an alias; one that only leads to itself is none.
    fn alias(&mut self, address: &str, targets: &str) {
        // A whole domain is written without its @ by some.
        let address = if address.contains('@') { address.to_owned() } else { format!("@{address}") };
        let targets: Vec<String> = targets
            .split([',', '\n', '\r', ' '])
            .filter(|target| !target.is_empty())
            .map(str::to_owned)
            .collect();
        if targets.iter().all(|target| target.eq_ignore_ascii_case(&address)) {
            return;
        }
        match self.aliases.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&address)) {
            Some((_, all)) => all.extend(targets),
            None => self.aliases.push((address, targets)),
        }
    }

    /// `{SCHEME}` before what has none, by its form; empty, with a remark, for what is not understood.
    fn password(&mut self, name: &str, stored: &str) -> String {
        let hex =
            |length: usize| stored.len() == length && stored.bytes().all(|byte| byte.is_ascii_hexdigit());
        let des =
            stored.len() == 13 && stored.bytes().all(|b| b.is_ascii_alphanumeric() || b"./".contains(&b));
        let guessed = if stored.starts_with('$') || des {
            format!("{{CRYPT}}{stored}")
        } else if hex(32) {
            format!("{{PLAIN-MD5}}{stored}")
        } else {
            stored.to_owned()
        };
        if guessed.starts_with('{') && schemes::scheme_of(&guessed, "").is_some() {
            return guessed;
        }
        self.remarks.push(format!("{name}: no password that we can check: the account comes without one"));
        String::new()
    }

    fn tell(&self) {
        let list = |what: &str, names: Vec<&str>| {
            println!("To be added: {} {what}", names.len());
            names.iter().take(SHOWN).for_each(|name| println!("  {name}"));
            if names.len() > SHOWN {
                println!("  ... and {} more", names.len() - SHOWN);
            }
        };
        list("domains", self.domains.iter().map(String::as_str).collect());
        list("accounts", self.accounts.iter().map(|(name, _)| name.as_str()).collect());
        list("aliases", self.aliases.iter().map(|(address, _)| address.as_str()).collect());
        self.remarks.iter().for_each(|remark| println!("Note: {remark}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_aliases_as_others_write_them() {
        let mut found = Found::default();
        for (stored, taken) in [
            ("$6$x$y", "{CRYPT}$6$x$y"),
            ("{SSHA512}abc", "{SSHA512}abc"),
            ("5ebe2294ecd0e0f08eab7690d2a6ee69", "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69"),
            ("t8BPOvdT1O3xM", "{CRYPT}t8BPOvdT1O3xM"),
            ("secret", ""),
            ("{NOSUCH}x", ""),
            ("", ""),
        ] {
            assert_eq!(found.password("joe", stored), taken, "{stored}");
        }
        assert_eq!(found.remarks.len(), 3);
        assert!(!found.remarks.iter().any(|remark| remark.contains("secret")));
        found.alias("joe@x.test", "Joe@x.test");
        found.alias("team@x.test", "a@x.test,\nb@x.test");
        found.alias("Team@x.test", "c@x.test");
        found.alias("x.test", "all@x.test");
        assert_eq!(found.aliases.len(), 2);
        assert_eq!(found.aliases[0].1, ["a@x.test", "b@x.test", "c@x.test"]);
        assert_eq!(found.aliases[1].0, "@x.test");
    }
}
