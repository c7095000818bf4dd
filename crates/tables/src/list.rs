//! Match lists: `mynetworks`, `mydestination`, `relay_domains` and their like.

use std::net::IpAddr;
use std::sync::Arc;

use mail::Trouble;

use crate::files::Watched;
use crate::lines::logical_lines;
use crate::maps::Part;
use crate::network::Network;
use crate::source::{reason, shown};
use crate::spec::divide;
use crate::{Fault, Maps, Parents, Tables};

/// A list of patterns, tried in order: `name`, `.parent`, `!negated`, `/file/name`, `type:table`, networks.
/// The first that matches decides.
#[derive(Clone)]
pub struct List {
    parameter: Arc<str>,
    kind: Kind,
    items: Arc<[Item]>,
    files: Arc<[Watched]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Strings,
    Domains(Parents),
    Hosts(Parents),
}

struct Item {
    negated: bool,
    pattern: Pattern,
}

enum Pattern {
    /// A string, domain or host name, or an address that stands alone, in lower case.
    Name(String),
    /// A network with its mask.
    Network(Network),
    Table(Maps),
    /// What cannot be used: matching it is trouble.
    Broken {
        text: String,
        why: String,
    },
}

/// Files that name files that name files: no deeper than this.
const DEPTH_MAX: usize = 10;

impl Tables {
    /// A list of plain strings.
    ///
    /// # Errors
    /// See [`Tables::maps`]. A file that cannot be read or a bad network is no error here: it is in
    /// [`List::faults`], and trouble when it is reached in a match.
    pub fn string_list(&self, parameter: &str, text: &str) -> Result<List, Fault> {
        self.list(parameter, text, Kind::Strings)
    }

    /// A list of domains (`relay_domains`): a name matches itself, and its subdomains as `parents` says.
    ///
    /// # Errors
    /// As [`Tables::string_list`].
    pub fn domain_list(&self, parameter: &str, text: &str, parents: Parents) -> Result<List, Fault> {
        self.list(parameter, text, Kind::Domains(parents))
    }

    /// A list of host names and network addresses (`mynetworks`, `smtpd_authorized_xclient_hosts`).
    ///
    /// # Errors
    /// As [`Tables::string_list`].
    pub fn host_list(&self, parameter: &str, text: &str, parents: Parents) -> Result<List, Fault> {
        self.list(parameter, text, Kind::Hosts(parents))
    }

    fn list(&self, parameter: &str, text: &str, kind: Kind) -> Result<List, Fault> {
        let mut reader = Reader { tables: self, parameter, kind, items: Vec::new(), files: Vec::new() };
        reader.read(text, false, 0)?;
        Ok(List { parameter: parameter.into(), kind, items: reader.items.into(), files: reader.files.into() })
    }
}

struct Reader<'a> {
    tables: &'a Tables,
    parameter: &'a str,
    kind: Kind,
    items: Vec<Item>,
    files: Vec<Watched>,
}

impl Reader<'_> {
    fn read(&mut self, text: &str, negated: bool, depth: usize) -> Result<(), Fault> {
        for piece in divide(text) {
            let name = piece.trim_start_matches('!');
            let negated = negated != ((piece.len() - name.len()) % 2 == 1);
            let fault = |why: &str| Fault {
                parameter: self.parameter.to_owned(),
                table: piece.to_owned(),
                why: why.to_owned(),
            };
            if name.is_empty() {
                return Err(fault("no pattern after '!'"));
            }
            if name.starts_with('#') {
                return Err(fault("comment at end of line is not supported"));
            }
            if name.starts_with('/') {
                self.file(name, negated, depth)?;
                continue;
            }
            let pattern = match name.contains(':') && !name.starts_with('[') {
                true => Pattern::Table(self.tables.maps(self.parameter, name)?),
                false => self.pattern(name),
            };
            self.items.push(Item { negated, pattern });
        }
        Ok(())
    }

    fn pattern(&self, name: &str) -> Pattern {
        let network = matches!(self.kind, Kind::Hosts(_)) && name.contains('/');
        if !network {
            return Pattern::Name(name.to_lowercase());
        }
        match Network::parse(name) {
            Ok(network) => Pattern::Network(network),
            Err(why) => Pattern::Broken { text: name.to_owned(), why },
        }
    }

    fn file(&mut self, name: &str, negated: bool, depth: usize) -> Result<(), Fault> {
        let broken = |why| Pattern::Broken { text: name.to_owned(), why };
        let pattern = match conf::secrets::read(name) {
            _ if depth == DEPTH_MAX => broken("files nested too deeply".to_owned()),
            Err(error) => broken(format!("open file {name}: {}", reason(&error))),
            Ok(text) => {
                self.files.push(Watched::now(name));
                let mut orphans = Vec::new();
                let lines: Vec<_> = logical_lines(&text, |text| orphans.push(shown(text)))
                    .map(|line| String::from_utf8_lossy(&line.text).into_owned())
                    .collect();
                for orphan in orphans {
                    let program = self.tables.settings().program;
                    log::warn!(target: program, "{name}: logical line must not start with whitespace: \"{orphan}\"");
                }
                for line in lines {
                    self.read(&line, negated, depth + 1)?;
                }
                return Ok(());
            }
        };
        self.items.push(Item { negated, pattern });
        Ok(())
    }
}

