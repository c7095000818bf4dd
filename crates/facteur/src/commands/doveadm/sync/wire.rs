//! An IMAP server's lines, as values, over a connection that blocks.

use std::time::Duration;

use net::tls::{ClientSettings, ClientTls, Identity, Trust};
use net::{Stream, clock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it may take to be reached.
const CONNECT: Duration = Duration::from_secs(30);
/// The longest line without literals, and the longest literal that is taken from it.
const LONGEST_LINE: usize = 1 << 20;
const LONGEST_LITERAL: usize = 1 << 30;

/// A value of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// An atom, with the brackets that belong to it.
    Atom(String),
    /// A quoted string or literal.
    Text(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    /// An atom or string as text.
    pub fn text(&self) -> String {
        match self {
            Value::Atom(atom) => atom.clone(),
            Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Value::List(_) => String::new(),
        }
    }

    /// The values of a list.
    pub fn list(&self) -> &[Value] {
        match self {
            Value::List(values) => values,
            _ => &[],
        }
    }
}

/// How a server is reached.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    pub host: String,
    pub port: u16,
    pub ssl: Ssl,
    /// The certificate must be good for the host.
    pub verify: bool,
    /// Authorities besides those of the system.
    pub ca_file: Option<std::path::PathBuf>,
}

/// `imapc_ssl`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ssl {
    #[default]
    No,
    Imaps,
    Starttls,
}

/// A connection.
pub(super) struct Wire {
    runtime: Runtime,
    stream: Stream,
    buffer: Vec<u8>,
}

