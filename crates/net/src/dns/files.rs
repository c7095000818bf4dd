//! `/etc/resolv.conf` and `/etc/hosts`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::Protocols;

/// How to ask. As in resolv.conf(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name servers, asked in order.
    pub servers: Vec<SocketAddr>,
    /// How long each is waited for.
    pub timeout: Duration,
    /// How often the list is gone through.
    pub attempts: u32,
    /// Domains appended to host names that are looked up as the C library does it.
    pub search: Vec<String>,
    /// A name with so many dots is tried as it stands before `search`.
    pub ndots: usize,
    /// Ask by TCP only.
    pub tcp: bool,
    /// Begin with another server each time.
    pub rotate: bool,
    /// Answers kept at most.
    pub cache_entries: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            servers: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53)],
            timeout: Duration::from_secs(5),
            attempts: 2,
            search: Vec::new(),
            ndots: 1,
            tcp: false,
            rotate: false,
            cache_entries: 10_000,
        }
    }
}

impl Settings {
    /// Reads the text of a resolv.conf. Lines it does not know are passed over, as the C library does.
    pub fn parse(text: &str) -> Settings {
        let mut settings = Settings { servers: Vec::new(), ..Settings::default() };
        for line in text.lines() {
            let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(server_address);
                    // The C library takes three, and so do the people who write the file.
                    settings.servers.extend(server.filter(|_| settings.servers.len() < 3));
                }
                Some("search") => settings.search = words.map(str::to_owned).collect(),
                Some("domain") => settings.search = words.next().map(str::to_owned).into_iter().collect(),
                Some("options") => words.for_each(|word| settings.option(word)),
                _ => {}
            }
        }
        if settings.servers.is_empty() {
            settings.servers = Settings::default().servers;
        }
        settings
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let value = value.parse::<u32>();
        match (name, value) {
            ("timeout", Ok(value)) => self.timeout = Duration::from_secs(u64::from(value.clamp(1, 30))),
            ("attempts", Ok(value)) => self.attempts = value.clamp(1, 5),
            ("ndots", Ok(value)) => self.ndots = value.min(15) as usize,
            ("use-vc", _) => self.tcp = true,
            ("rotate", _) => self.rotate = true,
            _ => {}
        }
    }
}

/// An address; a scope behind `%` must be a number.
fn server_address(word: &str) -> Option<SocketAddr> {
    match word.split_once('%') {
        Some((address, scope)) => {
            let scope = scope.parse().unwrap_or(0);
            let address: Ipv6Addr = address.parse().ok()?;
            Some(SocketAddr::V6(std::net::SocketAddrV6::new(address, 53, 0, scope)))
        }
        None => Some(SocketAddr::new(word.parse().ok()?, 53)),
    }
}

/// The hosts file, both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    by_name: HashMap<String, Vec<IpAddr>>,
    by_address: HashMap<IpAddr, String>,
}

impl Hosts {
    /// Reads the text of a hosts file.
    pub fn parse(text: &str) -> Hosts {
        let mut hosts = Hosts::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
            for name in words {
                hosts.by_address.entry(address).or_insert_with(|| name.to_owned());
                let addresses = hosts.by_name.entry(name.to_ascii_lowercase()).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        hosts
    }

    /// Addresses of a host, in the order of the file. `localhost` is always known (RFC 6761 6.3).
    pub fn addresses(&self, name: &str, protocols: Protocols) -> Vec<IpAddr> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let localhost = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let found = match self.by_name.get(&name) {
            Some(found) => found.as_slice(),
            None if name == "localhost" => &localhost,
            None => &[],
        };
        found.iter().filter(|address| protocols.allow(**address)).copied().collect()
    }

    /// Is the name there at all?
    pub fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(&name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
    }

    /// The first name of an address.
    pub fn name(&self, address: IpAddr) -> Option<&str> {
        self.by_address.get(&address).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Protocols = Protocols { v4: true, v6: true };

    #[test]
    fn reads_resolv_conf() {
        let settings = Settings::parse(
            "# comment\nnameserver 192.0.2.1\nnameserver ::1\n nameserver 9.9.9.9\nsearch a.test b.test\noptions timeout:1 attempts:1 ndots:2 x\n",
        );
        assert_eq!(
            settings.servers,
            ["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap(), "9.9.9.9:53".parse().unwrap()]
        );
        assert_eq!((settings.timeout, settings.attempts, settings.ndots), (Duration::from_secs(1), 1, 2));
        assert_eq!(settings.search, ["a.test", "b.test"]);
        assert_eq!(Settings::parse("").servers, ["127.0.0.1:53".parse().unwrap()]);
    }

    #[test]
    fn reads_hosts() {
        let hosts =
            Hosts::parse("127.0.0.1 localhost\n192.0.2.1\tmx.test MX # mail\n::2 mx.test\nbad line\n");
        assert_eq!(
            hosts.addresses("Mx.Test.", BOTH),
            ["192.0.2.1".parse::<IpAddr>().unwrap(), "::2".parse().unwrap()]
        );
        assert_eq!(hosts.addresses("mx", Protocols { v4: false, v6: true }), [] as [IpAddr; 0]);
        assert_eq!(hosts.name("192.0.2.1".parse().unwrap()), Some("mx.test"));
        assert_eq!(hosts.addresses("localhost", BOTH).len(), 1);
        assert_eq!(Hosts::default().addresses("localhost", BOTH).len(), 2);
    }
}
