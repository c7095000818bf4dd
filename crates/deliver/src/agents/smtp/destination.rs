//! Next hops as transports give them: `domain`, `[host]`, `host:port`, `[host]:port`, `unix:path`, `inet:…`.

use std::net::IpAddr;
use std::path::PathBuf;

/// Where a next hop leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A host or domain.
    Inet {
        /// Name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
        /// In brackets: no MX look-up.
        literal: bool,
    },
    /// A Unix-domain socket; relative paths are below the queue directory.
    Unix(PathBuf),
}

/// Reads a next hop. The error is a sentence for the log.
pub fn parse(nexthop: &str, default_port: u16, known_ports: &[String]) -> Result<Destination, String> {
    if let Some(path) = strip_prefix_ci(nexthop, "unix:") {
        return Ok(Destination::Unix(PathBuf::from(path)));
    }
    let text = strip_prefix_ci(nexthop, "inet:").unwrap_or(nexthop);
    let bad = || format!("invalid next-hop destination: {}", mail::logline::printable(nexthop));
    let (host, rest, literal) = match text.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']').ok_or_else(bad)?;
            (host, rest.strip_prefix(':').or(rest.is_empty().then_some("")).ok_or_else(bad)?, true)
        }
        // An address without brackets is not divided at its own colons.
        None if text.parse::<IpAddr>().is_ok() => (text, "", false),
        None => {
            let (host, port) = text.split_once(':').unwrap_or((text, ""));
            (host, port, false)
        }
    };
    let host = strip_prefix_ci(host, "ipv6:").filter(|host| host.parse::<IpAddr>().is_ok()).unwrap_or(host);
    if host.is_empty() {
        return Err(bad());
    }
    let port = if rest.is_empty() { default_port } else { port(rest, known_ports).ok_or_else(bad)? };
    Ok(Destination::Inet { host: host.trim_end_matches('.').to_owned(), port, literal })
}

/// A port by number, by `known_tcp_ports` (`smtps=submissions=465`), or by /etc/services.
pub fn port(text: &str, known_ports: &[String]) -> Option<u16> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let known = known_ports.iter().find_map(|entry| {
        let (names, number) = entry.rsplit_once('=')?;
        names.split('=').any(|name| name.trim() == text).then(|| number.trim().parse().ok())?
    });
    known.or_else(|| services(&std::fs::read_to_string("/etc/services").ok()?, text))
}

fn services(file: &str, name: &str) -> Option<u16> {
    file.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let (first, number) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        (first == name || words.any(|alias| alias == name)).then(|| number.parse().ok())?
    })
}

fn strip_prefix_ci<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// A next hop as `smtp_connection_cache_destinations` names it: a host without brackets and port, or a path.
pub fn plain(nexthop: &str) -> &str {
    if let Some(path) = nexthop.strip_prefix("unix:") {
        return path;
    }
    let nexthop = nexthop.strip_prefix("inet:").unwrap_or(nexthop);
    match nexthop.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        // More than one colon: an IPv6 address, which has no port.
        None if nexthop.matches(':').count() == 1 => nexthop.split(':').next().unwrap_or(nexthop),
        None => nexthop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_knows_hosts_without_brackets_and_ports() {
        for (text, expected) in [
            ("example.org", "example.org"),
            ("example.org:2525", "example.org"),
            ("[mx.example.org]:submissions", "mx.example.org"),
            ("[127.0.0.1]", "127.0.0.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("inet:127.0.0.1:24", "127.0.0.1"),
            ("unix:private/lmtp", "private/lmtp"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn reads_next_hops() {
        let known = ["lmtp=24".to_owned(), "smtps=submissions=465".to_owned()];
        let inet = |host: &str, port, literal| Ok(Destination::Inet { host: host.to_owned(), port, literal });
        for (text, expected) in [
            ("example.org", inet("example.org", 25, false)),
            ("example.org:2525", inet("example.org", 2525, false)),
            ("[mx.example.org]", inet("mx.example.org", 25, true)),
            ("[mx.example.org]:submissions", inet("mx.example.org", 465, true)),
            ("[127.0.0.1]:2525", inet("127.0.0.1", 2525, true)),
            ("[::1]:26", inet("::1", 26, true)),
            ("[IPv6:::1]", inet("::1", 25, true)),
            ("2001:db8::1", inet("2001:db8::1", 25, false)),
            ("inet:127.0.0.1:24", inet("127.0.0.1", 24, false)),
            ("unix:private/lmtp", Ok(Destination::Unix("private/lmtp".into()))),
        ] {
            assert_eq!(parse(text, 25, &known), expected, "{text}");
        }
        for bad in ["", "[x", "[x]25", "x:nosuchservice-at-all", ":25", "x:99999"] {
            assert!(parse(bad, 25, &known).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_etc_services() {
        let file = "# c\nsmtp  25/tcp  mail\nsubmission 587/udp\nsubmission 587/tcp msa # x\n";
        assert_eq!(services(file, "mail"), Some(25));
        assert_eq!(services(file, "submission"), Some(587));
        assert_eq!(services(file, "x"), None);
    }
}
