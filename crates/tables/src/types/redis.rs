//! `redis:`, a Redis or Valkey server: ours, in the manner of the other data bases.
//!
//! ```text
//! server = inet:127.0.0.1:6379        # or unix:/run/redis/redis.sock
//! user = …  password = …  database = 0
//! query = GET alias:%s                # any command that reads; each word is sent as one argument
//! domain, result_format, expansion_limit, timeout as in mysql_table(5)
//! ```

use std::io::{self, Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use mail::logline::printable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::queries::databases;
use super::{Opening, TableType};
use crate::cached::cached;
use crate::client::{Dialogue, Endpoint, Server, Stream};
use crate::files::Watched;
use crate::template::{Config, Results, Template};
use crate::{Answer, Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "redis",
    doc: "A Redis or Valkey server, which the named file of settings describes.",
    open,
    make: None,
};

/// A line of the protocol, without values.
const LINE_MAX: usize = 4096;
/// Values of one answer, and their bytes.
const VALUES_MAX: usize = 10_000;
const BYTES_MAX: usize = 1 << 20;

struct Redis {
    server: Server,
    query: Vec<Template>,
    results: Results,
    login: Vec<Vec<String>>,
    name: String,
    place: String,
    program: &'static str,
    watched: Vec<Watched>,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let config = Config::read(opening)?;
    let place = config.given("server").unwrap_or_else(|| "inet:127.0.0.1:6379".to_owned());
    let endpoint = Endpoint::parse(&place).ok_or_else(|| format!("bad server = {place}"))?;
    let mut login = Vec::new();
    if let Some(password) = config.given("password") {
        let words = [Some("AUTH".to_owned()), config.given("user"), Some(password)];
        login.push(words.into_iter().flatten().collect());
    }
    match config.number("database", 0)? {
        0 => {}
        number => login.push(vec!["SELECT".to_owned(), number.to_string()]),
    }
    let query = config.text("query", "GET %s");
    let words = query.split_ascii_whitespace().map(|word| Template::parse(word, "query"));
    let databases = databases(opening, &config)?;
    let timeout = config.seconds("timeout", Duration::from_secs(10))?;
    let table = Redis {
        server: Server::new(opening.spec.to_string(), endpoint, timeout),
        query: words.collect::<Result<_, _>>()?,
        results: Results::read(&config, opening)?,
        login,
        name: opening.spec.to_string(),
        place,
        program: opening.tables.settings().program,
        watched: config.watched,
    };
    if table.query.is_empty() {
        return Err("query is empty".to_owned());
    }
    Ok(cached(Arc::new(table), &databases))
}

/// A command, and the commands of the login before it on a new connection.
struct Command<'a> {
    words: Vec<String>,
    login: &'a [Vec<String>],
}

/// An answer.
enum Reply {
    Values(Vec<String>),
    /// The server's own words.
    Error(String),
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

async fn send(stream: &mut Box<dyn Stream>, words: &[String]) -> io::Result<()> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend(format!("${}\r\n", word.len()).bytes());
        out.extend(word.bytes());
        out.extend(b"\r\n");
    }
    stream.write_all(&out).await
}

async fn line(stream: &mut Box<dyn Stream>) -> io::Result<String> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => break,
            byte => line.push(byte),
        }
        if line.len() > LINE_MAX {
            return Err(bad("reply line too long"));
        }
    }
    if line.pop() != Some(b'\r') {
        return Err(bad("malformed reply"));
    }
    String::from_utf8(line).map_err(|_| bad("malformed reply"))
}

/// Reads one answer: a value, or a list of values, without lists in lists.
async fn receive(stream: &mut Box<dyn Stream>) -> io::Result<Reply> {
    let first = line(stream).await?;
    let mut left = BYTES_MAX;
    let count = match first.strip_prefix('*') {
        None => return one(stream, first, &mut left).await,
        Some("-1") => return Ok(Reply::Values(Vec::new())),
        Some(digits) => digits.parse::<usize>().map_err(|_| bad("malformed reply"))?,
    };
    if count > VALUES_MAX {
        return Err(bad("too many values in a reply"));
    }
    let mut values = Vec::new();
    for _ in 0..count {
        let head = line(stream).await?;
        match one(stream, head, &mut left).await? {
            Reply::Values(found) => values.extend(found),
            error @ Reply::Error(_) => return Ok(error),
        }
    }
    Ok(Reply::Values(values))
}

async fn one(stream: &mut Box<dyn Stream>, head: String, left: &mut usize) -> io::Result<Reply> {
    let Some((kind, rest)) = head.split_at_checked(1) else { return Err(bad("malformed reply")) };
    match kind {
        "-" => Ok(Reply::Error(rest.to_owned())),
        "+" | ":" => Ok(Reply::Values(vec![rest.to_owned()])),
        "_" => Ok(Reply::Values(Vec::new())),
        "$" if rest == "-1" => Ok(Reply::Values(Vec::new())),
        "$" => {
            let size: usize = rest.parse().map_err(|_| bad("malformed reply"))?;
            *left = left.checked_sub(size).ok_or_else(|| bad("reply too large"))?;
            let mut value = vec![0; size + 2];
            stream.read_exact(&mut value).await?;
            if !value.ends_with(b"\r\n") {
                return Err(bad("malformed reply"));
            }
            value.truncate(size);
            Ok(Reply::Values(vec![String::from_utf8_lossy(&value).into_owned()]))
        }
        _ => Err(bad("unexpected reply")),
    }
}

impl Dialogue for Command<'_> {
    type Reply = Reply;

    async fn greet(&self, stream: &mut Box<dyn Stream>) -> io::Result<()> {
        for words in self.login {
            send(stream, words).await?;
            if let Reply::Error(words) = receive(stream).await? {
                return Err(Error::new(ErrorKind::PermissionDenied, printable(&words)));
            }
        }
        Ok(())
    }

    async fn run(&self, stream: &mut Box<dyn Stream>) -> io::Result<Reply> {
        send(stream, &self.words).await?;
        receive(stream).await
    }
}

impl Redis {
    async fn ask(&self, key: &[u8]) -> Answer {
        let Ok(key) = std::str::from_utf8(key) else { return Ok(None) };
        if key.is_empty() || !self.results.wants(key).await? {
            return Ok(None);
        }
        let Some(words) = self.words(key) else { return Ok(None) };
        let command = Command { words, login: &self.login };
        let warned = |trouble: &mail::Trouble| log::warn!(target: self.program, "{trouble}");
        match self.server.ask(&command).await.inspect_err(warned)? {
            Reply::Values(values) => Ok(self.results.join(key, &values)?.map(Hit::new)),
            Reply::Error(words) => {
                let what = format!("{}: query failed: {}", self.name, printable(&words));
                log::warn!(target: self.program, "{what}");
                Err(mail::Trouble::new(what))
            }
        }
    }

    fn words(&self, key: &str) -> Option<Vec<String>> {
        self.query.iter().map(|word| word.fill(key, key, &str::to_owned)).collect()
    }
}

impl Table for Redis {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        Lookup::Pending(Box::pin(async move {
            tokio::task::yield_now().await;
            self.ask(key).await
        }))
    }

    fn shape(&self) -> Shape {
        Shape::FIXED
    }

    fn folds(&self) -> bool {
        true
    }

    fn question(&self, key: &[u8]) -> Option<String> {
        let words = self.words(std::str::from_utf8(key).ok()?)?;
        Some(format!("redis server {}: {}", self.place, printable(&words.join(" "))))
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }
}
