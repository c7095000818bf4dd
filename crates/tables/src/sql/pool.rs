//! Connections that are shared, bounded in number and in time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use mail::Trouble;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::hosts::Hosts;
use super::{Kind, Place, Statement, Target, mysql, pgsql, sqlite};

/// What a pool may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Connections at one time; who comes later waits, no longer than for an answer.
    pub connections: usize,
    /// For one server to accept a connection.
    pub connect: Duration,
    /// For one answer.
    pub query: Duration,
    /// After this time without use a connection is closed.
    pub idle: Duration,
    /// For this time a server that failed is not tried again.
    pub retry: Duration,
    /// Bytes of one answer.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 10,
            connect: Duration::from_secs(10),
            query: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            retry: Duration::from_secs(60),
            bytes: 16 << 20,
        }
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The names of the columns, also where there are no rows.
    pub columns: Arc<[String]>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Was there a result set, if an empty one? An UPDATE has none.
    pub is_set: bool,
    /// Rows changed by a statement without result set.
    pub affected: u64,
}

/// A row: columns with names, values as text.
#[derive(Clone, Debug)]
pub struct Row {
    /// Their names as the server gives them.
    pub columns: Arc<[String]>,
    /// Their values; `None` is NULL. Bytes that are not UTF-8 are replaced.
    pub values: Vec<Option<String>>,
}

impl Row {
    /// The value of a column, unless it is NULL or there is no such column.
    pub fn get(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.values.get(at)?.as_deref()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection is lost; another one may do better.
    Lost(String),
    /// The server says no to this statement; the connection is good.
    Said(String),
    /// The answer cannot be used, and no more is wanted of this connection.
    Broken(String),
}

enum Connection {
    Mysql(Box<mysql::Connection>),
    Pgsql(pgsql::Connection),
    Sqlite(sqlite::Connection),
}

impl Connection {
    async fn open(target: &Target, place: &Place, bytes: usize) -> Result<Connection, String> {
        Ok(match target.kind {
            Kind::Mysql => Connection::Mysql(Box::new(mysql::Connection::open(target, place, bytes).await?)),
            Kind::Pgsql => Connection::Pgsql(pgsql::Connection::open(target, place, bytes).await?),
            Kind::Sqlite => Connection::Sqlite(sqlite::Connection::open(target).await?),
        })
    }

    async fn ask(&mut self, statement: &Statement, bytes: usize) -> Result<Answer, Failure> {
        match self {
            Connection::Mysql(connection) => connection.ask(statement, bytes).await,
            Connection::Pgsql(connection) => connection.ask(statement).await,
            Connection::Sqlite(connection) => connection.ask(statement, bytes).await,
        }
    }
}

/// A connection, and the server it is to.
struct Leased {
    connection: Connection,
    host: usize,
    /// Has it never been used?
    fresh: bool,
}

/// Connections to one target. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

/// A pool that may be gone.
#[derive(Clone)]
pub struct WeakPool(Weak<Inner>);

impl WeakPool {
    /// The pool, while somebody uses it.
    pub fn upgrade(&self) -> Option<Pool> {
        self.0.upgrade().map(Pool)
    }
}

struct Inner {
    target: Target,
    limits: Limits,
    program: &'static str,
    hosts: Hosts,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<(Instant, Leased)>>,
    reaping: AtomicBool,
}

impl Pool {
    /// A pool without connections yet. `program` is the name under which a dead server is logged.
    pub fn new(target: Target, limits: Limits, program: &'static str) -> Pool {
        let hosts = match (target.kind, &target.database) {
            (Kind::Sqlite, Some(path)) => {
                Hosts::new(vec![(Place::Unix(path.into(), 0), path.clone())], Duration::ZERO)
            }
            _ => Hosts::new(target.servers.clone(), limits.retry),
        };
        Pool(Arc::new(Inner {
            permits: Arc::new(Semaphore::new(limits.connections.max(1))),
            target,
            limits,
            program,
            hosts,
            idle: Mutex::default(),
            reaping: AtomicBool::new(false),
        }))
    }

    /// A handle that does not keep it.
    pub fn downgrade(&self) -> WeakPool {
        WeakPool(Arc::downgrade(&self.0))
    }

    /// Its servers, or file, for messages.
    pub fn names(&self) -> String {
        self.0.hosts.names()
    }

    /// What it was made for.
    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// Asks. When the connection turns out to be lost the statement is sent again over another one, so one
    /// that changes something may do so twice.
    ///
    /// # Errors
    /// No server answers, or the answer is no: a sentence that names the server or repeats its words.
    pub async fn query(&self, statement: &Statement) -> Result<Answer, Trouble> {
        // Nothing is begun at the first poll, for those who poll once to see whether an answer is at hand.
        tokio::task::yield_now().await;
        let permit = self.permit().await?;
        loop {
            let mut leased = match self.0.kept() {
                Some(leased) => leased,
                None => self.0.connect().await?,
            };
            match self.0.ask(&mut leased, statement).await {
                Ok(answer) => {
                    self.keep(leased);
                    drop(permit);
                    return Ok(answer);
                }
                Err(Failure::Lost(why)) => {
                    // A server that was stopped and started again has closed all that was idle.
                    if leased.fresh {
                        self.0.lost(leased.host, &why);
                    }
                }
                Err(Failure::Said(why)) => {
                    self.keep(leased);
                    return Err(Trouble::new(format!("query failed: {why}")));
                }
                Err(Failure::Broken(why)) => {
                    let name = &self.0.hosts.get(leased.host).1;
                    return Err(Trouble::new(format!("query failed: {why}, server {name}")));
                }
            }
        }
    }