impl List {
    /// The parameter this list belongs to.
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// No pattern at all.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Files named in the list that have changed since it was read: time to reload.
    pub fn changed_files(&self) -> bool {
        self.files.iter().any(Watched::has_changed)
    }

    /// The parts that cannot be used, with the reason.
    pub fn faults(&self) -> Vec<Fault> {
        let fault = |item: &Item| match &item.pattern {
            Pattern::Table(maps) => maps.faults(),
            Pattern::Broken { text, why } => {
                vec![Fault { parameter: self.parameter.to_string(), table: text.clone(), why: why.clone() }]
            }
            Pattern::Name(_) | Pattern::Network(_) => Vec::new(),
        };
        self.items.iter().flat_map(fault).collect()
    }

    /// Does the string or domain match?
    ///
    /// # Errors
    /// A table or file that was reached failed: nobody knows.
    pub async fn matches(&self, name: &str) -> Result<bool, Trouble> {
        Ok(self.find(Some(name), None).await?.is_some_and(|(yes, _)| yes))
    }

    /// Does the host match, by name or by address? An unknown name is `unknown`, as Postfix has it.
    ///
    /// # Errors
    /// As [`List::matches`].
    pub async fn matches_host(&self, name: &str, address: IpAddr) -> Result<bool, Trouble> {
        Ok(self.find(Some(name), Some(address)).await?.is_some_and(|(yes, _)| yes))
    }

