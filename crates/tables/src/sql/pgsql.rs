//! Connections to PostgreSQL, by its simple query protocol: all columns come as text.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, NoTls, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage};

use super::pool::{Answer, Collector, Failure};
use super::statement::Dialect;
use super::target::Wanted;
use super::{Kind, Place, Statement, Target};
use crate::client::Stream;
use crate::trust;

/// One connection, which a task of its own drives.
pub struct Connection {
    client: Client,
    driver: AbortHandle,
    dialect: Dialect,
    budget: Arc<AtomicUsize>,
    bytes: usize,
    latin1: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    pub async fn open(target: &Target, place: &Place, bytes: usize) -> Result<Connection, String> {
        let mut config = Config::new();
        if let Some(user) = &target.user {
            config.user(user);
        }
        if let Some(password) = &target.password {
            config.password(password);
        }
        if let Some(database) = &target.database {
            config.dbname(database);
        }
        config.application_name("facteur");
        let budget = Arc::new(AtomicUsize::new(bytes));
        let stream: Box<dyn Stream> = match place {
            Place::Unix(directory, port) => {
                let path = directory.join(format!(".s.PGSQL.{port}"));
                let stream = UnixStream::connect(&path).await;
                Box::new(
                    stream
                        .map_err(|error| format!("{}: {}", path.display(), crate::source::reason(&error)))?,
                )
            }
            Place::Inet(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(|error| crate::source::reason(&error))?;
                stream.set_nodelay(true).map_err(|error| crate::source::reason(&error))?;
                Box::new(stream)
            }
        };
        let stream = Metered { stream, budget: budget.clone() };
        let (client, driver, backslash) = match place {
            Place::Inet(host, _) if target.tls.wanted != Wanted::No => {
                let mode =
                    if target.tls.wanted == Wanted::Always { SslMode::Require } else { SslMode::Prefer };
                config.ssl_mode(mode);
                let name = ServerName::try_from(host.clone()).map_err(|_| format!("bad host name {host}"))?;
                let connector = Connector { connector: trust::client_config(&target.tls)?.into(), name };
                drive(config.connect_raw(stream, connector).await)?
            }
            _ => {
                config.ssl_mode(SslMode::Disable);
                drive(config.connect_raw(stream, NoTls).await)?
            }
        };
        let latin1 = target.charset.is_some();
        let dialect = Dialect { kind: Kind::Pgsql, backslash };
        Ok(Connection { client, driver, dialect, budget, bytes, latin1 })
    }

    pub async fn ask(&mut self, statement: &Statement) -> Result<Answer, Failure> {
        let mut text = statement.render(self.dialect).map_err(Failure::Said)?;
        if self.latin1 {
            // Our bytes, each taken as a character.
            text = text.bytes().map(char::from).collect();
        }
        self.budget.store(self.bytes, Ordering::Relaxed);
        let messages = self.client.simple_query(&text).await.map_err(|error| self.failure(&error))?;
        let mut answer = Answer::default();
        let mut rows = None;
        for message in messages {
            match message {
                // Of several statements the last one answers.
                SimpleQueryMessage::RowDescription(columns) => {
                    let names = columns.iter().map(|column| column.name().to_owned()).collect();
                    rows = Some(Collector::new(names, self.bytes));
                }
                SimpleQueryMessage::Row(row) => {
                    let mut values = Vec::with_capacity(row.len());
                    for n in 0..row.len() {
                        let value = row.try_get(n).map_err(|error| Failure::Broken(words(&error)))?;
                        values.push(value.map(|text| self.value(text)).transpose()?);
                    }
                    if let Some(rows) = &mut rows {
                        rows.add(values)?;
                    }
                }
                SimpleQueryMessage::CommandComplete(count) => {
                    answer = match rows.take() {
                        Some(rows) => rows.answer(),
                        None => Answer { affected: count, ..Answer::default() },
                    };
                }
                _ => {}
            }
        }
        Ok(answer)
    }

    /// A value in the character set of the session.
    fn value(&self, text: &str) -> Result<String, Failure> {
        if !self.latin1 {
            return Ok(text.to_owned());
        }
        let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
        let bytes = bytes.map_err(|_| Failure::Said("a value cannot be written in LATIN1".to_owned()))?;
        String::from_utf8(bytes).map_err(|_| {
            Failure::Said("a value is not UTF-8 when it comes in LATIN1: set encoding = UTF8".to_owned())
        })
    }

    fn failure(&self, error: &Error) -> Failure {
        let words = words(error);
        if self.budget.load(Ordering::Relaxed) == 0 {
            return Failure::Broken("the answer is too large".to_owned());
        }
        match error.as_db_error() {
            // Class 57P: the server is stopping or has ended this connection.
            Some(said) if !said.code().code().starts_with("57P") && !self.client.is_closed() => {
                Failure::Said(words)
            }
            _ => Failure::Lost(words),
        }
    }
}

type Opened<T> = Result<(Client, tokio_postgres::Connection<Metered, T>), Error>;

/// Starts the task that moves bytes.
fn drive<T>(opened: Opened<T>) -> Result<(Client, AbortHandle, bool), String>
where
    T: TlsStream + Unpin + Send + 'static,
{
    let (client, connection) = opened.map_err(|error| words(&error))?;
    let backslash = connection.parameter("standard_conforming_strings") == Some("off");
    // How it ends is seen by who asks next.
    let driver = tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok((client, driver.abort_handle(), backslash))
}

/// What the server said, or what went wrong, with its cause.
fn words(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A stream that ends with an error when one answer is larger than it may be.
struct Metered {
    stream: Box<dyn Stream>,
    budget: Arc<AtomicUsize>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.budget.load(Ordering::Relaxed) == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too large")));
        }
        let before = buf.filled().len();
        let answer = Pin::new(&mut self.stream).poll_read(cx, buf);
        let left = self.budget.load(Ordering::Relaxed).saturating_sub(buf.filled().len() - before);
        self.budget.store(left, Ordering::Relaxed);
        answer
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

struct Connector {
    connector: tokio_rustls::TlsConnector,
    name: ServerName<'static>,
}

impl TlsConnect<Metered> for Connector {
    type Stream = Secured;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Secured>> + Send>>;

    fn connect(self, stream: Metered) -> Self::Future {
        Box::pin(async move { Ok(Secured(Box::new(self.connector.connect(self.name, stream).await?))) })
    }
}

struct Secured(Box<tokio_rustls::client::TlsStream<Metered>>);

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