impl Wire {
    /// Connects; under `imaps`, with the handshake.
    ///
    /// # Errors
    /// In words for the administrator.
    pub fn connect(reach: &Reach) -> Result<Wire, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let address = (reach.host.as_str(), reach.port);
        let connected =
            runtime.block_on(async { tokio::time::timeout(CONNECT, TcpStream::connect(address)).await });
        let failed = |what: String| format!("imapc({}:{}): {what}", reach.host, reach.port);
        let stream = connected
            .map_err(|_| failed("connection timed out".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        let mut wire = Wire { runtime, stream: Stream::Tcp(stream), buffer: Vec::new() };
        if reach.ssl == Ssl::Imaps {
            wire.handshake(reach)?;
        }
        Ok(wire)
    }

    /// TLS from here on; what was read before is forgotten.
    ///
    /// # Errors
    /// It failed, or the certificate is not good for the host.
    pub fn handshake(&mut self, reach: &Reach) -> Result<(), String> {
        self.buffer.clear();
        let failed = |what: String| format!("imapc({}:{}): TLS: {what}", reach.host, reach.port);
        let settings =
            ClientSettings { ca_file: reach.ca_file.clone(), default_ca: true, ..ClientSettings::default() };
        let (tls, _) = ClientTls::new(settings).map_err(|trouble| failed(trouble.to_string()))?;
        let identity = Identity {
            sni: Some(reach.host.clone()),
            names: vec![reach.host.clone()],
            ..Identity::default()
        };
        let stream = std::mem::replace(&mut self.stream, Stream::Gone);
        let shaken = self.runtime.block_on(async {
            tokio::time::timeout(CONNECT, tls.connect(stream, &identity, clock::wall())).await
        });
        let (stream, summary) =
            shaken.map_err(|_| failed("timed out".to_owned()))?.map_err(|error| failed(error.to_string()))?;
        if reach.verify && summary.trust < Trust::Verified {
            let why = summary.why_untrusted.unwrap_or_else(|| "the certificate is not trusted".to_owned());
            return Err(failed(format!("{why}; imapc_ssl_verify=no would believe it")));
        }
        self.stream = stream;
        Ok(())
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection broke.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Wire { runtime, stream, .. } = self;
        let sent = runtime.block_on(async {
            tokio::time::timeout(PATIENCE, async {
                stream.write_all(bytes).await?;
                stream.flush().await
            })
            .await
        });
        sent.map_err(|_| "the server does not read".to_owned())?.map_err(|error| error.to_string())
    }

    fn more(&mut self) -> Result<(), String> {
        let Wire { runtime, stream, buffer } = self;
        let mut some = [0; 16 * 1024];
        let read = runtime.block_on(async { tokio::time::timeout(PATIENCE, stream.read(&mut some)).await });
        match read.map_err(|_| "the server does not answer".to_owned())?.map_err(|error| error.to_string())? {
            0 => Err("the server has closed the connection".to_owned()),
            count => {
                buffer.extend_from_slice(&some[..count]);
                Ok(())
            }
        }
    }

    /// A response: its words without the line end, literals between them.
    ///
    /// # Errors
    /// The connection broke, or it is too long.
    pub fn response(&mut self) -> Result<Vec<u8>, String> {
        let mut at = 0;
        loop {
            let end = loop {
                match self.buffer[at..].windows(2).position(|two| two == b"\r\n") {
                    Some(length) => break at + length,
                    None if self.buffer.len() - at > LONGEST_LINE => {
                        return Err("the server sends a line without an end".to_owned());
                    }
                    None => self.more()?,
                }
            };
            let Some(length) = literal(&self.buffer[at..end]) else {
                let response = self.buffer[..end].to_vec();
                self.buffer.drain(..end + 2);
                return Ok(response);
            };
            if length > LONGEST_LITERAL {
                return Err("the server sends a literal that is too long".to_owned());
            }
            while self.buffer.len() < end + 2 + length {
                self.more()?;
            }
            at = end + 2 + length;
        }
    }
}

/// The length of the literal that a line ends with.
fn literal(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(&inside[open + 1..]).ok()?.parse().ok()
}

/// The values of a response. What cannot be read ends it.
pub(super) fn values(response: &[u8]) -> Vec<Value> {
    let mut at = 0;
    list(response, &mut at, 0)
}

/// As many lists within lists are read.
const DEEPEST: usize = 32;

fn list(text: &[u8], at: &mut usize, depth: usize) -> Vec<Value> {
    let mut values = Vec::new();
    while let Some(&byte) = text.get(*at) {
        match byte {
            b' ' => *at += 1,
            b')' => {
                *at += 1;
                return values;
            }
            b'(' if depth < DEEPEST => {
                *at += 1;
                values.push(Value::List(list(text, at, depth + 1)));
            }
            b'"' => values.push(quoted(text, at)),
            b'{' => match literal_at(text, at) {
                Some(value) => values.push(value),
                None => return values,
            },
            _ => values.push(atom(text, at)),
        }
    }
    values
}

fn quoted(text: &[u8], at: &mut usize) -> Value {
    let mut value = Vec::new();
    *at += 1;
    while let Some(&byte) = text.get(*at) {
        *at += 1;
        match byte {
            b'"' => break,
            b'\\' => {
                value.extend(text.get(*at));
                *at += 1;
            }
            byte => value.push(byte),
        }
    }
    Value::Text(value)
}

fn literal_at(text: &[u8], at: &mut usize) -> Option<Value> {
    let end = *at + text[*at..].windows(2).position(|two| two == b"\r\n")?;
    let length = literal(&text[*at..end])?;
    let value = text.get(end + 2..end + 2 + length)?;
    *at = end + 2 + length;
    Some(Value::Text(value.to_vec()))
}

fn atom(text: &[u8], at: &mut usize) -> Value {
    let start = *at;
    let mut within = false;
    while let Some(&byte) = text.get(*at) {
        match byte {
            b'[' => within = true,
            b']' => within = false,
            b' ' | b'(' | b')' if !within => break,
            _ => {}
        }
        *at += 1;
    }
    if *at == start {
        // Deeper than anybody nests.
        *at += 1;
    }
    Value::Atom(String::from_utf8_lossy(&text[start..*at]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_values() {
        let atom = |text: &str| Value::Atom(text.to_owned());
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let read =
            values(b"* 3 FETCH (FLAGS (\\Seen x) BODY[HEADER.FIELDS (DATE)] {6}\r\na: \"b\" X \"q\\\"\")");
        let items = vec![
            atom("FLAGS"),
            Value::List(vec![atom("\\Seen"), atom("x")]),
            atom("BODY[HEADER.FIELDS (DATE)]"),
            text("a: \"b\""),
            atom("X"),
            text("q\""),
        ];
        assert_eq!(read, [atom("*"), atom("3"), atom("FETCH"), Value::List(items)]);
        assert_eq!(values(b"* OK [UIDNEXT 4] next")[2], atom("[UIDNEXT 4]"));
        assert_eq!((literal(b"x {12}"), literal(b"x {a}"), literal(b"12}")), (Some(12), None, None));
        for broken in [&b"(((("[..], b"\"abc", b"{9}\r\nab", b"]", b"[", b")"] {
            values(broken);
        }
        values(&b"(".repeat(100_000));
    }
}
