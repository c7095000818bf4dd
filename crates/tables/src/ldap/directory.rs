//! Connections to a directory, shared and bounded.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use mail::Trouble;
use mail::logline::printable;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::connection::Connection;
use super::{Bind, Found, INVALID_CREDENTIALS, Search, Settings, chase};
use crate::source::reason;

/// A directory. Cheap to clone.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    settings: Settings,
    program: &'static str,
    permits: Semaphore,
    idle: Mutex<Vec<(Instant, Connection)>>,
}

impl Directory {
    /// A directory, to which nothing is connected yet.
    pub fn new(settings: Settings, program: &'static str) -> Directory {
        Directory(Arc::new(Inner {
            permits: Semaphore::new(settings.connections.max(1)),
            settings,
            program,
            idle: Mutex::default(),
        }))
    }

    /// Its servers, for messages.
    pub fn names(&self) -> String {
        let names: Vec<_> = self.0.settings.servers.iter().map(|(_, name)| name.as_str()).collect();
        names.join(" ")
    }

    /// Searches. Result codes other than success come back as they are.
    ///
    /// # Errors
    /// No server answers in time, or not as it should.
    pub async fn search(&self, search: &Search<'_>) -> Result<Found, Trouble> {
        let found = self.search_here(search).await?;
        if !self.0.settings.chase || found.references.is_empty() {
            return Ok(found);
        }
        chase::follow(&self.0.settings, self.0.program, search, found).await
    }

    /// The same without following referrals.
    pub(super) async fn search_here(&self, search: &Search<'_>) -> Result<Found, Trouble> {
        // Nothing is begun at the first poll, for those who poll once to see whether an answer is at hand.
        tokio::task::yield_now().await;
        let inner = &self.0;
        let _permit = match timeout(inner.settings.timeout, inner.permits.acquire()).await {
            Ok(permit) => permit.expect("the semaphore is never closed"),
            Err(_) => return Err(Trouble::new(format!("all connections to {} are busy", self.names()))),
        };
        loop {
            let kept = inner.kept();
            let fresh = kept.is_none();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match timeout(inner.settings.timeout, connection.search(search)).await {
                Ok(Ok(found)) => {
                    inner.keep(connection);
                    return Ok(found);
                }
                // A server that was stopped and started again has closed all that was idle.
                Ok(Err(error)) if !fresh && error.kind() != io::ErrorKind::InvalidData => {}
                Ok(Err(error)) => return Err(self.trouble("search", &error)),
                Err(_) => return Err(self.trouble("search", &io::ErrorKind::TimedOut.into())),
            }
        }
    }

    /// Is this the password of the entry? Asked over a connection of its own. An empty password is never right.
    ///
    /// # Errors
    /// No server answers in time, or not as it should.
    pub async fn check_password(&self, dn: &str, password: &str) -> Result<bool, Trouble> {
        if password.is_empty() || dn.is_empty() {
            return Ok(false);
        }
        let settings = &self.0.settings;
        let mut connection = self.open().await?;
        let bind = Bind::Simple { dn: dn.to_owned(), password: password.to_owned() };
        match timeout(settings.timeout, connection.bind(settings.version, &bind)).await {
            Ok(Ok(verdict)) if verdict.code == 0 => Ok(true),
            Ok(Ok(verdict)) if verdict.code == INVALID_CREDENTIALS => Ok(false),
            Ok(Ok(verdict)) => Err(self.trouble("bind", &io::Error::other(verdict.text))),
            Ok(Err(error)) => Err(self.trouble("bind", &error)),
            Err(_) => Err(self.trouble("bind", &io::ErrorKind::TimedOut.into())),
        }
    }

    /// Connects and binds.
    async fn connect(&self) -> Result<Connection, Trouble> {
        let settings = &self.0.settings;
        let mut connection = self.open().await?;
        let Some(bind) = &settings.bind else { return Ok(connection) };
        let outcome = match timeout(settings.timeout, connection.bind(settings.version, bind)).await {
            Ok(Ok(verdict)) if verdict.code == 0 => return Ok(connection),
            Ok(Ok(verdict)) => format!("{} ({})", verdict.code, verdict.text),
            Ok(Err(error)) => reason(&error),
            Err(_) => "timed out".to_owned(),
        };
        let who = if let Bind::Simple { dn, .. } = bind { dn.as_str() } else { "SASL" };
        let what = format!("Unable to bind to server {} as {who}: {}", self.names(), printable(&outcome));
        log::warn!(target: self.0.program, "dict_ldap_connect: {what}");
        Err(Trouble::new(what))
    }

    /// Connects to the first server that answers.
    async fn open(&self) -> Result<Connection, Trouble> {
        let settings = &self.0.settings;
        let mut last = None;
        for (place, name) in &settings.servers {
            let why = match timeout(settings.timeout, Connection::open(settings, place)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => reason(&error),
                Err(_) => "Connection timed out".to_owned(),
            };
            let what = format!("connect to ldap server {name}: {}", printable(&why));
            log::warn!(target: self.0.program, "{what}");
            last = Some(what);
        }
        Err(Trouble::new(last.unwrap_or_else(|| "no ldap server is named".to_owned())))
    }

    fn trouble(&self, doing: &str, error: &io::Error) -> Trouble {
        let what = format!("{doing} at ldap server {}: {}", self.names(), printable(&reason(error)));
        log::warn!(target: self.0.program, "{what}");
        Trouble::new(what)
    }
}

impl Inner {
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, _)| since.elapsed() < self.settings.idle);
        idle.pop().map(|(_, connection)| connection)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((Instant::now(), connection));
    }
}
