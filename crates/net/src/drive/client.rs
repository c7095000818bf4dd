//! One session of a client.

use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use proto::smtp::client::{Event, Machine, Settings, Step};

use super::{READ, WRITE, read_until, write};
use crate::tls::{ClientTls, HandshakeError, Identity, Summary};
use crate::{Stream, clock};

/// One session of a client.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    machine: Machine,
}

impl Client {
    /// A session on a fresh connection; the first event is the greeting.
    pub fn new(stream: Stream, settings: Settings) -> Client {
        Client { stream, machine: Machine::new(settings) }
    }

    /// Waits for what comes next, writing what was asked meanwhile. Only to be called when something was asked.
    pub async fn next(&mut self) -> Event {
        loop {
            match self.machine.step(clock::now()) {
                Step::Event(event) => return event,
                Step::Idle => {
                    debug_assert!(false, "waiting for a reply that nobody asked for");
                    return Event::Lost(self.machine.stage());
                }
                Step::Input => {
                    if let Err(event) = self.flush().await {
                        return event;
                    }
                    let deadline = self.machine.deadline();
                    let machine = &mut self.machine;
                    let feed = &mut |bytes: &[u8]| machine.feed(bytes);
                    if read_until(&mut self.stream, deadline, READ, feed).await == Some(0) {
                        self.machine.feed_eof();
                    }
                }
            }
        }
    }

    /// The machine, to ask it things.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Sends a piece of content (LF lines); writes in large pieces. `Err` is what [`Client::next`] would have said.
    pub async fn content(&mut self, bytes: &[u8]) -> Result<(), Event> {
        for piece in bytes.chunks(WRITE) {
            self.machine.content(piece);
            if self.machine.output().len() >= WRITE {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes out what was asked without waiting for a reply (QUIT under `smtp_skip_quit_response`).
    pub async fn flush(&mut self) -> Result<(), Event> {
        let timeout = self.machine.write_timeout(clock::now());
        let stage = self.machine.stage();
        match write(&mut self.stream, self.machine.output(), timeout).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(Event::TimedOut(stage)),
            Err(_) => Err(Event::Lost(stage)),
        }
    }

    /// Is an idle connection still good? A server that hung up or said something unasked makes it useless.
    pub fn is_alive(&self) -> bool {
        let fd = match &self.stream {
            Stream::Unix(unix) => unix.as_raw_fd(),
            stream => match stream.tcp() {
                Some(tcp) => tcp.as_raw_fd(),
                None => return false,
            },
        };
        let found = recv(fd, &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        found == Err(nix::errno::Errno::EAGAIN)
    }

    /// The handshake after a positive reply to STARTTLS, or right at the start (`smtp_tls_wrappermode`).
    ///
    /// When it fails the connection is gone.
    pub async fn start_tls(
        &mut self,
        tls: &ClientTls,
        identity: &Identity,
        timeout: Duration,
    ) -> Result<Summary, HandshakeError> {
        let stream = std::mem::replace(&mut self.stream, Stream::Gone);
        let handshake = tokio::time::timeout(timeout, tls.connect(stream, identity, clock::wall())).await;
        let (stream, summary) = handshake.unwrap_or(Err(HandshakeError::TimedOut))?;
        self.stream = stream;
        self.machine.tls_started();
        Ok(summary)
    }

    /// The connection.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }
}
