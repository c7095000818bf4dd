//! The default of `mynetworks`, from the addresses of this machine.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::facts::Interface;
use crate::words::{COMMA_SPACE, words};

/// The networks around the addresses on which mail is received.
///
/// `style` is `mynetworks_style`, `receiving` is `inet_interfaces`, `protocols` is `inet_protocols`. Names in
/// `receiving` other than `localhost` would need a look-up and are passed over.
pub(crate) fn default_networks(
    interfaces: &[Interface],
    style: &str,
    receiving: &str,
    protocols: &str,
) -> String {
    let receiving = words(receiving, COMMA_SPACE);
    let protocols = words(protocols, COMMA_SPACE);
    let spoken =
        |family: &str| protocols.iter().any(|word| word.eq_ignore_ascii_case("all") || *word == family);
    let mut seen = BTreeSet::new();
    let networks = interfaces.iter().filter(|interface| {
        let address = interface.address;
        spoken(if address.is_ipv4() { "ipv4" } else { "ipv6" })
            && receiving.iter().any(|word| match word.to_ascii_lowercase().as_str() {
                "all" => true,
                "loopback-only" | "localhost" => address.is_loopback(),
                literal => literal.trim_matches(['[', ']']).parse() == Ok(address),
            })
    });
    let texts = networks.map(|interface| network(interface, style)).filter(|text| seen.insert(text.clone()));
    texts.collect::<Vec<_>>().join(" ")
}

fn network(interface: &Interface, style: &str) -> String {
    match interface.address {
        IpAddr::V4(address) => {
            let prefix = match style {
                "host" => 32,
                "class" => match address.octets()[0] {
                    0..=127 => 8,
                    128..=191 => 16,
                    _ => 24,
                },
                _ => u32::from(interface.prefix).min(32),
            };
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            format!("{}/{prefix}", std::net::Ipv4Addr::from(u32::from(address) & mask))
        }
        IpAddr::V6(address) => {
            let prefix = if style == "host" { 128 } else { u32::from(interface.prefix).min(128) };
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            format!("[{}]/{prefix}", std::net::Ipv6Addr::from(u128::from(address) & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Vec<Interface> {
        [("127.0.0.1", 8), ("192.0.2.2", 24), ("192.0.2.3", 24), ("::1", 128), ("fd00::2", 64)]
            .map(|(address, prefix)| Interface { address: address.parse().expect("an address"), prefix })
            .to_vec()
    }

    #[test]
    fn styles() {
        let networks = |style| default_networks(&machine(), style, "all", "all");
        assert_eq!(networks("subnet"), "127.0.0.0/8 192.0.2.0/24 [::1]/128 [fd00::]/64");
        assert_eq!(networks("class"), "127.0.0.0/8 192.0.2.0/24 [::1]/128 [fd00::]/64");
        assert_eq!(networks("host"), "127.0.0.1/32 192.0.2.2/32 192.0.2.3/32 [::1]/128 [fd00::2]/128");
    }

    #[test]
    fn only_addresses_and_protocols_in_use() {
        let networks = |receiving, protocols| default_networks(&machine(), "host", receiving, protocols);
        assert_eq!(networks("loopback-only", "all"), "127.0.0.1/32 [::1]/128");
        assert_eq!(networks("loopback-only", "ipv4"), "127.0.0.1/32");
        assert_eq!(networks("192.0.2.3, [::1]", "ipv4, ipv6"), "192.0.2.3/32 [::1]/128");
        assert_eq!(networks("mail.example", "all"), "");
    }
}
