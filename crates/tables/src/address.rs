//! The keys under which a mail address is looked up.

use mail::Trouble;
use mail::address::{quote_local, split, split_extension};

use crate::maps::Part;
use crate::parents::domain_keys;
use crate::{Found, Maps, Parents};

/// Which keys to try for an address, in the order of the fields.
///
/// The search order of virtual(5), canonical(5), access(5) and transport(5) are choices of these.
#[derive(Clone, Copy, Debug)]
pub struct AddressSearch<'a> {
    /// `recipient_delimiter`: where extensions begin. Empty: nowhere.
    pub delimiter: &'a str,
    /// `user+ext@domain`, then without the extension.
    pub full: bool,
    /// `user+ext`, then `user`, when the domain is local (`myorigin`, `mydestination`, our interfaces).
    pub user: bool,
    /// Is the domain of the address local in that sense? The caller knows.
    pub domain_is_local: bool,
    /// `@domain`
    pub at_domain: bool,
    /// `domain`, and its parents in this form.
    pub domain: Option<Parents>,
    /// `user+ext@`, `user@`, wherever the domain is, which access(5) has last.
    pub user_at: bool,
}

impl<'a> AddressSearch<'a> {
    /// The order of canonical(5), virtual(5), generic(5), relocated(5): full address, bare address, local
    /// user, `@domain`.
    pub fn standard(delimiter: &'a str, domain_is_local: bool) -> AddressSearch<'a> {
        AddressSearch {
            delimiter,
            full: true,
            user: true,
            domain_is_local,
            at_domain: true,
            domain: None,
            user_at: false,
        }
    }

    /// The order of access(5) for addresses: full address, bare address, domain and its parents, `user@`.
    pub fn access(delimiter: &'a str, parents: Parents) -> AddressSearch<'a> {
        AddressSearch {
            delimiter,
            full: true,
            user: false,
            domain_is_local: false,
            at_domain: false,
            domain: Some(parents),
            user_at: true,
        }
    }
}

impl Maps {
    /// Looks up an address in internal form. Each key is asked in its quoted form first, then in its unquoted
    /// form where that differs, as Postfix does since 3.2.
    ///
    /// # Errors
    /// A table failed; no later key was tried.
    pub async fn find_address(
        &self,
        address: &str,
        search: AddressSearch<'_>,
    ) -> Result<Option<Found>, Trouble> {
        for (key, part, extension) in keys(address, search) {
            let quoted = quoted(&key);
            if let Some(quoted) = quoted
                && let Some(found) = self.search(quoted.as_bytes(), part).await?
            {
                return Ok(Some(Found { extension, ..found }));
            }
            if let Some(found) = self.search(key.as_bytes(), part).await? {
                return Ok(Some(Found { extension, ..found }));
            }
        }
        Ok(None)
    }
}

/// The key with its local part quoted, where that changes it. Domains and `@domain` are never quoted.
fn quoted(key: &str) -> Option<String> {
    let (local, domain) = split(key);
    if local.is_empty() {
        return None;
    }
    let quoted = quote_local(local);
    (quoted != local).then(|| match domain {
        Some(domain) => format!("{quoted}@{domain}"),
        None => quoted,
    })
}

type Key = (String, Part, Option<String>);

/// The keys in order, each with the extension it lacks.
fn keys(address: &str, search: AddressSearch<'_>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let (local, domain) = split(address);
    let bare = split_extension(local, search.delimiter)
        .map(|(user, delimiter, extension)| (user, format!("{delimiter}{extension}")));
    let mut with_and_without = |end: &str, first: Part| {
        keys.push((format!("{local}{end}"), first, None));
        if let Some((user, extension)) = &bare {
            keys.push((format!("{user}{end}"), Part::Partial, Some(extension.clone())));
        }
    };
    let at_domain = domain.map(|domain| format!("@{domain}"));
    if search.full {
        with_and_without(at_domain.as_deref().unwrap_or(""), Part::Whole);
    }
    if let (Some(domain), Some(at_domain)) = (domain, at_domain) {
        if search.user && search.domain_is_local {
            with_and_without("", Part::Partial);
        }
        let mut others = Vec::new();
        if search.at_domain {
            others.push((at_domain, Part::Partial, None));
        }
        if let Some(parents) = search.domain {
            others.extend(domain_keys(domain, parents).map(|key| (key.to_owned(), Part::Partial, None)));
        }
        keys.append(&mut others);
    }
    if search.user_at {
        keys.push((format!("{local}@"), Part::Partial, None));
        if let Some((user, extension)) = bare {
            keys.push((format!("{user}@"), Part::Partial, Some(extension)));
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, search: AddressSearch<'_>, expected: &[&str]) {
        let keys: Vec<_> = keys(address, search).into_iter().map(|(key, ..)| key).collect();
        assert_eq!(keys, expected, "{address}");
    }

    #[test]
    fn keys_in_order() {
        let local = AddressSearch::standard("+", true);
        check("u+x@d.org", local, &["u+x@d.org", "u@d.org", "u+x", "u", "@d.org"]);
        check("u@d.org", AddressSearch::standard("+", false), &["u@d.org", "@d.org"]);
        check("u+x", local, &["u+x", "u"]);
        check(
            "u+x@a.d.org",
            AddressSearch::access("+", Parents::Match),
            &["u+x@a.d.org", "u@a.d.org", "a.d.org", "d.org", "org", "u+x@", "u@"],
        );
        check(
            "u@a.d.org",
            AddressSearch::access("", Parents::Dotted),
            &["u@a.d.org", "a.d.org", ".d.org", ".org", "u@"],
        );
    }

    #[test]
    fn quoting_where_it_changes_the_key() {
        assert_eq!(quoted("a b@d"), Some("\"a b\"@d".to_owned()));
        for key in ["a@d", "@d", "d.org"] {
            assert_eq!(quoted(key), None);
        }
    }
}
