//! A connection to an authentication server: every step has a time and a measure.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use net::Stream;
use proto::dovecot::{Event, Machine, Mechanism, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout};

/// How long a connection may wait for the next login; Postfix's are as old as its idle processes (`max_idle`).
const IDLE: Duration = Duration::from_secs(100);

/// A connection whose handshake is over.
#[derive(Debug)]
pub(super) struct Line {
    stream: Stream,
    machine: Machine,
    /// How long a step may take, from the question to the whole answer.
    step: Duration,
    last_used: Instant,
}

impl Line {
    /// The handshake.
    ///
    /// # Errors
    /// The server is gone, makes no sense, or takes too long: why, in words for the log.
    pub async fn open(stream: Stream, step: Duration) -> Result<Line, String> {
        let mut line = Line { stream, machine: Machine::new(), step, last_used: Instant::now() };
        let hello = line.machine.hello(std::process::id());
        match line.step(&hello).await? {
            Event::Ready => Ok(line),
            _ => Err("unexpected answer".to_owned()),
        }
    }

    /// The mechanisms of the server.
    pub fn mechanisms(&self) -> &[Mechanism] {
        self.machine.mechanisms()
    }

    /// Begins a login.
    ///
    /// # Errors
    /// As [`Line::open`].
    pub async fn begin(&mut self, request: &Request<'_>) -> Result<Event, String> {
        let bytes = self.machine.begin(request);
        self.step(&bytes).await
    }

    /// The client's answer.
    ///
    /// # Errors
    /// As [`Line::open`].
    pub async fn answer(&mut self, answer: &str) -> Result<Event, String> {
        let bytes = self.machine.answer(answer);
        self.step(&bytes).await
    }

    /// Gives up the login under way.
    ///
    /// # Errors
    /// As [`Line::open`].
    pub async fn cancel(&mut self) -> Result<(), String> {
        let bytes = self.machine.cancel();
        let sent = timeout(self.step, self.stream.write_all(&bytes)).await;
        sent.map_err(|_| "Connection timed out".to_owned())?.map_err(|error| plain(&error))
    }

    /// Is the server still there, and silent, as it is between logins?
    pub async fn is_alive(&mut self) -> bool {
        if self.last_used.elapsed() > IDLE {
            return false;
        }
        let mut byte = [0u8; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        poll_fn(|cx| Poll::Ready(Pin::new(&mut self.stream).poll_read(cx, &mut buffer).is_pending())).await
    }

    async fn step(&mut self, bytes: &[u8]) -> Result<Event, String> {
        let plain = |error: std::io::Error| plain(&error);
        let work = async {
            self.stream.write_all(bytes).await.map_err(plain)?;
            self.stream.flush().await.map_err(plain)?;
            let mut piece = [0u8; 1024];
            loop {
                if let Some(event) = self.machine.advance().map_err(|broken| broken.to_string())? {
                    return Ok(event);
                }
                match self.stream.read(&mut piece).await.map_err(plain)? {
                    0 => return Err("the server hung up".to_owned()),
                    count => self.machine.feed(&piece[..count]),
                }
            }
        };
        let event = timeout(self.step, work).await.unwrap_or_else(|_| Err("Connection timed out".to_owned()));
        self.last_used = Instant::now();
        event
    }
}

/// The error without Rust's number behind it.
pub(super) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
