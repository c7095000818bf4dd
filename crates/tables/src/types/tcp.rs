//! `tcp:host:port`, the server protocol of tcp_table(5).

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Opening, TableType};
use crate::client::{Dialogue, Endpoint, Server, Stream};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType =
    TableType { name: "tcp", doc: "A server that answers `get key` lines: tcp:host:port.", open, make: None };

/// Time for one question, as documented.
const TIMEOUT: Duration = Duration::from_secs(100);
/// Longest answer, as documented.
const REPLY_MAX: usize = 4096;

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let spec = opening.spec;
    if spec.name.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.is_empty()) {
        return Err(format!("bad syntax: \"{spec}\"; need \"tcp:host:port\""));
    }
    let server = Server::new(spec.to_string(), Endpoint::Inet(spec.name.clone()), TIMEOUT);
    Ok(Arc::new(Tcp { server, name: spec.to_string() }))
}

struct Tcp {
    server: Server,
    name: String,
}

/// `get`, a blank, the encoded key.
struct Get<'a>(&'a [u8]);

impl Dialogue for Get<'_> {
    type Reply = Vec<u8>;

    async fn run(&self, stream: &mut Box<dyn Stream>) -> io::Result<Vec<u8>> {
        let request = [b"get ".as_slice(), &encode(self.0), b"\n"].concat();
        stream.write_all(&request).await?;
        let mut reply = Vec::new();
        loop {
            let mut chunk = [0; 512];
            let count = stream.read(&mut chunk).await?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            reply.extend_from_slice(&chunk[..count]);
            match reply.iter().position(|byte| *byte == b'\n') {
                Some(end) if end + 1 == reply.len() => {
                    reply.pop();
                    return Ok(reply);
                }
                Some(_) => {
                    return Err(io::Error::new(ErrorKind::InvalidData, "more than one line in a reply"));
                }
                None if reply.len() >= REPLY_MAX => {
                    return Err(io::Error::new(ErrorKind::InvalidData, "reply line too long"));
                }
                None => {}
            }
        }
    }
}

impl Tcp {
    fn read(&self, reply: &[u8]) -> Result<Option<Hit>, Trouble> {
        let bad = |why: &str| {
            let shown = crate::source::shown(reply);
            Trouble::new(format!("table {}: {why}: \"{shown}\"", self.name))
        };
        let Some((code, text)) = reply.split_at_checked(3) else { return Err(bad("malformed reply")) };
        match code {
            b"500" => Ok(None),
            b"400" => Err(bad("temporary failure")),
            b"200" => {
                let text = text.strip_prefix(b" ").ok_or_else(|| bad("malformed reply"))?;
                decode(text).map(|value| Some(Hit::new(value))).ok_or_else(|| bad("bad encoding in reply"))
            }
            _ => Err(bad("unexpected reply code")),
        }
    }
}

impl Table for Tcp {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        Lookup::Pending(Box::pin(async move { self.read(&self.server.ask(&Get(key)).await?) }))
    }

    fn shape(&self) -> Shape {
        Shape::PATTERN
    }

    fn folds(&self) -> bool {
        false
    }
}

/// `%`, blanks and everything that does not print as `%XX`, so that no key can add a line.
fn encode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'%' => out.extend_from_slice(b"%25"),
            0x21..=0x7e => out.push(*byte),
            byte => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        let digit = |byte: u8| (byte as char).to_digit(16);
        out.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = after;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_adds_a_line() {
        assert_eq!(encode(b"a b\nget c%\r\xe9"), b"a%20b%0Aget%20c%25%0D%E9");
        assert_eq!(decode(b"a%20b%0ac"), Some(b"a b\nc".to_vec()));
        for text in ["%", "%2", "%zz"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubt_is_trouble() {
        let server = Server::new(String::new(), Endpoint::Inet(String::new()), TIMEOUT);
        let table = Tcp { server, name: "tcp:x".to_owned() };
        assert_eq!(table.read(b"500 none").unwrap(), None);
        assert_eq!(table.read(b"200 a%20b").unwrap().unwrap().value, b"a b");
        for reply in ["400 later", "200", "200 %", "", "999 x", "2"] {
            assert!(table.read(reply.as_bytes()).is_err(), "{reply}");
        }
    }
}
