//! The same protocol, the server's side: what clients ask, and what they are told.

use super::{Broken, LINE, MAJOR, escape, unescape};

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `AUTH`: a login begins.
    Begin(Begin),
    /// `CONT`: the client's answer to a challenge, in base64.
    Continue {
        /// The login.
        id: u32,
        /// The answer.
        answer: String,
    },
    /// `CANCEL`: the login is given up.
    Cancel {
        /// The login.
        id: u32,
    },
}

/// A login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// Chosen by the client.
    pub id: u32,
    /// The mechanism.
    pub mechanism: String,
    /// `service=`
    pub service: String,
    /// `lip=`
    pub local: Option<String>,
    /// `lport=`
    pub local_port: Option<u16>,
    /// `rip=`
    pub remote: Option<String>,
    /// `rport=`
    pub remote_port: Option<u16>,
    /// `secured`, and in newer clients `secured=tls`.
    pub secured: bool,
    /// `nologin`: only the password matters.
    pub nologin: bool,
    /// `valid-client-cert` and `cert_username=`: the name in a certificate that was verified.
    pub certificate_name: Option<String>,
    /// `resp=`, in base64.
    pub initial: Option<String>,
}

/// How a login failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed<'a> {
    /// Who was named.
    pub user: Option<&'a str>,
    /// `temp`, `authz`, `user_disabled`, `pass_expired`; empty for a wrong password.
    pub kind: &'a str,
    /// In words, for the client.
    pub reason: Option<&'a str>,
}

/// One connection of a client.
#[derive(Debug, Default)]
pub struct Server {
    input: Vec<u8>,
    same_version: bool,
    client: Option<u32>,
}

impl Server {
    /// A connection that was just accepted.
    pub fn new() -> Server {
        Server::default()
    }

    /// `CPID`: the process that the client says it is.
    pub fn client(&self) -> Option<u32> {
        self.client
    }

    /// Bytes from the client.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// What the client said; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub fn advance(&mut self) -> Result<Option<Command>, Broken> {
        while let Some(end) = memchr::memchr(b'\n', &self.input) {
            if end > LINE {
                return Err(Broken::Endless);
            }
            let line: Vec<u8> = self.input.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]);
            let mut fields = line.split('\t');
            let command = match fields.next().unwrap_or_default() {
                "VERSION" if fields.next() == Some(MAJOR) => {
                    self.same_version = true;
                    None
                }
                "VERSION" => return Err(Broken::Version),
                _ if !self.same_version => return Err(Broken::Version),
                "CPID" => {
                    self.client = id(&mut fields);
                    None
                }
                "AUTH" => Begin::read(fields).map(Command::Begin),
                "CONT" => id(&mut fields).map(|id| {
                    let answer = unescape(fields.next().unwrap_or_default());
                    Command::Continue { id, answer }
                }),
                "CANCEL" => id(&mut fields).map(|id| Command::Cancel { id }),
                _ => None,
            };
            if command.is_some() {
                return Ok(command);
            }
        }
        if self.input.len() > LINE { Err(Broken::Endless) } else { Ok(None) }
    }
}

fn id<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<u32> {
    fields.next()?.parse().ok()
}

impl Begin {
    fn read<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<Begin> {
        let id = id(&mut fields)?;
        let mut begin = Begin { id, mechanism: fields.next()?.to_owned(), ..Begin::default() };
        while let Some(field) = fields.next() {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let text = || Some(unescape(value));
            match name {
                "service" => begin.service = unescape(value),
                "lip" => begin.local = text(),
                "lport" => begin.local_port = value.parse().ok(),
                "rip" => begin.remote = text(),
                "rport" => begin.remote_port = value.parse().ok(),
                "secured" => begin.secured = true,
                "nologin" => begin.nologin = true,
                "cert_username" => begin.certificate_name = text(),
                // It is the last one: everything behind it belongs to it.
                "resp" => {
                    let rest: Vec<&str> = std::iter::once(value).chain(fields.by_ref()).collect();
                    begin.initial = Some(unescape(&rest.join("\t")));
                }
                _ => {}
            }
        }
        Some(begin)
    }
}

/// What a client is greeted with: `mechanisms` are names with their traits. The cookie tells connections apart; it is
/// no secret of anybody's.
pub fn hello(mechanisms: &[(&str, &[&str])], process: u32, connection: u32, cookie: &str) -> Vec<u8> {
    let mut out = format!("VERSION\t{MAJOR}\t1\n");
    for (name, traits) in mechanisms {
        out.push_str("MECH\t");
        out.push_str(name);
        for word in *traits {
            out.push('\t');
            out.push_str(word);
        }
        out.push('\n');
    }
    out.push_str(&format!("SPID\t{process}\nCUID\t{connection}\nCOOKIE\t{cookie}\nDONE\n"));
    out.into_bytes()
}

