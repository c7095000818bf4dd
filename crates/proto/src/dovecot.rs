//! The authentication protocol of Dovecot, version 1, the client's side: lines of fields divided by tabs.
//!
//! ```text
//! client: VERSION 1 0 / CPID <process id>
//! server: VERSION 1 <minor> / MECH <name> <traits> ... / SPID / CUID / COOKIE / DONE
//! client: AUTH <id> <mechanism> service=smtp nologin lip=… rip=… [secured] [resp=<base64>]
//! server: CONT <id> <base64> | OK <id> user=… | FAIL <id> [user=…] [reason=…] [temp]
//! client: CONT <id> <base64> | CANCEL <id>
//! ```
//!
//! The server is trusted with passwords and with nothing else: what it says has limits, and words we do not know are
//! passed over, as the protocol wants it.

mod mechanism;
pub mod server;

use std::fmt;

pub use mechanism::{Mechanism, Options};

/// The major version we speak: another one is another protocol.
const MAJOR: &str = "1";

/// Longest line of a server, in bytes. Dovecot's own limit is 8192.
const LINE: usize = 16 * 1024;

/// Most mechanisms of a server. SASL has some forty in all.
const MECHANISMS: usize = 64;

/// Most lines that are passed over before one that we wait for.
const STRAY: usize = 256;

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is over, and logins may come.
    Ready,
    /// A login goes on: the client is to be asked this, in base64.
    Ask(String),
    /// It succeeded.
    Accepted {
        /// The name of who logged in; a server may change what the client gave.
        user: Option<String>,
    },
    /// It failed.
    Refused {
        /// The name the client gave.
        user: Option<String>,
        /// Why, in words for the client.
        reason: Option<String>,
        /// The server could not find out.
        temporary: bool,
    },
}

/// Why no sense can be made of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It speaks another version of the protocol.
    Version,
    /// A line or the number of lines exceeds all measure.
    Endless,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::Version => "Protocol version mismatch: version 1 is spoken here",
            Broken::Endless => "endless answer",
        })
    }
}

/// What a server is told of a login besides the client's answers.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The mechanism, as the client wrote it.
    pub mechanism: &'a str,
    /// `smtpd_sasl_service`.
    pub service: &'a str,
    /// Our address.
    pub local: &'a str,
    /// The client's address.
    pub remote: &'a str,
    /// Is the session encrypted?
    pub secured: bool,
    /// The client's initial response, in base64.
    pub initial: Option<&'a str>,
}

/// One connection to a server; one login at a time.
#[derive(Debug, Default)]
pub struct Machine {
    input: Vec<u8>,
    mechanisms: Vec<Mechanism>,
    same_version: bool,
    ready: bool,
    stray: usize,
    /// The id of the login under way, or of the last one.
    id: u32,
}

impl Machine {
    /// A connection that was just opened.
    pub fn new() -> Machine {
        Machine::default()
    }

    /// Our part of the handshake.
    pub fn hello(&self, process: u32) -> Vec<u8> {
        format!("VERSION\t{MAJOR}\t0\nCPID\t{process}\n").into_bytes()
    }

    /// The mechanisms of the server, in its order; complete from [`Event::Ready`] on.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// Begins a login; answers to earlier ones are passed over from now on.
    pub fn begin(&mut self, request: &Request<'_>) -> Vec<u8> {
        self.id = self.id.wrapping_add(1);
        self.stray = 0;
        let Request { mechanism, service, local, remote, .. } = request;
        let [mechanism, service, local, remote] = [mechanism, service, local, remote].map(|it| escape(it));
        let mut line =
            format!("AUTH\t{}\t{mechanism}\tservice={service}\tnologin\tlip={local}\trip={remote}", self.id);
        if request.secured {
            line.push_str("\tsecured");
        }
        // The last field: what follows `resp=` is taken to the end of the line.
        if let Some(initial) = request.initial {
            line.push_str("\tresp=");
            line.push_str(&escape(initial));
        }
        line.push('\n');
        line.into_bytes()
    }

    /// The client's answer to [`Event::Ask`], in base64.
    pub fn answer(&mut self, answer: &str) -> Vec<u8> {
        self.stray = 0;
        format!("CONT\t{}\t{}\n", self.id, escape(answer)).into_bytes()
    }

    /// The client gave up: the server answers no more.
    pub fn cancel(&self) -> Vec<u8> {
        format!("CANCEL\t{}\n", self.id).into_bytes()
    }

    /// Bytes from the server.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// What the server said; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub fn advance(&mut self) -> Result<Option<Event>, Broken> {
        while let Some(end) = memchr::memchr(b'\n', &self.input) {
            if end > LINE {
                return Err(Broken::Endless);
            }
            let line: Vec<u8> = self.input.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]);
            let mut fields = line.split('\t');
            let word = fields.next().unwrap_or_default();
            let event = if self.ready { self.reply(word, fields) } else { self.greeting(word, fields)? };
            if event.is_some() {
                return Ok(event);
            }
            self.stray += 1;
            if self.stray > STRAY {
                return Err(Broken::Endless);
            }
        }
        if self.input.len() > LINE { Err(Broken::Endless) } else { Ok(None) }
    }

    fn greeting<'a>(
        &mut self,
        word: &str,
        mut fields: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Event>, Broken> {
        match word {
            "VERSION" if fields.next() == Some(MAJOR) => self.same_version = true,
            "VERSION" => return Err(Broken::Version),
            "MECH" if self.mechanisms.len() < MECHANISMS => self.mechanisms.extend(Mechanism::read(fields)),
            "DONE" if self.same_version => {
                self.ready = true;
                return Ok(Some(Event::Ready));
            }
            "DONE" => return Err(Broken::Version),
            _ => {}
        }
        Ok(None)
    }

    fn reply<'a>(&self, word: &str, mut fields: impl Iterator<Item = &'a str>) -> Option<Event> {
        let id: u32 = fields.next()?.parse().ok()?;
        if id != self.id {
            return None;
        }
        match word {
            "CONT" => Some(Event::Ask(fields.next().unwrap_or_default().to_owned())),
            "OK" => Some(Event::Accepted { user: attributes(fields).user }),
            "FAIL" => {
                let Attributes { user, reason, temporary } = attributes(fields);
                Some(Event::Refused { user, reason, temporary })
            }
            _ => None,
        }
    }
}

/// What is read of an answer.
#[derive(Default)]
struct Attributes {
    user: Option<String>,
    reason: Option<String>,
    temporary: bool,
}

fn attributes<'a>(fields: impl Iterator<Item = &'a str>) -> Attributes {
    let mut found = Attributes::default();
    for field in fields {
        if let Some(value) = field.strip_prefix("user=") {
            found.user = Some(unescape(value));
        } else if let Some(value) = field.strip_prefix("reason=") {
            found.reason = Some(unescape(value));
        } else if matches!(field, "temp" | "code=temp_fail") {
            found.temporary = true;
        }
    }
    found
}

/// What would divide fields or lines is written behind a byte of value 1, in Dovecot's protocols as in its files.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\u{1}0"),
            '\u{1}' => out.push_str("\u{1}1"),
            '\t' => out.push_str("\u{1}t"),
            '\r' => out.push_str("\u{1}r"),
            '\n' => out.push_str("\u{1}n"),
            c => out.push(c),
        }
    }
    out
}

/// The text of a field that [`escape`] has written.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1}' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('0') => out.push('\0'),
            Some('1') => out.push('\u{1}'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests;
