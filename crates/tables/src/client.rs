//! Connections to table servers (`tcp:`, `socketmap:`): one question at a time on each, kept for the next.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpStream, UnixStream};

/// A stream of either kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `host:port`, also `[address]:port`.
    Inet(String),
    /// A socket in the file system.
    Unix(String),
}

impl Endpoint {
    /// Reads `inet:host:port`, `host:port`, `unix:/path`, `/path`.
    pub fn parse(text: &str) -> Option<Endpoint> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Endpoint::Unix(path.to_owned()));
        }
        if text.starts_with('/') {
            return Some(Endpoint::Unix(text.to_owned()));
        }
        let address = text.strip_prefix("inet:").unwrap_or(text);
        let (host, port) = address.rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| Endpoint::Inet(address.to_owned()))
    }
}

/// A server and the idle connections to it.
pub struct Server {
    name: String,
    endpoint: Endpoint,
    timeout: Duration,
    idle: Mutex<Vec<Box<dyn Stream>>>,
}

/// Idle connections kept.
const IDLE_MAX: usize = 8;

/// How a server speaks.
pub trait Dialogue {
    /// What it answers, in the protocol's terms.
    type Reply;

    /// What a new connection begins with.
    fn greet(&self, _: &mut Box<dyn Stream>) -> impl Future<Output = io::Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Sends the question and reads the answer.
    fn run(&self, stream: &mut Box<dyn Stream>) -> impl Future<Output = io::Result<Self::Reply>> + Send;
}

impl Server {
    /// A server, to which nothing is connected yet. `timeout` is for one question.
    pub fn new(name: String, endpoint: Endpoint, timeout: Duration) -> Server {
        Server { name, endpoint, timeout, idle: Mutex::default() }
    }

    /// Asks over an idle connection, then over a new one, as the server may have closed the old one meanwhile.
    pub async fn ask<D: Dialogue + Sync>(&self, dialogue: &D) -> Result<D::Reply, Trouble> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let fresh = idle.is_none();
            let attempt = async {
                let mut stream = match idle {
                    Some(stream) => stream,
                    None => {
                        let mut stream = self.connect().await?;
                        dialogue.greet(&mut stream).await?;
                        stream
                    }
                };
                let reply = dialogue.run(&mut stream).await?;
                Ok::<_, io::Error>((reply, stream))
            };
            let outcome = match tokio::time::timeout(self.timeout, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => return Err(self.trouble(&io::ErrorKind::TimedOut.into())),
            };
            match outcome {
                Ok((reply, stream)) => {
                    let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                    if idle.len() < IDLE_MAX {
                        idle.push(stream);
                    }
                    return Ok(reply);
                }
                Err(error) if fresh => return Err(self.trouble(&error)),
                Err(_) => {}
            }
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match &self.endpoint {
            Endpoint::Inet(address) => {
                let stream = TcpStream::connect(address.as_str()).await?;
                stream.set_nodelay(true)?;
                Box::new(BufReader::new(stream))
            }
            Endpoint::Unix(path) => Box::new(BufReader::new(UnixStream::connect(path).await?)),
        })
    }

    fn trouble(&self, error: &io::Error) -> Trouble {
        Trouble::new(format!("table {} lookup error: {}", self.name, crate::source::reason(error)))
    }
}
