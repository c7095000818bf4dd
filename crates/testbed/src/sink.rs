//! An SMTP or LMTP server that takes mail, or answers as a script says, or misbehaves.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Address, address, wait};

/// A message that a sink has taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What stood in MAIL FROM, after the colon.
    pub sender: String,
    /// What stood in each RCPT TO that was taken, after the colon.
    pub recipients: Vec<String>,
    /// The bytes between 354 and the final dot, as they came.
    pub raw: Vec<u8>,
}

impl Taken {
    /// The content as text with plain line ends and without the dots of the transfer.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.raw).replace("\r\n", "\n");
        let lines = text.lines().map(|line| line.strip_prefix('.').unwrap_or(line));
        lines.map(|line| format!("{line}\n")).collect()
    }
}

/// What a script answers to a line; `None` stands for what a friendly server says.
pub enum Answer {
    /// This line, without its end.
    Say(&'static str),
    /// Closes the connection.
    Close,
    /// These bytes as they are, without waiting for anything, then closes.
    Raw(Vec<u8>),
    /// Says nothing until the client is gone.
    Silence,
    /// A reply that never ends, until the client is gone.
    Endless,
}

type Script = dyn Fn(&str) -> Option<Answer> + Send + Sync;

struct Shared {
    taken: Mutex<Vec<Taken>>,
    script: Box<Script>,
    lmtp: bool,
    closed: AtomicBool,
}

/// The server; dropped, it takes no more connections.
pub struct Sink {
    address: Address,
    shared: Arc<Shared>,
}

impl Sink {
    /// Takes everything.
    pub fn new() -> Sink {
        Sink::scripted(|_| None)
    }

    /// Answers what `script` says to a line. `""` is the greeting, `.` the end of the content.
    pub fn scripted(script: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> Sink {
        Sink::listen(address(), Box::new(script), false)
    }

    /// Takes everything at an address that was chosen before.
    pub fn at(address: Address) -> Sink {
        Sink::listen(address, Box::new(|_| None), false)
    }

    /// The same as [`Sink::scripted`], in LMTP: after the content comes a reply for each recipient, and the script is
    /// asked for `. <recipient>`.
    pub fn lmtp(script: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> Sink {
        Sink::listen(address(), Box::new(script), true)
    }

    fn listen(address: Address, script: Box<Script>, lmtp: bool) -> Sink {
        let listener = TcpListener::bind(address).expect("the address is free");
        let shared =
            Arc::new(Shared { taken: Mutex::default(), script, lmtp, closed: AtomicBool::new(false) });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if serving.closed.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(socket), serving) = (socket, serving.clone()) else { return };
                // A client that is gone ends its session and nothing else.
                std::thread::spawn(move || drop(session(&serving, socket)));
            }
        });
        Sink { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        self.address
    }

    /// As a relayhost or nexthop: `[address]:port`.
    pub fn nexthop(&self) -> String {
        format!("[{}]:{}", self.address.ip(), self.address.port())
    }

    /// What it has taken so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken().clone()
    }

    /// Waits until it has taken so many messages; more are wrong.
    pub fn wait_for(&self, count: usize) -> Vec<Taken> {
        let found = wait::until(&format!("{count} messages at the sink"), || {
            Some(self.taken()).filter(|taken| taken.len() >= count)
        });
        assert_eq!(found.len(), count, "{found:#?}");
        found
    }

    /// Waits for the only message.
    pub fn one(&self) -> Taken {
        self.wait_for(1).remove(0)
    }
}

impl Default for Sink {
    fn default() -> Sink {
        Sink::new()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Session<'a> {
    shared: &'a Shared,
    socket: TcpStream,
}

/// The line without its end; `None` when the client is gone.
fn line(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    Ok((reader.read_until(b'\n', &mut line)? > 0).then_some(line))
}

fn session(shared: &Shared, socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut session = Session { shared, socket };
    session.answer("", "220 sink.test ESMTP")?;
    let mut message = Taken { sender: String::new(), recipients: Vec::new(), raw: Vec::new() };
    while let Some(bytes) = line(&mut reader)? {
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        let upper = text.to_ascii_uppercase();
        if upper.starts_with("EHLO") || upper.starts_with("LHLO") {
            session.answer(text, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250 SIZE")?;
        } else if upper.starts_with("MAIL FROM:") {
            if session.answer(text, "250 2.1.0 Ok")? {
                message.sender = text[10..].to_owned();
                message.recipients.clear();
            }
        } else if upper.starts_with("RCPT TO:") {
            if session.answer(text, "250 2.1.5 Ok")? {
                message.recipients.push(text[8..].to_owned());
            }
        } else if upper == "DATA" {
            if message.recipients.is_empty() {
                session.say("554 5.5.1 No valid recipients")?;
            } else if session.answer(text, "354 Go ahead")? {
                message.raw = content(&mut reader)?;
                session.content(&mut message)?;
            }
        } else if upper == "QUIT" {
            session.answer(text, "221 2.0.0 Bye")?;
            return Ok(());
        } else {
            session.answer(text, "250 2.0.0 Ok")?;
        }
    }
    Ok(())
}

/// Everything up to a dot alone between two proper line ends: nothing else ends it.
fn content(reader: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    while let Some(line) = line(reader)? {
        if line == b".\r\n" && (raw.is_empty() || raw.ends_with(b"\r\n")) {
            return Ok(raw);
        }
        raw.extend_from_slice(&line);
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

impl Session<'_> {
    fn say(&mut self, line: &str) -> io::Result<()> {
        self.socket.write_all(format!("{line}\r\n").as_bytes())
    }

    /// Says what the script wants, or `usual`; whether that was a yes.
    fn answer(&mut self, asked: &str, usual: &str) -> io::Result<bool> {
        self.give((self.shared.script)(asked), usual)
    }

    fn give(&mut self, answer: Option<Answer>, usual: &str) -> io::Result<bool> {
        match answer {
            None => self.say(usual).map(|()| true),
            Some(Answer::Say(line)) => self.say(line).map(|()| line.starts_with(['2', '3'])),
            Some(Answer::Close) => Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Answer::Raw(bytes)) => {
                self.socket.write_all(&bytes)?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Some(Answer::Silence) => {
                io::copy(&mut self.socket, &mut io::sink())?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Some(Answer::Endless) => loop {
                self.say("250-and another thing")?;
            },
        }
    }

    /// Keeps the message before it answers, as a good server does.
    fn content(&mut self, message: &mut Taken) -> io::Result<()> {
        let asked: Vec<(String, Taken)> = if self.shared.lmtp {
            let one =
                |to: &String| (format!(". {to}"), Taken { recipients: vec![to.clone()], ..message.clone() });
            message.recipients.iter().map(one).collect()
        } else {
            vec![(".".to_owned(), message.clone())]
        };
        for (question, kept) in asked {
            let answer = (self.shared.script)(&question);
            let yes = match &answer {
                None => true,
                Some(Answer::Say(line)) => line.starts_with('2'),
                Some(_) => false,
            };
            if yes {
                self.shared.taken().push(kept);
            }
            self.give(answer, "250 2.0.0 Ok")?;
        }
        message.recipients.clear();
        Ok(())
    }
}