    /// A connection of one's own, for a transaction. It is closed, and what was begun undone, unless it is
    /// given back.
    ///
    /// # Errors
    /// As [`Pool::query`].
    pub async fn session(&self) -> Result<Session, Trouble> {
        let permit = self.permit().await?;
        // Always a new one: nothing can be sent again within a transaction.
        let leased = self.0.connect().await?;
        Ok(Session { pool: self.clone(), leased, _permit: permit })
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Trouble> {
        let inner = &self.0;
        if let Ok(permit) = inner.permits.clone().try_acquire_owned() {
            return Ok(permit);
        }
        match timeout(inner.limits.query, inner.permits.clone().acquire_owned()).await {
            Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
            Err(_) => Err(Trouble::new(format!(
                "{} server {}: all {} connections are busy",
                inner.target.kind.name(),
                inner.hosts.names(),
                inner.limits.connections
            ))),
        }
    }

    fn keep(&self, mut leased: Leased) {
        leased.fresh = false;
        self.0.idle().push((Instant::now(), leased));
        if self.0.reaping.swap(true, Ordering::AcqRel) {
            return;
        }
        let (pool, interval) = (Arc::downgrade(&self.0), self.0.limits.idle);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(inner) = pool.upgrade() else { return };
                inner.reap();
                if inner.idle().is_empty() {
                    inner.reaping.store(false, Ordering::Release);
                    return;
                }
            }
        });
    }
}

impl Inner {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Leased)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection used last, if it is not too old.
    fn kept(&self) -> Option<Leased> {
        let (since, leased) = self.idle().pop()?;
        (since.elapsed() < self.limits.idle).then_some(leased)
    }

    fn reap(&self) {
        let interval = self.limits.idle;
        self.idle().retain(|(since, _)| since.elapsed() < interval);
    }

    async fn ask(&self, leased: &mut Leased, statement: &Statement) -> Result<Answer, Failure> {
        match timeout(self.limits.query, leased.connection.ask(statement, self.limits.bytes)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Broken(format!("no answer within {} s", self.limits.query.as_secs_f32()))),
        }
    }

    fn lost(&self, host: usize, why: &str) {
        let (kind, name) = (self.target.kind.name(), &self.hosts.get(host).1);
        log::warn!(target: self.program, "{kind} server {name}: connection lost: {}", mail::logline::printable(why));
        self.hosts.failed(host);
    }

    async fn connect(&self) -> Result<Leased, Trouble> {
        let kind = self.target.kind.name();
        let mut last = None;
        for n in self.hosts.order() {
            let (place, name) = self.hosts.get(n);
            let opening = Connection::open(&self.target, place, self.limits.bytes);
            let why = match timeout(self.limits.connect, opening).await {
                Ok(Ok(connection)) => {
                    self.hosts.works(n);
                    return Ok(Leased { connection, host: n, fresh: true });
                }
                Ok(Err(why)) => mail::logline::printable(&why),
                Err(_) => "Connection timed out".to_owned(),
            };
            let what = format!("connect to {kind} server {name}: {why}");
            log::warn!(target: self.program, "{what}");
            self.hosts.failed(n);
            last = Some(what);
        }
        Err(Trouble::new(last.unwrap_or_else(|| {
            let wait = self.limits.retry.as_secs();
            format!("{kind} server {} failed, and is not asked again for up to {wait} s", self.hosts.names())
        })))
    }
}

/// A connection for one user, see [`Pool::session`].
pub struct Session {
    pool: Pool,
    leased: Leased,
    _permit: OwnedSemaphorePermit,
}

impl Session {
    /// Asks, once.
    ///
    /// # Errors
    /// The server's words, or that it is gone.
    pub async fn query(&mut self, statement: &Statement) -> Result<Answer, Trouble> {
        let name = self.pool.0.hosts.get(self.leased.host).1.clone();
        self.pool.0.ask(&mut self.leased, statement).await.map_err(|failure| {
            Trouble::new(match failure {
                Failure::Said(why) => format!("query failed: {why}"),
                Failure::Lost(why) | Failure::Broken(why) => format!("query failed: {why}, server {name}"),
            })
        })
    }

    /// Ends the session; the connection is for others again.
    pub fn give_back(self) {
        self.pool.keep(self.leased);
    }
}

/// Collects rows until they are too large.
pub(super) struct Collector {
    columns: Arc<[String]>,
    rows: Vec<Row>,
    left: usize,
}

/// What a row costs beside its text.
const ROW: usize = 64;

impl Collector {
    pub fn new(columns: Vec<String>, bytes: usize) -> Collector {
        Collector { columns: columns.into(), rows: Vec::new(), left: bytes }
    }

    pub fn add(&mut self, values: Vec<Option<String>>) -> Result<(), Failure> {
        let size: usize = values.iter().flatten().map(String::len).sum();
        self.left = self
            .left
            .checked_sub(size + ROW)
            .ok_or_else(|| Failure::Broken("the answer is too large".to_owned()))?;
        self.rows.push(Row { columns: self.columns.clone(), values });
        Ok(())
    }

    pub fn answer(self) -> Answer {
        Answer { columns: self.columns, rows: self.rows, is_set: true, affected: 0 }
    }
}