    /// The pattern that decided about a string, domain or host, as written, and which way.
    ///
    /// # Errors
    /// As [`List::matches`].
    pub async fn decided_by(
        &self,
        name: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<(bool, String)>, Trouble> {
        let decided = self.find(Some(name), address).await?;
        Ok(decided.map(|(yes, item)| {
            let mark = if item.negated { "!" } else { "" };
            let text = match &item.pattern {
                Pattern::Name(name) => name.clone(),
                Pattern::Network(network) => network.to_string(),
                Pattern::Table(maps) => maps.names(),
                Pattern::Broken { text, .. } => text.clone(),
            };
            (yes, format!("{mark}{text}"))
        }))
    }

    async fn find(
        &self,
        name: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Option<(bool, &Item)>, Trouble> {
        let name = name.map(str::to_lowercase);
        let text = address.map(|address| address.to_string());
        for item in self.items.iter() {
            let by_name = match &name {
                Some(name) => self.name_matches(item, name).await?,
                None => false,
            };
            let matched = by_name
                || match (&text, address) {
                    (Some(text), Some(address)) => self.address_matches(item, text, address).await?,
                    _ => false,
                };
            if matched {
                return Ok(Some((!item.negated, item)));
            }
        }
        Ok(None)
    }

    async fn name_matches(&self, item: &Item, name: &str) -> Result<bool, Trouble> {
        let parents = match self.kind {
            Kind::Strings => None,
            Kind::Domains(parents) | Kind::Hosts(parents) => Some(parents),
        };
        match (&item.pattern, parents) {
            (Pattern::Table(maps), None) => Ok(maps.search_any(name.as_bytes(), Part::Whole).await?),
            (Pattern::Table(maps), Some(parents)) => self.domain_in_table(maps, name, parents).await,
            (Pattern::Name(pattern), None) => Ok(pattern == name),
            (Pattern::Name(pattern), Some(parents)) => Ok(domain_matches(name, pattern, parents)),
            (Pattern::Network(_), _) => Ok(false),
            (Pattern::Broken { text, why }, _) => {
                Err(Trouble::new(format!("{}: {text}: {why}", self.parameter)))
            }
        }
    }

    /// The name, then its parents from the left.
    async fn domain_in_table(&self, maps: &Maps, name: &str, parents: Parents) -> Result<bool, Trouble> {
        let mut key = name;
        let mut part = Part::Whole;
        while !key.is_empty() {
            if maps.search_any(key.as_bytes(), part).await? {
                return Ok(true);
            }
            part = Part::Partial;
            let Some(dot) = key.char_indices().skip(1).find(|(_, c)| *c == '.').map(|(at, _)| at) else {
                break;
            };
            key = match parents {
                Parents::Dotted => &key[dot..],
                Parents::Match => &key[dot + 1..],
            };
        }
        Ok(false)
    }

    async fn address_matches(&self, item: &Item, text: &str, address: IpAddr) -> Result<bool, Trouble> {
        match &item.pattern {
            Pattern::Table(maps) => maps.search_any(text.as_bytes(), Part::Whole).await,
            Pattern::Name(pattern) => {
                let bare = pattern.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
                Ok(bare.unwrap_or(pattern).parse() == Ok(address))
            }
            Pattern::Network(network) => Ok(network.contains(address)),
            Pattern::Broken { .. } => Ok(false),
        }
    }
}

fn domain_matches(name: &str, pattern: &str, parents: Parents) -> bool {
    if name == pattern {
        return true;
    }
    let Some(start) = name.strip_suffix(pattern) else { return false };
    match parents {
        Parents::Match => start.ends_with('.'),
        Parents::Dotted => !start.is_empty() && pattern.starts_with('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn domains(text: &str, parents: Parents) -> List {
        Tables::new(Settings::default()).domain_list("relay_domains", text, parents).unwrap()
    }

    #[test]
    fn domains_match_in_order() {
        use Parents::{Dotted, Match};
        for (text, parents, name, expected) in [
            ("example.org", Match, "example.org", true),
            ("example.org", Match, "a.EXAMPLE.org", true),
            ("example.org", Dotted, "a.example.org", false),
            (".example.org", Dotted, "a.example.org", true),
            (".example.org", Dotted, "example.org", false),
            // Under parent matching a pattern with a dot never matches a subdomain.
            (".example.org", Match, "a.example.org", false),
            ("!a.example.org, example.org", Match, "a.example.org", false),
            ("example.org, !a.example.org", Match, "a.example.org", true),
            ("!!a.org", Match, "a.org", true),
            ("inline:{example.org=x}", Match, "a.b.example.org", true),
            ("inline:{.example.org=x}", Dotted, "a.b.example.org", true),
            ("inline:{.example.org=x}", Dotted, "example.org", false),
            ("static:yes", Match, "any", true),
            ("", Match, "any", false),
        ] {
            assert_eq!(block(domains(text, parents).matches(name)).unwrap(), expected, "{text} {name}");
        }
    }

    #[test]
    fn hosts_match_by_name_or_address() {
        let tables = Tables::new(Settings::default());
        let list = |text| tables.host_list("mynetworks", text, Parents::Match).unwrap();
        for (text, name, address, expected) in [
            ("127.0.0.0/8 [::1]/128", "unknown", "127.0.0.1", true),
            ("127.0.0.0/8 [::1]/128", "unknown", "::1", true),
            ("127.0.0.0/8", "unknown", "128.0.0.1", false),
            ("192.0.2.1 [2001:db8::1]", "unknown", "2001:db8::1", true),
            ("!192.0.2.1 192.0.2.0/24", "unknown", "192.0.2.1", false),
            ("example.org", "mx.example.org", "192.0.2.1", true),
            ("cidr:{{192.0.2.0/24 ok}}", "unknown", "192.0.2.7", true),
            ("inline:{192.0.2.7=ok}", "unknown", "192.0.2.7", true),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(block(list(text).matches_host(name, address)).unwrap(), expected, "{text} {address}");
        }
    }

    #[test]
    fn what_is_broken_is_trouble_not_no() {
        for text in ["10.1.2.3/8", "/nonexistent/file", "fail:x", "hash:/nonexistent/file"] {
            let tables = Tables::new(Settings::default());
            let list = tables.host_list("mynetworks", text, Parents::Match).unwrap();
            let answer = block(list.matches_host("unknown", [10, 1, 2, 3].into()));
            assert!(answer.is_err(), "{text}");
            assert_eq!(list.faults().is_empty(), text == "fail:x", "{text}");
            // What comes before decides first.
            let text = format!("10.1.2.3, {text}");
            let list = tables.host_list("mynetworks", &text, Parents::Match).unwrap();
            assert!(block(list.matches_host("unknown", [10, 1, 2, 3].into())).unwrap());
        }
    }

    #[test]
    fn files_are_lists_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("domains");
        std::fs::write(&path, "# ours\na.org b.org\n  c.org\n!d.org\n").unwrap();
        let text = format!("{}, d.org", path.display());
        let list = domains(&text, Parents::Match);
        for (name, expected) in [("a.org", true), ("c.org", true), ("d.org", false), ("e.org", false)] {
            assert_eq!(block(list.matches(name)).unwrap(), expected, "{name}");
        }
        let list = domains(&format!("!{}", path.display()), Parents::Match);
        assert!(!block(list.matches("a.org")).unwrap());
        assert!(block(list.matches("d.org")).unwrap());
        assert_eq!(block(list.decided_by("a.org", None)).unwrap(), Some((false, "!a.org".to_owned())));
    }
}
