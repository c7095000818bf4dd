//! Domain classes: which of a site's lists claims a domain (ADDRESS_CLASS_README).

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Mutex;

use mail::logline::printable;
use mail::{Because, Trail, Trouble};
use tables::List;

use crate::open::Opener;
use crate::takeover::{Takeovers, Way};

/// The class of a domain: it decides the transport and which table lists the recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainClass {
    /// `mydestination`, or an address literal of one of our interfaces.
    Local,
    /// `virtual_alias_domains`.
    VirtualAlias,
    /// `virtual_mailbox_domains`.
    VirtualMailbox,
    /// `relay_domains`.
    Relay,
    /// None of ours.
    Default,
}

impl DomainClass {
    /// The parameter that lists the domains of the class.
    pub fn parameter(self) -> &'static str {
        match self {
            DomainClass::Local => "mydestination",
            DomainClass::VirtualAlias => "virtual_alias_domains",
            DomainClass::VirtualMailbox => "virtual_mailbox_domains",
            DomainClass::Relay => "relay_domains",
            DomainClass::Default => "default_transport",
        }
    }
}

/// How many domains are remembered as checked for standing in two lists.
const CHECKED: usize = 1000;

/// The lists of domains of one configuration.
pub(crate) struct Classes {
    mydestination: List,
    virtual_alias_domains: List,
    virtual_mailbox_domains: List,
    relay_domains: List,
    /// Domains that are not what the lists say, for the moment.
    pub takeovers: Takeovers,
    origin: String,
    own: Vec<IpAddr>,
    /// Domains already checked for conflicts; `None` when nobody wants to hear of them.
    checked: Option<Mutex<HashSet<String>>>,
}

impl Classes {
    /// `own` are the addresses of `inet_interfaces` and `proxy_interfaces`.
    pub fn new(opener: &mut Opener<'_>, own: Vec<IpAddr>) -> Classes {
        Classes {
            mydestination: opener.names("mydestination"),
            virtual_alias_domains: opener.names("virtual_alias_domains"),
            virtual_mailbox_domains: opener.names("virtual_mailbox_domains"),
            relay_domains: opener.domains("relay_domains"),
            takeovers: Takeovers::new(opener.view.get("domain_takeover_file").into()),
            origin: opener.view.get("myorigin"),
            own,
            checked: (opener.view.get("helpful_warnings") == "yes").then(Mutex::default),
        }
    }

    /// The addresses of `inet_interfaces` and `proxy_interfaces`.
    pub fn own(&self) -> &[IpAddr] {
        &self.own
    }

    /// Is `address` one of our own?
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address.to_canonical())
    }

    /// Is the domain in `mydestination`, or an address literal of ours? One dot at its end does not count.
    pub async fn is_local(&self, domain: &str, trail: &mut Trail) -> Result<bool, Trouble> {
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        if domain.is_empty() || domain.ends_with('.') {
            return Ok(false);
        }
        if matches(&self.mydestination, domain, trail).await? {
            return Ok(true);
        }
        let ours = literal(domain).is_some_and(|address| self.is_own(address));
        if ours {
            trail.note(|| because("inet_interfaces", domain, "one of our addresses"));
        }
        Ok(ours)
    }

    /// Do `user` keys of canonical and alias tables mean addresses in this domain?
    pub async fn is_home(&self, domain: &str, trail: &mut Trail) -> Result<bool, Trouble> {
        Ok(domain.eq_ignore_ascii_case(&self.origin) || self.is_local(domain, trail).await?)
    }

    /// The class of a domain that is not local.
    pub async fn foreign(&self, domain: &str, trail: &mut Trail) -> Result<DomainClass, Trouble> {
        if let Some(Way::To(_)) = self.takeovers.find(domain, trail)? {
            return Ok(DomainClass::VirtualAlias);
        }
        for class in [DomainClass::VirtualAlias, DomainClass::VirtualMailbox, DomainClass::Relay] {
            if matches(self.list(class), domain, trail).await? {
                return Ok(class);
            }
        }
        Ok(DomainClass::Default)
    }

    /// The class of any domain.
    pub async fn class(&self, domain: &str, trail: &mut Trail) -> Result<DomainClass, Trouble> {
        match self.is_local(domain, trail).await? {
            true => Ok(DomainClass::Local),
            false => self.foreign(domain, trail).await,
        }
    }

    fn list(&self, class: DomainClass) -> &List {
        match class {
            DomainClass::VirtualAlias => &self.virtual_alias_domains,
            DomainClass::VirtualMailbox => &self.virtual_mailbox_domains,
            DomainClass::Relay => &self.relay_domains,
            DomainClass::Local | DomainClass::Default => &self.mydestination,
        }
    }

    /// Warns, once a domain, when it stands in the lists of two classes (`helpful_warnings`).
    pub async fn warn_of_conflicts(&self, domain: &str, class: DomainClass) {
        use DomainClass::{Local, Relay, VirtualAlias, VirtualMailbox};
        let others: &[DomainClass] = match class {
            Local => &[VirtualAlias, VirtualMailbox],
            VirtualAlias => &[VirtualMailbox, Relay],
            VirtualMailbox => &[Relay],
            Relay | DomainClass::Default => return,
        };
        let taken = matches!(self.takeovers.find(domain, &mut Trail::off()), Ok(Some(_)));
        if taken || self.is_checked(domain) {
            return;
        }
        for other in others {
            if let Ok(true) = matches(self.list(*other), domain, &mut Trail::off()).await {
                log::warn!(
                    target: "trivial-rewrite",
                    "do not list domain {} in BOTH {} and {}",
                    printable(domain),
                    class.parameter(),
                    other.parameter()
                );
            }
        }
    }

    fn is_checked(&self, domain: &str) -> bool {
        let Some(checked) = &self.checked else { return true };
        let mut checked = checked.lock().expect("nobody panics while holding it");
        checked.len() >= CHECKED || !checked.insert(domain.to_ascii_lowercase())
    }
}

async fn matches(list: &List, domain: &str, trail: &mut Trail) -> Result<bool, Trouble> {
    if list.is_empty() {
        return Ok(false);
    }
    let found = list.matches(domain).await?;
    if found {
        trail.note(|| because(list.parameter(), domain, "listed"));
    }
    Ok(found)
}

fn because(parameter: &str, key: &str, found: &str) -> Because {
    Because {
        parameter: parameter.to_owned(),
        key: Some(key.to_owned()),
        found: found.to_owned(),
        ..Because::default()
    }
}

/// The address in an RFC 5321 literal: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
pub(crate) fn literal(domain: &str) -> Option<IpAddr> {
    let inside = domain.strip_prefix('[')?.strip_suffix(']')?;
    match inside.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("IPv6:") => inside[5..].parse().ok().map(IpAddr::V6),
        _ => inside.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_as_rfc_5321_writes_them() {
        for (domain, address) in [
            ("[192.0.2.1]", Some("192.0.2.1")),
            ("[IPv6:::1]", Some("::1")),
            ("[ipv6:2001:db8::1]", Some("2001:db8::1")),
            ("[::1]", None),
            ("[192.0.2]", None),
            ("192.0.2.1", None),
            ("[x", None),
            ("[]", None),
        ] {
            assert_eq!(literal(domain), address.map(|text| text.parse().unwrap()), "{domain}");
        }
    }
}
