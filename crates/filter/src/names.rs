//! What is a host name, and what is an address, in the eyes of Postfix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest host name and longest label (RFC 1035 2.3.4).
const NAME: usize = 255;
const LABEL: usize = 63;

/// Letters, digits, `-` and `_` in labels; not all digits; no dash at the end of a label; no empty label.
///
/// A name beyond ASCII is judged by its ASCII form (RFC 5890).
pub(crate) fn is_host_name(name: &str) -> bool {
    if !name.is_ascii() {
        return name.chars().all(|c| !c.is_control() && !c.is_whitespace())
            && name.split('.').all(|label| !label.is_empty());
    }
    let label_fits = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= NAME
        && name.split('.').all(label_fits)
        && name.bytes().any(|b| !b.is_ascii_digit() && b != b'.')
}

/// An address without brackets. No leading zeros in IPv4.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    if let Ok(v4) = text.parse::<Ipv4Addr>() {
        return Some(v4.into());
    }
    text.parse::<Ipv6Addr>().ok().map(IpAddr::from)
}

/// An address literal's content: `192.0.2.1`, `IPv6:2001:db8::1` (RFC 5321 4.1.3).
pub(crate) fn literal(text: &str) -> Option<IpAddr> {
    match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            text[5..].parse::<Ipv6Addr>().ok().map(IpAddr::from)
        }
        _ => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
    }
}

/// `[…]`: a domain that names a host without the DNS.
pub(crate) fn is_bracketed(domain: &str) -> bool {
    domain.starts_with('[') && domain.ends_with(']')
}

/// What stands after the last `@`, or all of it.
pub(crate) fn domain_of(text: &str) -> &str {
    text.rfind('@').map_or(text, |at| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for (name, fits) in [
            ("a.example", true),
            ("a_b.example", true),
            ("nodots", true),
            ("3com.example", true),
            ("-dash.test", false),
            ("dash-.test", false),
            ("a..b", false),
            ("a.b.", false),
            ("1.2.3.4", false),
            ("127", false),
            ("a b", false),
            ("", false),
        ] {
            assert_eq!(is_host_name(name), fits, "{name}");
        }
        assert!(!is_host_name(&"a".repeat(64)));
        assert!(is_host_name("jérôme.test"));
    }

    #[test]
    fn literals() {
        assert!(literal("127.0.0.1").is_some() && literal("IPv6:::1").is_some());
        assert!(literal("::1").is_none() && literal("1.2.3").is_none() && literal("IPv6:1.2.3.4").is_none());
    }
}
