//! Lines in, answers out. Commands that came together are answered together (PIPELINING, RFC 2449 6.8).

use std::io;
use std::time::Duration;

use net::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// Longest line, in bytes: a SASL response fits.
const LONGEST: usize = 8192;

/// Answers are written when there are so many bytes of them, even while commands wait.
const ENOUGH: usize = 64 * 1024;

/// How long a client may take to read what was said to it.
const WRITE: Duration = Duration::from_secs(10 * 60);

/// Why no line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client is gone.
    Closed,
    /// It was silent for too long.
    Silent,
    /// Its line was too long.
    TooLong,
}

/// A connection.
pub struct Wire {
    /// What carries it.
    pub stream: Stream,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Wire {
    /// A new one.
    pub fn new(stream: Stream) -> Wire {
        Wire { stream, input: Vec::new(), output: Vec::new() }
    }

    /// Says a line; it goes out before the next wait.
    pub fn say(&mut self, line: &str) {
        self.output.extend(line.as_bytes());
        self.output.extend(b"\r\n");
    }

    /// Says what has its line ends already.
    pub async fn give(&mut self, content: &[u8]) -> Result<(), End> {
        self.output.extend(content);
        if self.output.len() >= ENOUGH { self.flush().await } else { Ok(()) }
    }

    /// Writes what was said.
    pub async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        let output = std::mem::take(&mut self.output);
        let write = async {
            self.stream.write_all(&output).await?;
            self.stream.flush().await
        };
        match timeout(WRITE, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Closed),
            Err(_) => Err(End::Silent),
        }
    }

    /// The next line, without its end.
    pub async fn line(&mut self, patience: Duration) -> Result<String, End> {
        let mut looked = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input[looked..]) {
                let rest = self.input.split_off(looked + end + 1);
                let mut line = std::mem::replace(&mut self.input, rest);
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return match line.len() > LONGEST {
                    true => Err(End::TooLong),
                    false => Ok(String::from_utf8_lossy(&line).into_owned()),
                };
            }
            looked = self.input.len();
            if looked > LONGEST {
                return Err(End::TooLong);
            }
            self.flush().await?;
            match timeout(patience, self.read()).await {
                Ok(Ok(0) | Err(_)) => return Err(End::Closed),
                Ok(Ok(_)) => {}
                Err(_) => return Err(End::Silent),
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        let room = LONGEST + 2 - self.input.len().min(LONGEST);
        let mut piece = [0; 2048];
        let want = room.min(piece.len());
        let count = self.stream.read(&mut piece[..want]).await?;
        self.input.extend(&piece[..count]);
        Ok(count)
    }

    /// What was read and not yet looked at.
    pub fn waiting(&self) -> &[u8] {
        &self.input
    }

    /// Goes on with what another process has read.
    pub fn go_on(stream: Stream, input: Vec<u8>) -> Wire {
        Wire { input, ..Wire::new(stream) }
    }

    /// Forgets what was read and not yet looked at: it came before the handshake and does not count.
    pub fn forget_input(&mut self) {
        self.input = Vec::new();
    }
}
