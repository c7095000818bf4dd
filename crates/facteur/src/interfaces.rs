//! The network addresses of this machine: `inet_interfaces`, `inet_protocols`, `proxy_interfaces`.

use std::net::IpAddr;

use conf::params::Site;
use conf::{Block, Facts, Interface, Mistake, Severity, View};
use nix::ifaddrs::{InterfaceAddress, getifaddrs};

/// The addresses of this machine with the lengths of their prefixes, in the system's order.
pub fn networks() -> Vec<Interface> {
    let Ok(interfaces) = getifaddrs() else { return Facts::default().interfaces };
    let network = |one: InterfaceAddress| {
        let (address, mask) = (one.address?, one.netmask?);
        let (address, ones) = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => (IpAddr::from(v4.ip()), mask.as_sockaddr_in()?.ip().to_bits().count_ones()),
            (_, Some(v6)) => (IpAddr::from(v6.ip()), mask.as_sockaddr_in6()?.ip().to_bits().count_ones()),
            _ => return None,
        };
        Some(Interface { address, prefix: u8::try_from(ones).ok()? })
    };
    interfaces.filter_map(network).collect()
}

/// Addresses that mail for `[address]` reaches us by: those we listen on and those a proxy forwards from.
pub fn own(view: &View, mistakes: &mut Vec<Mistake>) -> Vec<IpAddr> {
    let site = Site::read(view, &mut Vec::new());
    let mut found = listening(view, mistakes);
    if found.iter().any(IpAddr::is_unspecified) {
        found = of_machine();
    }
    found.extend(resolve(view, "proxy_interfaces", &site.proxy_interfaces, mistakes));
    found.retain(|address| protocols(view).allow(*address));
    found
}

/// The addresses of `inet_interfaces`; the wildcard addresses for `all`.
pub fn listening(view: &View, mistakes: &mut Vec<Mistake>) -> Vec<IpAddr> {
    let site = Site::read(view, &mut Vec::new());
    resolve(view, "inet_interfaces", &site.inet_interfaces, mistakes)
}

/// Which of IPv4 and IPv6 `inet_protocols` allows.
pub fn protocols(view: &View) -> net::listener::Protocols {
    let site = Site::read(view, &mut Vec::new());
    let has = |name: &str| site.inet_protocols.iter().any(|one| one == name || one == "all");
    net::listener::Protocols { v4: has("ipv4"), v6: has("ipv6") }
}

fn of_machine() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return vec![IpAddr::from([127, 0, 0, 1])] };
    let mut found: Vec<IpAddr> = interfaces
        .filter_map(|one| {
            let address = one.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn resolve(view: &View, parameter: &str, words: &[String], mistakes: &mut Vec<Mistake>) -> Vec<IpAddr> {
    if words.is_empty() {
        return Vec::new();
    }
    net::listener::interfaces(words, protocols(view)).unwrap_or_else(|what| {
        let place = view.place(parameter);
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        mistakes.push(Mistake::new(Severity::Error, place, format!("{parameter}: {what}")));
        Vec::new()
    })
}
