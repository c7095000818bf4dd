//! An SMTP client that says exactly what it is told.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::{Address, tls, wait};

/// A reply of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// All lines, digits included, separated by line feeds.
    pub text: String,
}

impl Reply {
    /// Whether the reply announces this extension (a reply to EHLO).
    pub fn offers(&self, keyword: &str) -> bool {
        self.text.lines().any(|line| line.get(4..).and_then(|rest| rest.split(' ').next()) == Some(keyword))
    }
}

enum Stream {
    Plain(TcpStream),
    Secured(Box<tls::Secured>),
}

/// A connection.
pub struct Client {
    stream: Option<Stream>,
    read: Vec<u8>,
}

/// With the line ends of SMTP, and a dot before every line that starts with one.
pub fn crlf(content: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 64);
    for line in content.lines() {
        if line.starts_with('.') {
            out.push(b'.');
        }
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(at: Address) -> io::Result<Client> {
        Ok(Client::over(TcpStream::connect_timeout(&at, Duration::from_secs(5))?))
    }

    /// Goes on with a connection that something was said on already.
    pub fn over(socket: TcpStream) -> Client {
        socket.set_nodelay(true).expect("a TCP socket");
        socket.set_read_timeout(Some(wait::LIMIT)).expect("a limit above zero");
        socket.set_write_timeout(Some(wait::LIMIT)).expect("a limit above zero");
        Client { stream: Some(Stream::Plain(socket)), read: Vec::new() }
    }

    /// Connects and reads the greeting, which must be 220.
    pub fn greeted(at: Address) -> Client {
        let mut client = Client::connect(at).unwrap_or_else(|error| panic!("{at}: {error}"));
        let greeting = client.reply();
        assert_eq!(greeting.code, 220, "{greeting:?}");
        client
    }

    /// The socket, whatever runs over it.
    pub fn socket(&self) -> &TcpStream {
        match self.stream.as_ref().expect("it is open") {
            Stream::Plain(socket) => socket,
            Stream::Secured(secured) => secured.get_ref(),
        }
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.stream.as_mut().expect("it is open") {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Secured(secured) => secured.write_all(bytes).and_then(|()| secured.flush()),
        }
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the server listens");
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16_384];
        let count = match self.stream.as_mut().expect("it is open") {
            Stream::Plain(socket) => socket.read(&mut buffer),
            Stream::Secured(secured) => secured.read(&mut buffer),
        }?;
        self.read.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// The connection is gone, or what came is no reply.
    pub fn try_reply(&mut self) -> io::Result<Reply> {
        let mut text = String::new();
        loop {
            let line = loop {
                if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                    let line = String::from_utf8_lossy(&self.read[..end]).into_owned();
                    self.read.drain(..end + 2);
                    break line;
                }
                if self.fill()? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            };
            let code = line.get(..3).and_then(|digits| digits.parse().ok());
            let code = code.ok_or_else(|| io::Error::other(format!("no reply: {line:?}")))?;
            text.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, text });
            }
            text.push('\n');
        }
    }

    /// Reads one reply.
    pub fn reply(&mut self) -> Reply {
        self.try_reply().unwrap_or_else(|error| panic!("a reply was expected: {error}; had {:?}", self.read))
    }

    /// Says a line and reads the reply.
    pub fn ask(&mut self, line: &str) -> Reply {
        self.try_ask(line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// Says a line and reads the reply.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn try_ask(&mut self, line: &str) -> io::Result<Reply> {
        self.try_send(format!("{line}\r\n").as_bytes())?;
        self.try_reply()
    }

    /// Says a line; the reply must have this code.
    pub fn expect(&mut self, code: u16, line: &str) -> Reply {
        let reply = self.ask(line);
        assert_eq!(reply.code, code, "{line:?}: {reply:?}");
        reply
    }

    /// Says EHLO, which must be taken.
    pub fn hello(&mut self) -> Reply {
        self.expect(250, "EHLO client.test")
    }

    /// A whole transaction after EHLO; gives the reply to the content, or the first refusal before it.
    pub fn deliver(&mut self, from: &str, to: &[&str], content: &str) -> Reply {
        self.hello();
        self.try_deliver(from, to, content).expect("the server listens")
    }

    /// The same without EHLO.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn try_deliver(&mut self, from: &str, to: &[&str], content: &str) -> io::Result<Reply> {
        let reply = self.try_ask(&format!("MAIL FROM:<{from}>"))?;
        if reply.code != 250 {
            return Ok(reply);
        }
        for to in to {
            let reply = self.try_ask(&format!("RCPT TO:<{to}>"))?;
            if reply.code != 250 {
                return Ok(reply);
            }
        }
        let reply = self.try_ask("DATA")?;
        if reply.code != 354 {
            return Ok(reply);
        }
        let mut bytes = crlf(content);
        bytes.extend_from_slice(b".\r\n");
        self.try_send(&bytes)?;
        self.try_reply()
    }

    /// Shakes hands, after the reply to STARTTLS was read; what was read beyond that reply is an error.
    ///
    /// # Errors
    /// The server's certificate is not for `name` by an authority in the file `authority`, or the connection broke.
    pub fn secure(&mut self, authority: &Path, name: &str) -> io::Result<()> {
        assert!(self.read.is_empty(), "bytes in clear before the handshake: {:?}", self.read);
        let Some(Stream::Plain(socket)) = self.stream.take() else { panic!("it is secure already") };
        self.stream = Some(Stream::Secured(Box::new(tls::connect(socket, authority, name)?)));
        Ok(())
    }

    /// EHLO, STARTTLS, handshake, EHLO.
    pub fn starttls(&mut self, authority: &Path, name: &str) -> Reply {
        let offer = self.hello();
        assert!(offer.offers("STARTTLS"), "{offer:?}");
        self.expect(220, "STARTTLS");
        self.secure(authority, name).expect("the certificate is what was expected");
        self.hello()
    }

    /// Closes our direction of the TCP connection, whatever runs over it.
    pub fn half_close(&mut self) {
        self.socket().shutdown(Shutdown::Write).expect("it is open");
    }

    /// Reads until the server closes; gives all that came.
    pub fn rest(&mut self) -> String {
        // A reset is an end as well.
        while matches!(self.fill(), Ok(count) if count > 0) {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }
}
