//! postgrey's files of clients and recipients that have nothing to do with greylisting.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use conf::{Mistake, Severity};
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};

/// Largest file that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// Clients that are never put off.
#[derive(Debug, Default)]
pub struct Clients {
    domains: Vec<String>,
    patterns: Vec<Regex>,
    networks: Vec<IpNet>,
}

/// Recipients for whom nobody is put off.
#[derive(Debug, Default)]
pub struct Recipients {
    domains: Vec<String>,
    /// `user@domain`.
    addresses: Vec<(String, String)>,
    /// `user@`.
    users: Vec<String>,
    patterns: Vec<Regex>,
}

impl Clients {
    /// Reads the files; lines that make no sense go to `mistakes`.
    pub fn read(files: &[String], mistakes: &mut Vec<Mistake>) -> Clients {
        let mut clients = Clients::default();
        lines(files, mistakes, |line| clients.add(line));
        clients
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        if let Some(pattern) = pattern(line) {
            self.patterns.push(pattern?);
        } else if let Some(network) = network(line) {
            self.networks.push(network);
        } else if line.contains(char::is_whitespace) {
            return Err("is no host name".to_owned());
        } else {
            self.domains.push(line.to_lowercase());
        }
        Ok(())
    }

    /// Is the client among them, by its name or its address?
    pub fn has(&self, name: &str, address: IpAddr) -> bool {
        let (lower, address) = (name.to_lowercase(), address.to_canonical());
        self.domains.iter().any(|domain| is_below(&lower, domain))
            || self.patterns.iter().any(|pattern| pattern.is_match(name))
            || self.networks.iter().any(|network| network.contains(&address))
    }
}

impl Recipients {
    /// Reads the files; lines that make no sense go to `mistakes`.
    pub fn read(files: &[String], mistakes: &mut Vec<Mistake>) -> Recipients {
        let mut recipients = Recipients::default();
        lines(files, mistakes, |line| recipients.add(line));
        recipients
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        if let Some(pattern) = pattern(line) {
            self.patterns.push(pattern?);
            return Ok(());
        }
        if line.contains(char::is_whitespace) {
            return Err("is no address".to_owned());
        }
        let lower = line.to_lowercase();
        match lower.split_once('@') {
            Some((user, "")) => self.users.push(user.to_owned()),
            Some((user, domain)) => self.addresses.push((user.to_owned(), domain.to_owned())),
            None => self.domains.push(lower),
        }
        Ok(())
    }

    /// Is the recipient among them?
    pub fn has(&self, recipient: &str) -> bool {
        let lower = recipient.to_lowercase();
        let (user, domain) = lower.rsplit_once('@').unwrap_or((&lower, ""));
        let bare = user.split_once('+').map_or(user, |(bare, _)| bare);
        self.domains.iter().any(|of| is_below(domain, of))
            || self.users.iter().any(|one| one == user || one == bare)
            || self.addresses.iter().any(|(one, of)| of == domain && (one == user || one == bare))
            || self.patterns.iter().any(|pattern| pattern.is_match(recipient))
    }
}

/// The domain itself or a name below it.
fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `/pattern/`. Patterns of the engine here take time that grows with the text alone, whoever wrote them.
fn pattern(line: &str) -> Option<Result<Regex, String>> {
    let text = line.strip_prefix('/')?.strip_suffix('/')?;
    let built = RegexBuilder::new(text).case_insensitive(true).size_limit(1 << 20).build();
    Some(built.map_err(|error| {
        let why = error.to_string();
        format!("is no regular expression: {}", why.lines().last().unwrap_or_default().trim())
    }))
}

/// An address, a network, or the first two or three numbers of an IPv4 address.
fn network(line: &str) -> Option<IpNet> {
    if let Ok(network) = line.parse::<IpNet>() {
        return Some(network.trunc());
    }
    if let Ok(address) = line.parse::<IpAddr>() {
        return Some(address.into());
    }
    let numbers: Option<Vec<u8>> = line.split('.').map(|part| part.parse().ok()).collect();
    let (text, bits) = match numbers?.len() {
        2 => (format!("{line}.0.0"), 16),
        3 => (format!("{line}.0"), 24),
        _ => return None,
    };
    IpNet::new(text.parse().ok()?, bits).ok()
}

