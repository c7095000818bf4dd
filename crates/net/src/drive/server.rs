//! One session of a server.

use std::time::Duration;

use proto::smtp::server::{Answer, Event, Machine, Settings, Want};
use tokio::io::AsyncWriteExt;

use super::{read_until, write};
use crate::tls::{HandshakeError, ServerTls, Summary};
use crate::{Stream, clock};

/// Replies to commands that came together are written when there are so many bytes of them: a client that sends without
/// reading makes us hold no more.
const REPLIES: usize = 8 * 1024;

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a server's session deals with next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Somebody decides.
    Event(Event<'a>),
    /// Our 220 to STARTTLS is out: [`Server::start_tls`].
    StartTls,
    /// The session is over; everything said is written or lost.
    Closed,
}

/// One session of a server.
#[derive(Debug)]
pub struct Server {
    stream: Stream,
    machine: Machine,
}

impl Server {
    /// A session on a fresh connection. Greet with [`Server::answer`].
    pub fn new(stream: Stream, settings: Settings) -> Server {
        Server { stream, machine: Machine::new(settings) }
    }

    /// Waits for what comes next, writing what was said meanwhile.
    pub async fn next(&mut self) -> Next<'_> {
        loop {
            if self.machine.output().len() >= REPLIES {
                self.flush().await;
            }
            match self.machine.advance(clock::now()) {
                Want::Decision => return Next::Event(self.machine.event()),
                Want::Input => {
                    self.flush().await;
                    let deadline = self.machine.deadline();
                    let machine = &mut self.machine;
                    let most = machine.appetite();
                    // When time is up the machine says so itself.
                    let feed = &mut |bytes: &[u8]| machine.feed(bytes);
                    if read_until(&mut self.stream, deadline, most, feed).await == Some(0) {
                        self.machine.feed_eof();
                    }
                }
                Want::Tls => {
                    self.flush().await;
                    return Next::StartTls;
                }
                Want::Close => {
                    self.flush().await;
                    if self.stream.is_tls() {
                        // A close_notify, so that the client knows that nothing was cut off.
                        let _ = tokio::time::timeout(FAREWELL, self.stream.shutdown()).await;
                    }
                    return Next::Closed;
                }
            }
        }
    }

    /// Answers the last event, or greets. Nothing is written before the next wait, so replies travel together.
    pub fn answer(&mut self, answer: Answer) {
        self.machine.answer(answer);
    }

    /// Writes out what was said so far: before a pause the client should hear what it is about.
    pub async fn flush(&mut self) {
        let timeout = self.machine.settings().timeout;
        if write(&mut self.stream, self.machine.output(), timeout).await.is_err() {
            self.machine.feed_eof();
        }
    }

    /// What the client sent ahead: see [`Machine::waiting`].
    pub fn waiting(&self) -> &[u8] {
        self.machine.waiting()
    }

    /// Does the client talk before we have greeted it? Waits for `pause` to find out.
    pub async fn talks_early(&mut self, pause: Duration) -> bool {
        let machine = &mut self.machine;
        let most = machine.appetite();
        let read =
            read_until(&mut self.stream, Some(clock::now() + pause), most, &mut |bytes| machine.feed(bytes))
                .await;
        if read == Some(0) {
            self.machine.feed_eof();
        }
        !self.machine.waiting().is_empty()
    }

    /// The machine's limits, to change them.
    pub fn settings(&mut self) -> &mut Settings {
        self.machine.settings()
    }

    /// Forgets the BDAT chunks so far: see [`Machine::forget_content`].
    pub fn forget_content(&mut self) {
        self.machine.forget_content();
    }

    /// The handshake after [`Next::StartTls`], or right at the start (`smtpd_tls_wrappermode`).
    ///
    /// When it fails the connection is gone: nothing that was said in clear can be told from an attack.
    pub async fn start_tls(&mut self, tls: &ServerTls, timeout: Duration) -> Result<Summary, HandshakeError> {
        let stream = std::mem::replace(&mut self.stream, Stream::Gone);
        let handshake = tokio::time::timeout(timeout, tls.accept(stream)).await;
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
