//! Addresses of master.cf services, `inet_interfaces` and `inet_protocols`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// Where a service listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix-domain socket.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => address.fmt(f),
            Endpoint::Unix(path) => path.display().fmt(f),
        }
    }
}

/// `inet_protocols`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

impl Protocols {
    /// Reads the words of `inet_protocols`: `all`, `ipv4`, `ipv6`. The error is a sentence.
    pub fn parse(words: &[String]) -> Result<Protocols, String> {
        let mut found = Protocols { v4: false, v6: false };
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "all" => found = Protocols { v4: true, v6: true },
                "ipv4" => found.v4 = true,
                "ipv6" => found.v6 = true,
                _ => return Err(format!("unknown protocol \"{word}\": write ipv4, ipv6 or all")),
            }
        }
        if found.v4 || found.v6 { Ok(found) } else { Err("no protocol: write ipv4, ipv6 or all".to_owned()) }
    }

    /// Is an address of this family wanted?
    pub fn allow(self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// The addresses of `inet_interfaces`: `all` (the wildcard addresses), `loopback-only`, host names, addresses.
///
/// The error is a sentence.
pub fn interfaces(words: &[String], protocols: Protocols) -> Result<Vec<IpAddr>, String> {
    let mut found = Vec::new();
    for word in words {
        let (v4, v6) = match word.to_ascii_lowercase().as_str() {
            "all" => (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
            "loopback-only" => (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
            _ => {
                for address in host(word)?.into_iter().filter(|address| protocols.allow(*address)) {
                    add(&mut found, address);
                }
                continue;
            }
        };
        for address in [IpAddr::V4(v4), IpAddr::V6(v6)] {
            // A machine without IPv6 listens on what it has.
            if protocols.allow(address) && (address.is_ipv4() || can_bind(address)) {
                add(&mut found, address);
            }
        }
    }
    if found.is_empty() { Err("no address of the wanted protocols".to_owned()) } else { Ok(found) }
}

fn add(found: &mut Vec<IpAddr>, address: IpAddr) {
    if !found.contains(&address) {
        found.push(address);
    }
}

fn can_bind(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

fn host(text: &str) -> Result<Vec<IpAddr>, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let bare = bare.strip_prefix("ipv6:").or(bare.strip_prefix("IPv6:")).unwrap_or(bare);
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    let found = (bare, 0).to_socket_addrs().map_err(|error| format!("host \"{text}\" not found: {error}"))?;
    Ok(found.map(|address| address.ip()).collect())
}

/// The TCP addresses of a master.cf `inet` service: `port`, `service`, `host:port`, `[v6]:port`, `:port`.
///
/// Without a host these are `interfaces`. The error is a sentence.
pub fn inet_endpoints(
    service: &str,
    interfaces: &[IpAddr],
    protocols: Protocols,
) -> Result<Vec<Endpoint>, String> {
    let (place, name) = service.rsplit_once(':').unwrap_or(("", service));
    let port = port(name, Path::new("/etc/services"))?;
    let addresses = if place.is_empty() { interfaces.to_vec() } else { host(place)? };
    let found: Vec<Endpoint> = addresses
        .into_iter()
        .filter(|address| protocols.allow(*address))
        .map(|address| Endpoint::Tcp(SocketAddr::new(address, port)))
        .collect();
    if found.is_empty() {
        Err(format!("\"{service}\" has no address of the wanted protocols"))
    } else {
        Ok(found)
    }
}

/// Ports of the services a mail system has, for machines without /etc/services.
const WELL_KNOWN: &[(&str, u16)] = &[
    ("smtp", 25),
    ("smtps", 465),
    ("submissions", 465),
    ("submission", 587),
    ("lmtp", 24),
    ("pop3", 110),
    ("pop3s", 995),
    ("imap", 143),
    ("imap2", 143),
    ("imaps", 993),
    ("sieve", 4190),
];

/// A port by number or by its name in a services file. The error is a sentence.
pub fn port(name: &str, services: &Path) -> Result<u16, String> {
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return name.parse().map_err(|_| format!("bad port number \"{name}\""));
    }
    let text = std::fs::read_to_string(services).unwrap_or_default();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let (Some(first), Some(place)) = (words.next(), words.next()) else { continue };
        let Some(port) = place.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else { continue };
        if first == name || words.any(|alias| alias == name) {
            return Ok(port);
        }
    }
    let known = WELL_KNOWN.iter().find(|(known, _)| *known == name);
    known
        .map(|(_, port)| *port)
        .ok_or_else(|| format!("unknown service \"{name}\": not in {}", services.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(service: &str, v4: bool, v6: bool) -> Result<String, String> {
        let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let found = inet_endpoints(service, &any, Protocols { v4, v6 })?;
        Ok(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn reads_the_first_column_of_master_cf() {
        for (service, expected) in [
            ("smtp", "0.0.0.0:25 [::]:25"),
            ("2525", "0.0.0.0:2525 [::]:2525"),
            (":2525", "0.0.0.0:2525 [::]:2525"),
            ("127.0.0.1:10025", "127.0.0.1:10025"),
            ("[127.0.0.1]:10025", "127.0.0.1:10025"),
            ("[::1]:10025", "[::1]:10025"),
            ("::1:10025", "[::1]:10025"),
        ] {
            assert_eq!(endpoints(service, true, true).as_deref(), Ok(expected), "{service}");
        }
        assert_eq!(endpoints("smtp", true, false).as_deref(), Ok("0.0.0.0:25"));
        for (service, error) in [
            ("no-such-service", "unknown service"),
            ("99999", "bad port number"),
            ("[::1]:25", "has no address of the wanted protocols"),
            ("", "bad port number"),
        ] {
            assert!(endpoints(service, true, false).unwrap_err().contains(error), "{service}");
        }
    }

    #[test]
    fn reads_interfaces_and_protocols() {
        let v4 = Protocols::parse(&["ipv4".to_owned()]).unwrap();
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = interfaces(&words("loopback-only 127.0.0.1 [192.0.2.1]"), v4).unwrap();
        assert_eq!(found, ["127.0.0.1".parse::<IpAddr>().unwrap(), "192.0.2.1".parse().unwrap()]);
        assert_eq!(interfaces(&words("all"), v4).unwrap(), [IpAddr::V4(Ipv4Addr::UNSPECIFIED)]);
        assert!(interfaces(&words("[::1]"), v4).is_err());
        assert!(Protocols::parse(&words("ipv5")).is_err());
    }
}