fn lines(files: &[String], mistakes: &mut Vec<Mistake>, mut add: impl FnMut(&str) -> Result<(), String>) {
    for file in files {
        let path = PathBuf::from(file);
        let text = match read(&path) {
            Ok(text) => text,
            // As with postgrey's defaults: a site need not have them.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let text = format!("cannot be read: {error}; its entries are not in force");
                mistakes.push(Mistake::new(Severity::Error, Some((&path, 0)), text));
                continue;
            }
        };
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if let Err(why) = add(line) {
                let text = format!("\"{line}\" {why}; the line is left out");
                mistakes.push(Mistake::new(Severity::Warning, Some((&path, number)), text));
            }
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > LIMIT {
        return Err(io::Error::other(format!("more than {LIMIT} bytes")));
    }
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        fs::write(&path, text).unwrap();
        let files = vec![path.to_str().unwrap().to_owned(), "/nowhere/list.local".to_owned()];
        (directory, files)
    }

    #[test]
    fn clients_in_every_form_of_postgrey() {
        let (_directory, files) = file(
            "# comment\nyahoo.com\nmail-out.ovh.net # inline\n/^smtp\\d+\\.orange\\.fr$/\n192.0.2.9\n198.51.100.0/25\n\
             203.0.113\n10.9\n2001:db8::/32\ntwo words\n/(/\n",
        );
        let mistakes = &mut Vec::new();
        let clients = Clients::read(&files, mistakes);
        let has = |name: &str, address: &str| clients.has(name, address.parse().unwrap());
        for (name, address) in [
            ("web.mail.YAHOO.com", "192.0.2.1"),
            ("yahoo.com", "192.0.2.1"),
            ("1.mail-out.ovh.net", "192.0.2.1"),
            ("smtp12.ORANGE.fr", "192.0.2.1"),
            ("unknown", "192.0.2.9"),
            ("unknown", "198.51.100.127"),
            ("unknown", "203.0.113.200"),
            ("unknown", "10.9.8.7"),
            ("unknown", "2001:db8:ffff::1"),
        ] {
            assert!(has(name, address), "{name} {address}");
        }
        for (name, address) in [
            ("notyahoo.com", "192.0.2.1"),
            ("yahoo.com.evil.test", "192.0.2.1"),
            ("xsmtp12.orange.fr", "192.0.2.1"),
            ("unknown", "198.51.100.128"),
            ("unknown", "10.8.0.1"),
        ] {
            assert!(!has(name, address), "{name} {address}");
        }
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert!(told.len() == 2 && told[0].contains("line 10") && told[1].contains("line 11"), "{told:?}");
    }

    #[test]
    fn recipients_in_every_form_of_postgrey() {
        let (_directory, files) = file("postmaster@\nabuse@here.test\nopen.test\n/^x.*y@/\n");
        let mistakes = &mut Vec::new();
        let recipients = Recipients::read(&files, mistakes);
        for recipient in [
            "Postmaster@any.test",
            "postmaster+x@any.test",
            "abuse@here.test",
            "abuse+1@here.test",
            "a@open.test",
            "a@sub.open.test",
            "xaay@any.test",
        ] {
            assert!(recipients.has(recipient), "{recipient}");
        }
        for recipient in ["joe@here.test", "abuse@other.test", "a@reopen.test", "notpostmaster@any.test"] {
            assert!(!recipients.has(recipient), "{recipient}");
        }
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }

    #[test]
    fn the_lists_that_postgrey_ships_are_understood() {
        let mistakes = &mut Vec::new();
        let file = "/etc/postgrey/whitelist_clients";
        let clients = Clients::read(&[file.to_owned()], mistakes);
        Recipients::read(&["/etc/postgrey/whitelist_recipients".to_owned()], mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert!(!Path::new(file).exists() || !clients.domains.is_empty());
    }
}
