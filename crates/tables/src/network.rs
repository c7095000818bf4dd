//! Networks as `cidr:` tables and match lists write them: `192.0.2.0/24`, `[2001:db8::]/32`, `192.0.2.1`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    v6: bool,
    /// The address, in the lowest 32 bits for IPv4.
    bits: u128,
    mask: u128,
}

impl Network {
    /// Reads a network. The error is Postfix's sentence.
    pub fn parse(text: &str) -> Result<Network, String> {
        let bare = unbracketed(text).ok_or_else(|| format!("missing ']' character after \"{text}\""))?;
        let (address, length) = match bare.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (bare.as_str(), None),
        };
        let bad_value = || format!("bad mask value in \"{text}\"");
        if length.is_some_and(|length| length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit())) {
            return Err(bad_value());
        }
        let address: IpAddr = address.parse().map_err(|_| format!("bad address pattern: \"{text}\""))?;
        let (v6, bits) = number(address);
        let width = if v6 { 128 } else { 32 };
        let length = match length {
            None => width,
            Some(length) => match length.parse::<u32>() {
                Ok(length) if length <= width => length,
                _ => return Err(format!("bad mask length in \"{text}\"")),
            },
        };
        let all = u128::MAX >> (128 - width);
        let mask = if length == 0 { 0 } else { all << (width - length) & all };
        if bits & !mask != 0 {
            let network: IpAddr = match v6 {
                true => Ipv6Addr::from_bits(bits & mask).into(),
                false => Ipv4Addr::from_bits((bits & mask) as u32).into(),
            };
            return Err(format!(
                "non-null host address bits in \"{text}\", perhaps you should use \"{network}/{length}\" instead"
            ));
        }
        Ok(Network { v6, bits, mask })
    }

    /// Is the address of the same family?
    pub fn is_family_of(&self, address: IpAddr) -> bool {
        self.v6 == address.is_ipv6()
    }

    /// Is the address in the network? Addresses of the other family are not.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (v6, bits) = number(address);
        v6 == self.v6 && bits & self.mask == self.bits
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = self.mask.count_ones();
        match self.v6 {
            true => write!(f, "[{}]/{length}", Ipv6Addr::from_bits(self.bits)),
            false => write!(f, "{}/{length}", Ipv4Addr::from_bits(self.bits as u32)),
        }
    }
}

fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (false, u128::from(address.to_bits())),
        IpAddr::V6(address) => (true, address.to_bits()),
    }
}

/// `[address]/length` and `[address/length]` without brackets; `None` when one is not closed.
fn unbracketed(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('[') else { return Some(text.to_owned()) };
    let (address, rest) = inner.split_once(']')?;
    Some(format!("{address}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_networks() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("[2001:db8::]/32", "2001:DB8::1", "2001:db9::1"),
            ("[2001:db8::/32]", "2001:db8::1", "1.2.3.4"),
            ("::/0", "::ffff:1.2.3.4", "1.2.3.4"),
            ("::1", "::1", "::2"),
        ] {
            let network = Network::parse(text).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text}");
            assert!(!network.contains(outside.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            (
                "10.1.2.3/8",
                "non-null host address bits in \"10.1.2.3/8\", perhaps you should use \"10.0.0.0/8\" instead",
            ),
            ("1.2.3.4/33", "bad mask length in \"1.2.3.4/33\""),
            ("1.2.3.4/", "bad mask value in \"1.2.3.4/\""),
            ("foo", "bad address pattern: \"foo\""),
            ("01.2.3.4", "bad address pattern: \"01.2.3.4\""),
        ] {
            assert_eq!(Network::parse(text).unwrap_err(), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "[0-9a-f:./\\[\\]]{0,20}") {
            let _ = Network::parse(&text);
        }
    }
}
