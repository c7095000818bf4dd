//! transport(5): a table that overrides transport, next hop, or both.

use mail::{Trail, Trouble};
use tables::{AddressSearch, Maps, Parents};

use crate::mapping::note;

/// `transport_maps` of one configuration, or of its probes.
pub(crate) struct TransportMaps {
    pub maps: Maps,
    pub parents: Parents,
}

/// What is overridden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// The transport; `None` keeps it.
    pub transport: Option<String>,
    /// The next hop; `None` keeps it, or makes it the recipient's domain when the transport changes.
    pub nexthop: Option<String>,
}

impl TransportMaps {
    /// Searches for `user+ext@domain`, `user@domain`, `domain`, its parents, `*`.
    pub async fn find(
        &self,
        delimiter: &str,
        recipient: &str,
        trail: &mut Trail,
    ) -> Result<Option<Override>, Trouble> {
        if self.maps.is_empty() {
            return Ok(None);
        }
        let search = AddressSearch {
            delimiter,
            full: true,
            user: false,
            domain_is_local: false,
            user_at: false,
            at_domain: false,
            domain: Some(self.parents),
        };
        let mut found = self.maps.find_address(recipient, search).await?;
        if found.is_none() {
            found = self.maps.find("*").await?;
        }
        note(trail, &self.maps, recipient, found.as_ref());
        Ok(found.map(|found| parse(&found.value)))
    }
}

/// `transport:nexthop`; either half may be missing.
pub(crate) fn parse(value: &str) -> Override {
    let (transport, nexthop) = value.split_once(':').unwrap_or((value, ""));
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Override { transport: given(transport), nexthop: given(nexthop) }
}

impl Override {
    /// Applies it to what was resolved without it.
    pub fn apply(self, domain: &str, transport: &mut String, nexthop: &mut String) {
        match self.transport {
            None => {
                if let Some(given) = self.nexthop {
                    *nexthop = given;
                }
            }
            Some(given) => {
                // The text of an error is no place to fall back to a domain name.
                let default = if is_error(&given) { "Address is undeliverable" } else { domain };
                *nexthop = self.nexthop.unwrap_or_else(|| default.to_owned());
                *transport = given;
            }
        }
    }
}

/// Is the next hop of this transport a text that says why nothing is delivered?
pub(crate) fn is_error(transport: &str) -> bool {
    matches!(transport, "error" | "retry")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_result() {
        for (value, transport, nexthop) in [
            (":", "smtp", "relay.test"),
            (":[other.test]:25", "smtp", "[other.test]:25"),
            ("slow:", "slow", "d.test"),
            ("slow", "slow", "d.test"),
            ("smtp:", "smtp", "d.test"),
            ("lmtp:unix:/run/lmtp", "lmtp", "unix:/run/lmtp"),
            ("error:5.1.1 no such: user", "error", "5.1.1 no such: user"),
            ("error:", "error", "Address is undeliverable"),
            ("retry", "retry", "Address is undeliverable"),
        ] {
            let (mut to, mut hop) = ("smtp".to_owned(), "relay.test".to_owned());
            parse(value).apply("d.test", &mut to, &mut hop);
            assert_eq!((to.as_str(), hop.as_str()), (transport, nexthop), "{value}");
        }
    }
}