/// The client is to be asked this, in base64.
pub fn ask(id: u32, question: &str) -> Vec<u8> {
    format!("CONT\t{id}\t{}\n", escape(question)).into_bytes()
}

/// The login succeeded; `fields` are what the client may know of the account.
pub fn accepted<'a>(id: u32, user: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut line = format!("OK\t{id}\tuser={}", escape(user));
    for (name, value) in fields {
        line.push('\t');
        line.push_str(&escape(name));
        line.push('=');
        line.push_str(&escape(value));
    }
    line.push('\n');
    line.into_bytes()
}

/// The login failed.
pub fn refused(id: u32, failed: &Failed<'_>) -> Vec<u8> {
    let mut line = format!("FAIL\t{id}");
    if let Some(user) = failed.user {
        line.push_str(&format!("\tuser={}", escape(user)));
    }
    if !failed.kind.is_empty() {
        line.push('\t');
        line.push_str(failed.kind);
        let code = if failed.kind == "temp" { "temp_fail" } else { failed.kind };
        line.push_str(&format!("\tcode={code}"));
    }
    if let Some(reason) = failed.reason {
        line.push_str(&format!("\treason={}", escape(reason)));
    }
    line.push('\n');
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Machine, Options, Request};
    use super::*;

    #[test]
    fn client_and_server_understand_each_other() {
        let (mut client, mut server) = (Machine::new(), Server::new());
        server.feed(&client.hello(7));
        client.feed(&hello(
            &[("PLAIN", &["plaintext"]), ("CRAM-MD5", &["dictionary", "active"])],
            1,
            2,
            "ab",
        ));
        assert_eq!(client.advance(), Ok(Some(Event::Ready)));
        let allowed = Options::read(["noplaintext"]).unwrap();
        let names: Vec<_> =
            client.mechanisms().iter().filter(|it| allowed.allow(it)).map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["CRAM-MD5"]);
        let request = Request {
            mechanism: "PLAIN",
            service: "smtp",
            local: "127.0.0.1",
            remote: "::1",
            secured: true,
            initial: Some("AGEAYg=="),
        };
        server.feed(&client.begin(&request));
        let Ok(Some(Command::Begin(begin))) = server.advance() else { panic!("a login") };
        assert_eq!((begin.mechanism.as_str(), begin.initial.as_deref()), ("PLAIN", Some("AGEAYg==")));
        assert!(begin.secured && begin.nologin);
        client.feed(&ask(begin.id, "Zm9v"));
        assert_eq!(client.advance(), Ok(Some(Event::Ask("Zm9v".to_owned()))));
        server.feed(&client.answer("YmFy"));
        assert_eq!(server.advance(), Ok(Some(Command::Continue { id: begin.id, answer: "YmFy".to_owned() })));
        client.feed(&accepted(begin.id, "o\trc", [("home", "/x")]));
        assert_eq!(client.advance(), Ok(Some(Event::Accepted { user: Some("o\trc".to_owned()) })));
        server.feed(&client.begin(&request));
        server.feed(&client.cancel());
        assert!(matches!(server.advance(), Ok(Some(Command::Begin(_)))));
        assert_eq!(server.advance(), Ok(Some(Command::Cancel { id: 2 })));
        client.feed(&refused(2, &Failed { user: Some("eve"), kind: "temp", reason: Some("later\n") }));
        let failed = Event::Refused {
            user: Some("eve".to_owned()),
            reason: Some("later\n".to_owned()),
            temporary: true,
        };
        assert_eq!(client.advance(), Ok(Some(failed)));
    }

    #[test]
    fn nonsense_ends_the_connection() {
        for (bytes, expected) in [
            ("AUTH\t1\tPLAIN\n".to_owned(), Broken::Version),
            ("VERSION\t2\t0\n".to_owned(), Broken::Version),
            ("x".repeat(LINE + 1), Broken::Endless),
            (format!("{}\n", "x".repeat(LINE + 1)), Broken::Endless),
        ] {
            let mut server = Server::new();
            server.feed(bytes.as_bytes());
            assert_eq!(server.advance(), Err(expected), "{}", &bytes[..10]);
        }
        let mut server = Server::new();
        server.feed(b"VERSION\t1\t1\nAUTH\tx\tPLAIN\nNONSENSE\nCONT\nAUTH\t1\n");
        assert_eq!(server.advance(), Ok(None));
    }
}
