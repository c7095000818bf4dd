//! Domains taken over in an emergency: their own server is down, and mail goes to the backup mailboxes meanwhile.
//!
//! `facteur domain takeover` and `giveback` write the file; a change is seen by the next look-up, without a reload. An
//! address is looked for in virtual_alias_maps first: what is listed there keeps its meaning.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use mail::{Because, Trail, Trouble};
use tables::Watched;

/// A domain that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The domain, in lower case.
    pub domain: String,
    /// What becomes of its mail.
    pub way: Way,
    /// When it was taken over, in the form of RFC 3339.
    pub since: String,
}

/// What becomes of the mail of a domain that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It goes to the same users of another domain, whose mailboxes are here.
    To(String),
    /// It takes this `transport:nexthop`, to the server that has the mailboxes.
    Via(String),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::To(domain) => write!(f, "to {domain}"),
            Way::Via(transport) => write!(f, "via {transport}"),
        }
    }
}

/// What stands above the lines of the file.
const HEAD: &str = "# Domains taken over: kept by `facteur domain takeover` and `facteur domain giveback`.\n";

/// Reads the file; without it, nothing is taken over.
///
/// # Errors
/// It cannot be read or understood: a sentence.
pub fn read(path: &Path) -> Result<Vec<Takeover>, String> {
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("open {shown}: {error}")),
    };
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let way = match words.as_slice() {
            [] => continue,
            [first, ..] if first.starts_with('#') => continue,
            [_, "to", backup, _] => Way::To(backup.to_ascii_lowercase()),
            [_, "via", transport, _] => Way::Via((*transport).to_owned()),
            _ => {
                let number = number + 1;
                return Err(format!(
                    "{shown}, line {number}: \"DOMAIN to BACKUP TIME\" or \"DOMAIN via TRANSPORT:NEXTHOP TIME\" is expected"
                ));
            }
        };
        found.push(Takeover { domain: words[0].to_ascii_lowercase(), way, since: words[3].to_owned() });
    }
    Ok(found)
}

/// The text of the file.
pub fn text(takeovers: &[Takeover]) -> String {
    let mut text = HEAD.to_owned();
    for Takeover { domain, way, since } in takeovers {
        text.push_str(&format!("{domain} {way} {since}\n"));
    }
    text
}

/// The file, read again whenever it changes.
pub(crate) struct Takeovers {
    path: PathBuf,
    state: RwLock<State>,
}

struct State {
    seen: Watched,
    found: Result<Vec<Takeover>, String>,
}

impl Takeovers {
    pub fn new(path: PathBuf) -> Takeovers {
        let seen = Watched::now(&path);
        let found = read(&path);
        Takeovers { path, state: RwLock::new(State { seen, found }) }
    }

    /// What becomes of the mail of a domain.
    pub fn find(&self, domain: &str, trail: &mut Trail) -> Result<Option<Way>, Trouble> {
        let known = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            (!state.seen.has_changed()).then(|| state.way(domain))
        };
        let way = match known {
            Some(way) => way,
            None => {
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                state.seen = Watched::now(&self.path);
                state.found = read(&self.path);
                state.way(domain)
            }
        };
        let way = way.map_err(Trouble::new)?;
        if let Some(way) = &way {
            trail.note(|| Because {
                parameter: "domain_takeover_file".to_owned(),
                source: Some(self.path.display().to_string()),
                key: Some(domain.to_owned()),
                found: way.to_string(),
                ..Because::default()
            });
        }
        Ok(way)
    }

    /// The address that gets the mail of this one, if its domain is taken over by mailboxes here.
    pub fn stand_in(&self, address: &str, trail: &mut Trail) -> Result<Option<String>, Trouble> {
        let (local, Some(domain)) = mail::address::split(address) else { return Ok(None) };
        Ok(match self.find(domain, trail)? {
            Some(Way::To(backup)) => Some(format!("{local}@{backup}")),
            Some(Way::Via(_)) | None => None,
        })
    }
}

impl State {
    fn way(&self, domain: &str) -> Result<Option<Way>, String> {
        let found = self.found.as_ref().map_err(String::clone)?;
        let of = found.iter().find(|takeover| takeover.domain.eq_ignore_ascii_case(domain));
        Ok(of.map(|takeover| takeover.way.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{now, router};
    use crate::{DomainClass, Listing};
    use mail::Address;

    #[test]
    fn a_change_of_the_file_is_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("takeover");
        let router = router(&format!(
            "domain_takeover_file = {}\nrelay_domains = sn.test, ml.test\nvirtual_mailbox_domains = backup.test\n\
             virtual_mailbox_maps = inline:{{ ann@backup.test=x }}\nvirtual_alias_maps = inline:{{ boss@sn.test=ann@far.test }}",
            file.display()
        ));
        let expand = |address: &str| {
            now(router.expand(&address.into(), &mut Trail::off()))
                .map(|all| all.iter().map(Address::to_string).collect::<Vec<_>>().join(" "))
        };
        let stop =
            |address: &str| now(router.resolve(&"".into(), &address.into(), &mut Trail::off())).unwrap();
        let listed = |address: &str| {
            now(router.listed_recipient(&address.into(), &stop(address), &mut Trail::off())).unwrap()
        };
        assert_eq!(expand("ann@sn.test").unwrap(), "ann@sn.test");
        assert_eq!(
            (stop("ann@sn.test").class, listed("nobody@sn.test")),
            (DomainClass::Relay, Listing::Listed)
        );
        let taken = [
            Takeover { domain: "sn.test".into(), way: Way::To("backup.test".into()), since: "now".into() },
            Takeover { domain: "ml.test".into(), way: Way::Via("smtp:[box]:25".into()), since: "now".into() },
        ];
        std::fs::write(&file, text(&taken)).unwrap();
        assert_eq!(read(&file).unwrap(), taken);
        assert_eq!(expand("ann@SN.test").unwrap(), "ann@backup.test");
        assert_eq!(expand("boss@sn.test").unwrap(), "ann@far.test", "an alias of its own keeps its meaning");
        assert_eq!(
            (stop("ann@sn.test").class, listed("ann@sn.test")),
            (DomainClass::VirtualAlias, Listing::Listed)
        );
        assert_eq!(listed("nobody@sn.test"), Listing::Unknown(DomainClass::VirtualMailbox));
        assert_eq!(listed("boss@sn.test"), Listing::Listed);
        let other = stop("ann@ml.test");
        assert_eq!((other.transport.as_str(), other.nexthop.as_str()), ("smtp", "[box]:25"));
        std::fs::write(&file, "sn.test to\n").unwrap();
        assert!(expand("ann@sn.test").is_err(), "nobody can tell");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(expand("ann@sn.test").unwrap(), "ann@sn.test");
    }
}
