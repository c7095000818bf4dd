//! KeyTable and SigningTable.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use conf::Mistake;

use super::{Dataset, Kind, Line};
use crate::dkim::{PrivateKey, SignAs};

/// Where a key is.
#[derive(Clone, Debug)]
pub enum KeyEntry {
    /// In a file.
    File(PathBuf),
    /// In the table itself.
    Here(String),
}

/// Keys by name: domain, selector, key.
#[derive(Debug, Default)]
pub struct KeyTable(HashMap<String, Key>);

/// A key that was read. A `%` as domain stands for that of the sender.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub domain: String,
    pub selector: String,
    pub key: Arc<PrivateKey>,
}

/// `name domain:selector:key`
pub(crate) fn key_line(line: &Line) -> Result<(String, String, String, KeyEntry), String> {
    let (name, rest) =
        line.text.split_once(char::is_whitespace).ok_or("a line is \"name domain:selector:key\"")?;
    let mut parts = rest.trim().splitn(3, ':');
    let mut part = || parts.next().map(str::trim).filter(|part| !part.is_empty());
    let (Some(domain), Some(selector), Some(key)) = (part(), part(), part()) else {
        return Err(format!("key {name}: \"domain:selector:key\" is expected"));
    };
    let is_file = key.starts_with('/') || key.starts_with("./") || key.starts_with("../");
    if is_file && key.contains('%') {
        return Err(format!("key {name}: a % in the name of a file is not supported: name each key"));
    }
    let entry = if is_file { KeyEntry::File(key.into()) } else { KeyEntry::Here(key.to_owned()) };
    Ok((name.to_owned(), domain.to_ascii_lowercase(), selector.to_owned(), entry))
}

/// The files that a table names.
pub(crate) fn key_files(dataset: &Dataset) -> Vec<PathBuf> {
    let entries = dataset.lines.iter().filter_map(|line| key_line(line).ok());
    let file = |(_, _, _, entry)| if let KeyEntry::File(path) = entry { Some(path) } else { None };
    entries.filter_map(file).collect()
}

impl KeyEntry {
    /// The key itself.
    pub(crate) fn read(&self) -> Result<PrivateKey, String> {
        match self {
            KeyEntry::Here(text) => PrivateKey::read(text),
            KeyEntry::File(path) => {
                let bytes =
                    conf::secrets::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                let key = PrivateKey::read(&String::from_utf8_lossy(&bytes));
                key.map_err(|wrong| format!("{}: {wrong}", path.display()))
            }
        }
    }
}

impl KeyTable {
    pub(crate) fn read(dataset: &Dataset, mistakes: &mut Vec<Mistake>) -> KeyTable {
        let mut keys = HashMap::new();
        for line in &dataset.lines {
            let read = key_line(line).and_then(|(name, domain, selector, entry)| {
                let key = entry.read().map_err(|wrong| format!("key {name}: {wrong}"))?;
                Ok((name, Key { domain, selector, key: Arc::new(key) }))
            });
            match read {
                Ok((name, key)) => drop(keys.insert(name, key)),
                Err(wrong) => mistakes.push(line.mistake(wrong)),
            }
        }
        KeyTable(keys)
    }

    /// A table of one key, for `Domain`, `Selector`, `KeyFile`.
    pub(crate) fn single(name: &str, selector: &str, key: PrivateKey) -> KeyTable {
        let key = Key { domain: "%".to_owned(), selector: selector.to_owned(), key: Arc::new(key) };
        KeyTable(HashMap::from([(name.to_owned(), key)]))
    }

    /// Every key, in the order of names.
    pub(crate) fn all(&self) -> Vec<(String, SignAs)> {
        let sign_as = |(name, key): (&String, &Key)| {
            let Key { domain, selector, key } = key.clone();
            (name.clone(), SignAs { domain, selector, identity: None, key })
        };
        let mut all: Vec<(String, SignAs)> = self.0.iter().map(sign_as).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Key> {
        self.0.get(name)
    }
}

/// Which sender is signed with which keys.
#[derive(Debug)]
pub struct SigningTable {
    kind: Kind,
    rows: Vec<Row>,
    /// All that match are taken, not only the first.
    pub(crate) multiple: bool,
}

#[derive(Debug)]
struct Row {
    pattern: String,
    key: String,
    identity: Option<String>,
}

impl SigningTable {
    pub(crate) fn read(
        dataset: &Dataset,
        keys: &KeyTable,
        multiple: bool,
        mistakes: &mut Vec<Mistake>,
    ) -> SigningTable {
        let mut rows = Vec::new();
        for line in &dataset.lines {
            let mut words = line.text.split([' ', '\t', ':']).filter(|word| !word.is_empty());
            let (Some(pattern), Some(key)) = (words.next(), words.next()) else {
                mistakes.push(line.mistake("a line is \"sender key-name\""));
                continue;
            };
            if key != "%" && keys.get(key).is_none() {
                mistakes.push(line.mistake(format!("there is no key \"{key}\" in the KeyTable")));
                continue;
            }
            let identity = words.next().map(str::to_owned);
            rows.push(Row { pattern: pattern.to_ascii_lowercase(), key: key.to_owned(), identity });
        }
        SigningTable { kind: dataset.kind, rows, multiple }
    }

