//! InternalHosts and its like: addresses, networks, host names, `.domains`, each with `!` for "not".

use std::net::{IpAddr, Ipv6Addr};

use conf::Mistake;

use super::{Dataset, Line};

/// A set of hosts.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<(bool, Pattern)>);

#[derive(Clone, Debug)]
enum Pattern {
    Network(u128, u128),
    Name(String),
}

impl Hosts {
    pub(crate) fn read(dataset: &Dataset, mistakes: &mut Vec<Mistake>) -> Hosts {
        let mut hosts = Vec::new();
        for line in &dataset.lines {
            match parse(line) {
                Ok(host) => hosts.push(host),
                Err(mistake) => mistakes.push(*mistake),
            }
        }
        Hosts(hosts)
    }

    /// Is this client one of them? The most exact entry is not looked for: the first that fits decides.
    pub fn contains(&self, address: IpAddr, name: &str) -> bool {
        let bits = u128::from(six(address));
        let name = name.to_ascii_lowercase();
        let fits = |pattern: &Pattern| match pattern {
            Pattern::Network(network, mask) => bits & mask == network & mask,
            Pattern::Name(wanted) if wanted.starts_with('.') => name.ends_with(wanted.as_str()),
            Pattern::Name(wanted) => *wanted == name,
        };
        self.0.iter().find(|(_, pattern)| fits(pattern)).is_some_and(|(negated, _)| !negated)
    }
}

fn six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn parse(line: &Line) -> Result<(bool, Pattern), Box<Mistake>> {
    let (negated, text) = match line.text.strip_prefix('!') {
        Some(text) => (true, text.trim()),
        None => (false, line.text.as_str()),
    };
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
    let Ok(address) = address.parse::<IpAddr>() else {
        if length.is_some() || text.is_empty() {
            return Err(Box::new(line.mistake(format!("\"{text}\" is no address, network or host name"))));
        }
        return Ok((negated, Pattern::Name(text.to_ascii_lowercase())));
    };
    let width = if address.is_ipv4() { 32 } else { 128 };
    let length = match length.map(str::parse::<u32>) {
        None => width,
        Some(Ok(length)) if length <= width => length,
        Some(_) => {
            return Err(Box::new(
                line.mistake(format!("\"{text}\": the length of a prefix is 0 to {width}")),
            ));
        }
    };
    let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
    Ok((negated, Pattern::Network(u128::from(six(address)), mask)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opendkim::Kind;

    #[test]
    fn trusted_hosts() {
        let text = "127.0.0.1\nlocalhost    \n!192.168.0.7\n192.168.0.0/24\n[::ffff:127.0.0.0]/104\n[::1]/128\n\
                    [2a01:4f8:10b:c41::]/64\n.inside.test\n88.191.250.11";
        let lines = text.lines().map(|text| Line { text: text.trim().to_owned(), place: None }).collect();
        let mut mistakes = Vec::new();
        let hosts = Hosts::read(&Dataset { kind: Kind::Exact, lines }, &mut mistakes);
        assert!(mistakes.is_empty());
        let has = |address: &str, name: &str| hosts.contains(address.parse().unwrap(), name);
        for address in
            ["127.0.0.1", "127.9.9.9", "192.168.0.9", "::1", "2a01:4f8:10b:c41::5", "88.191.250.11"]
        {
            assert!(has(address, "unknown"), "{address}");
        }
        assert!(has("203.0.113.1", "Host.Inside.test") && has("203.0.113.1", "localhost"));
        for address in ["192.168.0.7", "192.168.1.1", "2a01:4f8:10b:c40::5", "203.0.113.1"] {
            assert!(!has(address, "inside.test"), "{address}");
        }
        let wrong = Line { text: "10.0.0.0/33".into(), place: None };
        Hosts::read(&Dataset { kind: Kind::Exact, lines: vec![wrong] }, &mut mistakes);
        assert_eq!(mistakes.len(), 1);
    }
}
