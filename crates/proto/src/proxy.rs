//! The PROXY protocol of HAProxy, versions 1 and 2: who really connected.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// A proxied connection.
    Proxied {
        /// The client.
        client: SocketAddr,
        /// The address it connected to.
        server: SocketAddr,
    },
    /// The proxy's own connection (health check): `LOCAL` of version 2.
    Local,
}

/// The header is wrong; the text says how, as Postfix logs it behind `haproxy read: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHeader(pub String);

/// No header is longer than this.
pub const MOST: usize = 536;

const V1_MOST: usize = 107;
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;

/// Reads a header from the start of `bytes`: the header and its length, or `None` when more bytes are needed.
///
/// Never asks for more than [`MOST`] bytes.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, BadHeader> {
    let signature = bytes.len().min(V2_SIGNATURE.len());
    if bytes[..signature] == V2_SIGNATURE[..signature] {
        return if bytes.len() < V2_FIXED { Ok(None) } else { version_2(bytes) };
    }
    match bytes.iter().position(|b| *b == b'\n') {
        Some(end) if end < V1_MOST => version_1(&bytes[..=end]).map(|header| Some((header, end + 1))),
        None if bytes.len() < V1_MOST => Ok(None),
        _ => bad("missing protocol header terminator"),
    }
}

fn bad<T>(text: impl Into<String>) -> Result<T, BadHeader> {
    Err(BadHeader(text.into()))
}

fn version_1(line: &[u8]) -> Result<Header, BadHeader> {
    let Some(text) = std::str::from_utf8(line).ok().and_then(|line| line.strip_suffix("\r\n")) else {
        return bad("missing protocol header terminator");
    };
    let mut words = text.split(' ');
    if words.next() != Some("PROXY") {
        return bad(format!("bad protocol header: {text}"));
    }
    let v6 = match words.next() {
        Some("TCP4") => false,
        Some("TCP6") => true,
        _ => return bad(format!("bad or missing protocol type: {text}")),
    };
    let mut address = |what: &str| -> Result<IpAddr, BadHeader> {
        let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        address
            .filter(|ip| ip.is_ipv6() == v6)
            .map_or_else(|| bad(format!("bad or missing {what} address")), Ok)
    };
    let (client, server) = (address("client")?, address("server")?);
    let mut port = |what: &str| -> Result<u16, BadHeader> {
        let port = words.next().filter(|word| word.bytes().all(|b| b.is_ascii_digit()));
        port.and_then(|word| word.parse().ok()).map_or_else(|| bad(format!("bad or missing {what} port")), Ok)
    };
    let (client_port, server_port) = (port("client")?, port("server")?);
    Ok(Header::Proxied {
        client: SocketAddr::new(client, client_port),
        server: SocketAddr::new(server, server_port),
    })
}

fn version_2(bytes: &[u8]) -> Result<Option<(Header, usize)>, BadHeader> {
    let (version, family) = (bytes[12], bytes[13]);
    let length = V2_FIXED + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if version >> 4 != 2 {
        return bad("bad version 2 header");
    }
    if length > MOST {
        return bad("version 2 header is too long");
    }
    let Some(body) = bytes.get(V2_FIXED..length) else { return Ok(None) };
    let header = match (version & 15, family) {
        (0, _) => Header::Local,
        (1, 0x11) => addresses::<4>(body, |octets| IpAddr::V4(Ipv4Addr::from(octets)))?,
        (1, 0x21) => addresses::<16>(body, |octets| IpAddr::V6(Ipv6Addr::from(octets)))?,
        (1, _) => return bad("version 2 header with an unsupported address family"),
        _ => return bad("version 2 header with an unsupported command"),
    };
    Ok(Some((header, length)))
}

/// Two addresses of `N` bytes and two ports.
fn addresses<const N: usize>(body: &[u8], ip: impl Fn([u8; N]) -> IpAddr) -> Result<Header, BadHeader> {
    let short = || BadHeader("version 2 header is too short".to_owned());
    let (client, rest) = body.split_first_chunk::<N>().ok_or_else(short)?;
    let (server, rest) = rest.split_first_chunk::<N>().ok_or_else(short)?;
    let (client_port, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let server_port = rest.first_chunk::<2>().ok_or_else(short)?;
    Ok(Header::Proxied {
        client: SocketAddr::new(ip(*client), u16::from_be_bytes(*client_port)),
        server: SocketAddr::new(ip(*server), u16::from_be_bytes(*server_port)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(header: Header) -> (String, String) {
        match header {
            Header::Proxied { client, server } => (client.to_string(), server.to_string()),
            Header::Local => panic!("local"),
        }
    }

    #[test]
    fn version_1_is_a_line() {
        let line = b"PROXY TCP4 10.1.2.3 127.0.0.1 5555 25\r\nEHLO x\r\n";
        let (header, len) = parse(line).unwrap().unwrap();
        assert_eq!((clients(header), len), (("10.1.2.3:5555".into(), "127.0.0.1:25".into()), 39));
        for cut in 0..39 {
            assert_eq!(parse(&line[..cut]), Ok(None), "{cut}");
        }
        for wrong in [
            "PROXY UNKNOWN\r\n",
            "PROXY TCP4 ::1 127.0.0.1 5 25\r\n",
            "PROXY TCP4 1.2.3.4 127.0.0.1 5 99999\r\n",
            "PROXY TCP4 1.2.3.4 127.0.0.1 +5 25\r\n",
            "PROXY TCP4 1.2.3.4\n",
            "EHLO x\r\n",
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(parse(&[b'P'; 200]).is_err());
    }

    #[test]
    fn version_2_is_binary() {
        let mut wire = V2_SIGNATURE.to_vec();
        wire.extend([0x21, 0x11, 0, 12, 10, 1, 2, 3, 127, 0, 0, 1, 0x15, 0xb3, 0, 25]);
        let (header, len) = parse(&wire).unwrap().unwrap();
        assert_eq!((clients(header), len), (("10.1.2.3:5555".into(), "127.0.0.1:25".into()), 28));
        for cut in 0..28 {
            assert_eq!(parse(&wire[..cut]), Ok(None), "{cut}");
        }
        wire[15] = 11;
        assert!(parse(&wire).is_err());
        wire[12] = 0x20;
        assert_eq!(parse(&wire), Ok(Some((Header::Local, 27))));
        wire[14] = 0xff;
        assert!(parse(&wire).is_err());
    }
}
