//! Packets to a filter.

use std::net::IpAddr;

/// Most bytes of body text in one packet.
pub const CHUNK: usize = 65_535;

/// What a filter is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A client connected.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, since version 4.
    Data,
    /// A command we do not know, since version 3.
    Unknown,
    /// A header field.
    Header,
    /// The end of the header.
    EndOfHeader,
    /// Body text.
    Body,
    /// The end of the message.
    EndOfMessage,
}

impl Event {
    /// The letter of its packet.
    pub fn letter(self) -> u8 {
        match self {
            Event::Connect => b'C',
            Event::Helo => b'H',
            Event::Mail => b'M',
            Event::Rcpt => b'R',
            Event::Data => b'T',
            Event::Unknown => b'U',
            Event::Header => b'L',
            Event::EndOfHeader => b'N',
            Event::Body => b'B',
            Event::EndOfMessage => b'E',
        }
    }

    /// Its name in log lines, as libmilter has it.
    pub fn name(self) -> &'static str {
        match self {
            Event::Connect => "SMFIC_CONNECT",
            Event::Helo => "SMFIC_HELO",
            Event::Mail => "SMFIC_MAIL",
            Event::Rcpt => "SMFIC_RCPT",
            Event::Data => "SMFIC_DATA",
            Event::Unknown => "SMFIC_UNKNOWN",
            Event::Header => "SMFIC_HEADER",
            Event::EndOfHeader => "SMFIC_EOH",
            Event::Body => "SMFIC_BODY",
            Event::EndOfMessage => "SMFIC_BODYEOB",
        }
    }
}

/// A packet.
pub fn packet(letter: u8, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len() + 1).expect("our packets are small");
    let mut out = Vec::with_capacity(data.len() + 5);
    out.extend_from_slice(&len.to_be_bytes());
    out.push(letter);
    out.extend_from_slice(data);
    out
}

/// Strings, each ended by a zero byte. A zero within one would end it early, and is left out.
pub fn strings<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        out.extend(text.iter().filter(|byte| **byte != 0));
        out.push(0);
    }
    out
}

/// The macros that go before an event.
pub fn macros(event: Event, values: &[(String, String)]) -> Vec<u8> {
    let texts = values.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    let mut data = vec![event.letter()];
    data.extend(strings(texts));
    packet(b'D', &data)
}

/// A client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer<'a> {
    /// Its name, or its address in brackets.
    pub name: &'a str,
    /// Its address, when it is known.
    pub address: Option<IpAddr>,
    /// Its port; 0 when it is not known.
    pub port: u16,
}

/// The data of [`Event::Connect`].
pub fn connect(peer: Peer<'_>) -> Vec<u8> {
    let mut data = strings([peer.name.as_bytes()]);
    let Some(address) = peer.address else {
        data.push(b'U');
        return data;
    };
    data.push(if address.is_ipv4() { b'4' } else { b'6' });
    data.extend_from_slice(&peer.port.to_be_bytes());
    data.extend(strings([address.to_string().as_bytes()]));
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets() {
        assert_eq!(packet(b'N', b""), b"\0\0\0\x01N");
        assert_eq!(packet(b'H', &strings([b"a\0b".as_slice()])), b"\0\0\0\x04Hab\0");
        let values = [("i".to_owned(), "Q1".to_owned()), ("{x}".to_owned(), String::new())];
        assert_eq!(macros(Event::Mail, &values), b"\0\0\0\x0cDMi\0Q1\0{x}\0\0");
    }

    #[test]
    fn peers() {
        let address = Some("192.0.2.1".parse().unwrap());
        let data = connect(Peer { name: "a.test", address, port: 258 });
        assert_eq!(data, b"a.test\x004\x01\x02192.0.2.1\0");
        assert_eq!(connect(Peer { name: "unknown", address: None, port: 0 }), b"unknown\0U");
    }
}