    /// A table of domains that are all signed with one key.
    pub(crate) fn of_domains(domains: &[String], subdomains: bool, key: &str) -> SigningTable {
        let row = |pattern: String| Row { pattern, key: key.to_owned(), identity: None };
        let mut rows: Vec<Row> = domains.iter().map(|domain| row(domain.to_ascii_lowercase())).collect();
        if subdomains {
            rows.extend(domains.iter().map(|domain| row(format!(".{}", domain.to_ascii_lowercase()))));
        }
        SigningTable { kind: Kind::Exact, rows, multiple: false }
    }

    /// Names of keys, and `i=` where there is one, for a sender.
    pub(crate) fn find(&self, sender: &str) -> Vec<(&str, Option<&str>)> {
        let sender = sender.to_ascii_lowercase();
        let found: Vec<&Row> = match self.kind {
            Kind::Patterns => self.rows.iter().filter(|row| like(&row.pattern, &sender)).collect(),
            Kind::Exact => {
                let keys = spellings(&sender);
                keys.iter().flat_map(|key| self.rows.iter().filter(move |row| row.pattern == *key)).collect()
            }
        };
        let count = if self.multiple { found.len() } else { 1 };
        found.into_iter().take(count).map(|row| (row.key.as_str(), row.identity.as_deref())).collect()
    }
}

/// In which forms a sender is looked for, in this order.
fn spellings(sender: &str) -> Vec<String> {
    let (local, domain) = sender.rsplit_once('@').unwrap_or(("", sender));
    let parents: Vec<&str> = domain.match_indices('.').map(|(at, _)| &domain[at..]).collect();
    let mut keys = vec![sender.to_owned(), domain.to_owned()];
    keys.extend(parents.iter().map(|parent| format!("{local}@{parent}")));
    keys.extend(parents.iter().map(|parent| (*parent).to_owned()));
    keys.extend([format!("{local}@*"), "*".to_owned()]);
    keys
}

/// Whether `*` in a pattern can stand for something that makes it the text.
fn like(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(before) = last.replace(piece) {
            let Some(at) = rest.find(before) else { return false };
            rest = &rest[at + before.len()..];
        }
    }
    match last {
        None => rest.is_empty(),
        Some(last) => rest.ends_with(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(like("*@a.test", "me@a.test") && !like("*@a.test", "me@b.a.test"));
        assert!(like("*@*.a.test", "me@b.a.test") && like("*", "x") && like("me@*", "me@x"));
        assert!(!like("a*a", "a") && like("a*b*c", "a-b-b-c") && !like("a*b*c", "a-c-b"));
    }

    #[test]
    fn forms_of_a_sender() {
        let forms = spellings("me@b.a.test");
        let expected = ["me@b.a.test", "b.a.test", "me@.a.test", "me@.test", ".a.test", ".test", "me@*", "*"];
        assert_eq!(forms, expected);
    }

    #[test]
    fn key_lines() {
        let line = |text: &str| key_line(&Line { text: text.to_owned(), place: None });
        let (name, domain, selector, key) =
            line("mail._domainkey.chapril.org chapril.org:mail:/etc/postfix/dkim/mail.private").unwrap();
        assert_eq!((name.as_str(), domain.as_str()), ("mail._domainkey.chapril.org", "chapril.org"));
        assert!(selector == "mail" && matches!(key, KeyEntry::File(_)));
        assert!(line("x").is_err() && line("x a.test:mail").is_err() && line("x %:mail:/keys/%").is_err());
        assert!(matches!(line("x %:mail:MIIabc").unwrap().3, KeyEntry::Here(_)));
    }
}
