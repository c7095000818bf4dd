//! One connection to a directory: bind, start TLS, search (RFC 4511).

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::ber::{
    BOOLEAN, ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, Short, nested, put, put_number, split,
};
use super::{Bind, Entry, Found, Place, REFERRAL, Search, Settings};
use crate::client::Stream;
use crate::trust;

/// `1.3.6.1.4.1.1466.20037`, RFC 4511 section 4.14.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

const BIND: u8 = 0x60;
const BIND_DONE: u8 = 0x61;
const SEARCH: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED: u8 = 0x77;
const EXTENDED_DONE: u8 = 0x78;

/// An open connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    message: u32,
    buffer: Vec<u8>,
    bytes: usize,
}

/// A result code and the server's words.
#[derive(Debug)]
pub struct Verdict {
    pub code: u32,
    pub text: String,
}

impl Connection {
    /// Connects, with TLS where it is wanted.
    pub async fn open(settings: &Settings, place: &Place) -> Result<Connection> {
        let stream: Box<dyn Stream> = match place {
            Place::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Place::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        };
        let mut connection = Connection { stream, message: 0, buffer: Vec::new(), bytes: settings.bytes };
        if let Place::Tcp { host, tls, .. } = place {
            if settings.start_tls && !tls {
                let verdict = connection.start_tls().await?;
                if verdict.code != 0 {
                    return Err(Error::other(format!(
                        "Unable to set STARTTLS: {} ({})",
                        verdict.code, verdict.text
                    )));
                }
                if !connection.buffer.is_empty() {
                    return Err(Error::new(ErrorKind::InvalidData, "data before the TLS handshake"));
                }
            }
            if settings.start_tls || *tls {
                let config = trust::client_config(&settings.tls).map_err(Error::other)?;
                let name = ServerName::try_from(host.clone()).map_err(Error::other)?;
                let plain = std::mem::replace(&mut connection.stream, Box::new(tokio::io::empty()));
                let secured =
                    tokio_rustls::TlsConnector::from(Arc::clone(&config)).connect(name, plain).await?;
                connection.stream = Box::new(secured);
            }
        }
        Ok(connection)
    }

    async fn start_tls(&mut self) -> Result<Verdict> {
        let id = self.send(nested(EXTENDED, |out| put(out, 0x80, START_TLS))).await?;
        let (tag, content) = self.receive(id, &mut self.bytes.clone()).await?;
        verdict(tag, EXTENDED_DONE, &content)
    }

    /// Says who we are.
    pub async fn bind(&mut self, version: u32, bind: &Bind) -> Result<Verdict> {
        let request = nested(BIND, |out| {
            put_number(out, INTEGER, version);
            let name = if let Bind::Simple { dn, .. } = bind { dn.as_str() } else { "" };
            put(out, OCTETS, name.as_bytes());
            let sasl = |mechanism: &str, credentials: &[u8]| {
                nested(0xa3, |out| {
                    put(out, OCTETS, mechanism.as_bytes());
                    put(out, OCTETS, credentials);
                })
            };
            match bind {
                Bind::Simple { password, .. } => put(out, 0x80, password.as_bytes()),
                Bind::External { authorize } => out.extend(sasl("EXTERNAL", authorize.as_bytes())),
                Bind::Plain { authorize, user, password } => {
                    out.extend(sasl("PLAIN", format!("{authorize}\0{user}\0{password}").as_bytes()));
                }
            }
        });
        let id = self.send(request).await?;
        let (tag, content) = self.receive(id, &mut self.bytes.clone()).await?;
        verdict(tag, BIND_DONE, &content)
    }

    /// Searches. What comes back is bounded in bytes; a server that sends more is an error.
    pub async fn search(&mut self, search: &Search<'_>) -> Result<Found> {
        let request = nested(SEARCH, |out| {
            put(out, OCTETS, search.base.as_bytes());
            put_number(out, ENUMERATED, search.scope as u32);
            put_number(out, ENUMERATED, search.dereference);
            put_number(out, INTEGER, search.size_limit);
            put_number(out, INTEGER, search.time_limit);
            put(out, BOOLEAN, &[0]);
            out.extend_from_slice(&search.filter);
            let names = nested(SEQUENCE, |out| {
                search.attributes.iter().for_each(|name| put(out, OCTETS, name.as_bytes()));
            });
            out.extend(names);
        });
        let id = self.send(request).await?;
        let mut budget = self.bytes;
        let (mut entries, mut references) = (Vec::new(), Vec::new());
        loop {
            let (tag, content) = self.receive(id, &mut budget).await?;
            match tag {
                SEARCH_ENTRY => entries.push(entry(&content).ok_or_else(malformed)?),
                SEARCH_REFERENCE => references.push(urls(&content).ok_or_else(malformed)?),
                tag => {
                    let verdict = verdict(tag, SEARCH_DONE, &content)?;
                    if verdict.code == REFERRAL {
                        references.push(referral(&content).ok_or_else(malformed)?);
                    }
                    return Ok(Found { entries, code: verdict.code, text: verdict.text, references });
                }
            }
        }
    }

