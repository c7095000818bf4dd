//! Runs a machine of `proto` over a connection: moves its bytes and keeps its deadlines.

use std::time::Duration;

use proto::smtp::{client, server};

use crate::Stream;
use crate::tls::{ClientTls, HandshakeError, Identity, ServerTls, Summary};

/// What a server's session deals with next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Somebody decides.
    Event(server::Event<'a>),
    /// Our 220 to STARTTLS is out: [`Server::start_tls`].
    StartTls,
    /// The session is over; everything said is written or lost.
    Closed,
}

/// One session of a server.
#[derive(Debug)]
pub struct Server {
    stream: Stream,
    machine: server::Machine,
}

impl Server {
    /// A session on a fresh connection. Greet with [`Server::answer`].
    pub fn new(stream: Stream, settings: server::Settings) -> Server {
        Server { stream, machine: server::Machine::new(settings) }
    }

    /// Waits for what comes next, writing what was said meanwhile.
    pub async fn next(&mut self) -> Next<'_> {
        todo!()
    }

    /// Answers the last event, or greets. Nothing is written before the next wait, so replies travel together.
    pub fn answer(&mut self, answer: server::Answer) {
        self.machine.answer(answer);
    }

    /// Writes out what was said so far: before a pause (tarpit) the client should hear of what it is about.
    pub async fn flush(&mut self) {
        todo!()
    }

    /// What the client sent ahead: see [`server::Machine::waiting`].
    pub fn waiting(&self) -> &[u8] {
        self.machine.waiting()
    }

    /// What the client sent without waiting for our greeting, if it did within `pause`.
    pub async fn talks_early(&mut self, pause: Duration) -> bool {
        let _ = pause;
        todo!()
    }

    /// The machine's limits, to change them.
    pub fn settings(&mut self) -> &mut server::Settings {
        self.machine.settings()
    }

    /// The handshake after [`Next::StartTls`], or right at the start (`smtpd_tls_wrappermode`).
    pub async fn start_tls(&mut self, tls: &ServerTls, timeout: Duration) -> Result<Summary, HandshakeError> {
        let _ = (tls, timeout);
        todo!()
    }

    /// The connection.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }
}

/// One session of a client.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    machine: client::Machine,
}

impl Client {
    /// A session on a fresh connection; the first event is the greeting.
    pub fn new(stream: Stream, settings: client::Settings) -> Client {
        Client { stream, machine: client::Machine::new(settings) }
    }

    /// Waits for what comes next, writing what was asked meanwhile.
    pub async fn next(&mut self) -> client::Event {
        todo!()
    }

    /// The machine, to ask it things.
    pub fn machine(&mut self) -> &mut client::Machine {
        &mut self.machine
    }

    /// Sends a piece of content (LF lines); writes in large pieces. `Err` is what [`Client::next`] would have said.
    pub async fn content(&mut self, bytes: &[u8]) -> Result<(), client::Event> {
        let _ = bytes;
        todo!()
    }

    /// Writes out what was asked without waiting for a reply (QUIT under `smtp_skip_quit_response`).
    pub async fn flush(&mut self) -> Result<(), client::Event> {
        todo!()
    }

    /// The handshake after a positive reply to STARTTLS, or right at the start (`smtp_tls_wrappermode`).
    pub async fn start_tls(
        &mut self,
        tls: &ClientTls,
        identity: &Identity,
        timeout: Duration,
    ) -> Result<Summary, HandshakeError> {
        let _ = (tls, identity, timeout);
        todo!()
    }

    /// The connection.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }
}
