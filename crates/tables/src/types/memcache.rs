//! `memcache:`, a cache server, with a table behind it that fills it, memcache_table(5).

use std::io::{self, Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Opening, TableType};
use crate::client::{Dialogue, Endpoint, Server, Stream};
use crate::files::Watched;
use crate::spec::Spec;
use crate::tables::Handle;
use crate::template::{Config, Results, Template};
use crate::{Answer, Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "memcache",
    doc: "A memcached server, which the named file of settings describes.",
    open,
    make: None,
};

/// The protocol's longest key.
const KEY_MAX: usize = 250;

struct Memcache {
    server: Server,
    key_format: Template,
    results: Results,
    backup: Option<Arc<Handle>>,
    flags: u64,
    ttl: u64,
    data_max: usize,
    line_max: usize,
    tries: u64,
    pause: Duration,
    name: String,
    place: String,
    program: &'static str,
    watched: Vec<Watched>,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let config = Config::read(opening)?;
    let place = config.given("memcache").unwrap_or_else(|| "inet:localhost:11211".to_owned());
    let endpoint = Endpoint::parse(&place).ok_or_else(|| format!("bad memcache = {place}"))?;
    let backup = match config.given("backup") {
        None => None,
        Some(text) => {
            let spec = Spec::parse(&text).ok_or_else(|| format!("bad backup = {text}: need type:name"))?;
            let table = opening.tables.handle(&spec, opening.keys);
            if let Some(fault) = table.fault("") {
                return Err(format!("backup: {fault}"));
            }
            Some(table)
        }
    };
    let size =
        |name: &str, default| Ok::<_, String>(usize::try_from(config.number(name, default)?).unwrap_or(0));
    let timeout = config.seconds("timeout", Duration::from_secs(2))?;
    Ok(Arc::new(Memcache {
        server: Server::new(opening.spec.to_string(), endpoint, timeout),
        key_format: Template::parse(&config.text("key_format", "%s"), "key_format")?,
        results: Results::read_domain(&config, opening)?,
        backup,
        flags: config.number("flags", 0)?,
        ttl: config.number("ttl", 3600)?,
        data_max: size("data_size_limit", 10240)?,
        line_max: size("line_size_limit", 1024)?,
        tries: config.number("max_try", 2)?.max(1),
        pause: config.seconds("retry_pause", Duration::from_secs(1))?,
        name: opening.spec.to_string(),
        place,
        program: opening.tables.settings().program,
        watched: config.watched,
    }))
}

/// `get`: the value, if it is there.
struct Get<'a> {
    key: &'a str,
    data_max: usize,
    line_max: usize,
}

/// `set`.
struct Set<'a> {
    key: &'a str,
    value: &'a [u8],
    flags: u64,
    ttl: u64,
    line_max: usize,
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// A line without its end.
async fn line(stream: &mut Box<dyn Stream>, max: usize) -> io::Result<String> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => break,
            byte => line.push(byte),
        }
        if line.len() > max {
            return Err(bad("reply line too long"));
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| bad("reply line is not text"))
}

impl Dialogue for Get<'_> {
    type Reply = Option<Vec<u8>>;

    async fn run(&self, stream: &mut Box<dyn Stream>) -> io::Result<Option<Vec<u8>>> {
        stream.write_all(format!("get {}\r\n", self.key).as_bytes()).await?;
        let first = line(stream, self.line_max).await?;
        if first == "END" {
            return Ok(None);
        }
        let mut words = first.split(' ');
        let (word, key, size) = (words.next(), words.next(), words.nth(1));
        let size: Option<usize> = size.and_then(|size| size.parse().ok());
        let size = size.filter(|_| word == Some("VALUE") && key == Some(self.key));
        let size = size.ok_or_else(|| bad("unexpected reply"))?;
        if size > self.data_max {
            return Err(bad("reply data too large"));
        }
        let mut value = vec![0; size + 2];
        stream.read_exact(&mut value).await?;
        if !value.ends_with(b"\r\n") || line(stream, self.line_max).await? != "END" {
            return Err(bad("unexpected end of reply data"));
        }
        value.truncate(size);
        Ok(Some(value))
    }
}

impl Dialogue for Set<'_> {
    type Reply = ();

    async fn run(&self, stream: &mut Box<dyn Stream>) -> io::Result<()> {
        let head = format!("set {} {} {} {}\r\n", self.key, self.flags, self.ttl, self.value.len());
        stream.write_all(&[head.as_bytes(), self.value, b"\r\n"].concat()).await?;
        match line(stream, self.line_max).await?.as_str() {
            "STORED" => Ok(()),
            other => Err(bad(&format!("update failed: {other}"))),
        }
    }
}

impl Memcache {
    async fn ask(&self, key: &[u8]) -> Answer {
        let Ok(text) = std::str::from_utf8(key) else { return Ok(None) };
        if text.is_empty() || !self.results.wants(text).await? {
            return Ok(None);
        }
        // Blanks and line ends would be another command; such keys are not in any cache.
        let name = self
            .key_format
            .fill(text, text, &str::to_owned)
            .filter(|name| !name.is_empty() && name.len() <= KEY_MAX)
            .filter(|name| !name.chars().any(|c| c.is_whitespace() || c.is_control()));
        let mut failed = None;
        if let Some(name) = &name {
            let get = Get { key: name, data_max: self.data_max, line_max: self.line_max };
            match self.insist(&get).await {
                Ok(Some(value)) => return Ok(Some(Hit::new(value))),
                Ok(None) => {}
                Err(trouble) => failed = Some(trouble),
            }
        }
        let Some(backup) = &self.backup else {
            return failed.map_or(Ok(None), Err);
        };
        let Some((hit, _)) = backup.ask(key).await? else { return Ok(None) };
        if let (Some(name), None) = (&name, &failed) {
            let set = Set {
                key: name,
                value: &hit.value,
                flags: self.flags,
                ttl: self.ttl,
                line_max: self.line_max,
            };
            if let Err(trouble) = self.insist(&set).await {
                log::warn!(target: self.program, "{}: {trouble}", self.name);
            }
        }
        Ok(Some(hit))
    }

    /// Tries as often as the settings say.
    async fn insist<D: Dialogue + Sync>(&self, dialogue: &D) -> Result<D::Reply, Trouble> {
        let mut tried = 1;
        loop {
            match self.server.ask(dialogue).await {
                Err(_) if tried < self.tries => tried += 1,
                answer => {
                    return answer.inspect_err(|trouble| log::warn!(target: self.program, "{trouble}"));
                }
            }
            tokio::time::sleep(self.pause).await;
        }
    }
}

impl Table for Memcache {
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
        let text = std::str::from_utf8(key).ok()?;
        let name = self.key_format.fill(text, text, &str::to_owned)?;
        Some(format!("memcache server {}: get {}", self.place, mail::logline::printable(&name)))
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }
}