    async fn send(&mut self, operation: Vec<u8>) -> Result<u32> {
        self.message += 1;
        let message = nested(SEQUENCE, |out| {
            put_number(out, INTEGER, self.message);
            out.extend(operation);
        });
        self.stream.write_all(&message).await?;
        self.stream.flush().await?;
        Ok(self.message)
    }

    /// The next message: its operation's tag and content.
    async fn receive(&mut self, id: u32, budget: &mut usize) -> Result<(u8, Vec<u8>)> {
        loop {
            match split(&self.buffer, self.bytes) {
                Ok((SEQUENCE, content, rest)) => {
                    let mut reader = Reader(content);
                    let found = reader.number(INTEGER).ok_or_else(malformed)?;
                    let (tag, operation) = reader.next().ok_or_else(malformed)?;
                    let operation = operation.to_vec();
                    let used = self.buffer.len() - rest.len();
                    self.buffer.drain(..used);
                    *budget = budget
                        .checked_sub(used)
                        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "the answer is too large"))?;
                    // Number 0 is the server's notice that it closes.
                    if found != id {
                        return Err(Error::new(ErrorKind::UnexpectedEof, "the server ends the connection"));
                    }
                    return Ok((tag, operation));
                }
                Ok(_) | Err(Short::Bad) => return Err(malformed()),
                Err(Short::More) => {
                    if self.stream.read_buf(&mut self.buffer).await? == 0 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "malformed answer")
}

fn verdict(tag: u8, expected: u8, content: &[u8]) -> Result<Verdict> {
    let mut reader = Reader(content);
    let code = reader.number(ENUMERATED).filter(|_| tag == expected).ok_or_else(malformed)?;
    reader.expect(OCTETS).ok_or_else(malformed)?;
    let words = String::from_utf8_lossy(reader.expect(OCTETS).ok_or_else(malformed)?);
    let name = result_name(code);
    Ok(Verdict { code, text: if words.is_empty() { name.to_owned() } else { format!("{name}: {words}") } })
}

/// Where a result sends on to. RFC 4511 4.1.10.
fn referral(content: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader(content);
    reader.number(ENUMERATED)?;
    reader.expect(OCTETS)?;
    reader.expect(OCTETS)?;
    urls(reader.expect(0xa3)?)
}

fn urls(content: &[u8]) -> Option<Vec<String>> {
    let mut list = Reader(content);
    let mut urls = Vec::new();
    while !list.0.is_empty() {
        urls.push(String::from_utf8_lossy(list.expect(OCTETS)?).into_owned());
    }
    Some(urls)
}

fn entry(content: &[u8]) -> Option<Entry> {
    let mut reader = Reader(content);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let dn = text(reader.expect(OCTETS)?);
    let mut attributes = Vec::new();
    let mut list = Reader(reader.expect(SEQUENCE)?);
    while !list.0.is_empty() {
        let mut attribute = Reader(list.expect(SEQUENCE)?);
        let name = text(attribute.expect(OCTETS)?);
        let mut set = Reader(attribute.expect(0x31)?);
        let mut values = Vec::new();
        while !set.0.is_empty() {
            values.push(text(set.expect(OCTETS)?));
        }
        attributes.push((name, values));
    }
    Some(Entry { dn, attributes })
}

/// The words of OpenLDAP for the codes that occur.
fn result_name(code: u32) -> &'static str {
    match code {
        0 => "Success",
        1 => "Operations error",
        2 => "Protocol error",
        3 => "Time limit exceeded",
        4 => "Size limit exceeded",
        8 => "Strong(er) authentication required",
        10 => "Referral",
        11 => "Administrative limit exceeded",
        32 => "No such object",
        34 => "Invalid DN syntax",
        49 => "Invalid credentials",
        50 => "Insufficient access",
        51 => "Server is busy",
        52 => "Server is unavailable",
        53 => "Server is unwilling to perform",
        _ => "Error",
    }
}
