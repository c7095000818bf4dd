//! Domains with their parents, and networks with theirs: the order in which access and transport tables are searched.

use std::net::IpAddr;

use mail::Trouble;

use crate::maps::Part;
use crate::{Found, Maps};

/// How a domain's parents are written in a table (`parent_domain_matches_subdomains`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parents {
    /// `example.org` also means its subdomains.
    Match,
    /// `.example.org` means the subdomains of `example.org`.
    Dotted,
}

impl Maps {
    /// Looks up a domain, then its parents one by one. The whole name is asked of every table, its parents
    /// only of tables with fixed keys. An address literal `[…]` has no parents.
    pub async fn find_domain(&self, domain: &str, parents: Parents) -> Result<Option<Found>, Trouble> {
        let mut part = Part::Whole;
        for key in domain_keys(domain, parents) {
            if let Some(found) = self.search(key.as_bytes(), part).await? {
                return Ok(Some(found));
            }
            part = Part::Partial;
        }
        Ok(None)
    }

    /// Looks up a network address, then shorter and shorter prefixes of it (`1.2.3.4`, `1.2.3`, `1.2`, `1`).
    pub async fn find_network(&self, address: IpAddr) -> Result<Option<Found>, Trouble> {
        let text = address.to_string();
        let separator = if address.is_ipv6() { ':' } else { '.' };
        let mut key = text.as_str();
        let mut part = Part::Whole;
        loop {
            if let Some(found) = self.search(key.as_bytes(), part).await? {
                return Ok(Some(found));
            }
            part = Part::Partial;
            match key.rfind(separator) {
                Some(at) => key = &key[..at],
                None => return Ok(None),
            }
        }
    }
}

/// `a.b.c`, then `b.c`, `c` or `.b.c`, `.c`.
pub fn domain_keys(domain: &str, parents: Parents) -> impl Iterator<Item = &str> {
    let mut next = Some(domain);
    std::iter::from_fn(move || {
        let key = next?;
        let rest = key.strip_prefix('.').unwrap_or(key);
        next = match rest.find('.') {
            _ if domain.starts_with('[') => None,
            Some(at) if parents == Parents::Dotted => Some(&rest[at..]).filter(|key| key.len() > 1),
            Some(at) => Some(&rest[at + 1..]).filter(|key| !key.is_empty()),
            None => None,
        };
        Some(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_of_a_domain() {
        let keys = |domain, parents| domain_keys(domain, parents).collect::<Vec<_>>();
        assert_eq!(keys("a.b.c", Parents::Match), ["a.b.c", "b.c", "c"]);
        assert_eq!(keys("a.b.c", Parents::Dotted), ["a.b.c", ".b.c", ".c"]);
        assert_eq!(keys("[1.2.3.4]", Parents::Match), ["[1.2.3.4]"]);
        assert_eq!(keys("c", Parents::Dotted), ["c"]);
        assert_eq!(keys("c.", Parents::Dotted), ["c."]);
    }
}
