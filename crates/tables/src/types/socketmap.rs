//! `socketmap:inet:host:port:name` and `socketmap:unix:path:name`, socketmap_table(5): netstrings.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Opening, TableType};
use crate::client::{Dialogue, Endpoint, Server, Stream};
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType = TableType {
    name: "socketmap",
    doc: "A server of the Sendmail socketmap protocol: socketmap:inet:host:port:name or socketmap:unix:path:name.",
    open,
    make: None,
};

/// Time for one question.
const TIMEOUT: Duration = Duration::from_secs(100);
/// Longest answer, as documented.
const REPLY_MAX: usize = 100_000;

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let spec = opening.spec;
    let (server, name) = spec
        .name
        .rsplit_once(':')
        .filter(|(server, name)| server.contains(':') && !name.is_empty())
        .ok_or("socketmap requires server:socketmap argument")?;
    let endpoint = match server.split_once(':') {
        Some(("inet", address)) => Endpoint::Inet(address.to_owned()),
        Some(("unix", path)) => Endpoint::Unix(path.to_owned()),
        _ => return Err(format!("invalid transport name in \"{spec}\": need inet: or unix:")),
    };
    let server = Server::new(spec.to_string(), endpoint, TIMEOUT);
    Ok(Arc::new(Socketmap { server, map: name.to_owned(), name: spec.to_string() }))
}

struct Socketmap {
    server: Server,
    map: String,
    name: String,
}

struct Request(Vec<u8>);

impl Dialogue for Request {
    type Reply = Vec<u8>;

    async fn run(&self, stream: &mut Box<dyn Stream>) -> io::Result<Vec<u8>> {
        let bad = |why: &str| io::Error::new(ErrorKind::InvalidData, why);
        let mut request = format!("{}:", self.0.len()).into_bytes();
        request.extend_from_slice(&self.0);
        request.push(b',');
        stream.write_all(&request).await?;
        let mut length = 0;
        loop {
            match stream.read_u8().await? {
                digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
                b':' => break,
                _ => return Err(bad("bad netstring length")),
            }
            if length > REPLY_MAX {
                return Err(bad("netstring too long"));
            }
        }
        let mut reply = vec![0; length];
        stream.read_exact(&mut reply).await?;
        if stream.read_u8().await? != b',' {
            return Err(bad("no netstring terminator"));
        }
        Ok(reply)
    }
}

impl Socketmap {
    fn read(&self, reply: &[u8]) -> Result<Option<Hit>, Trouble> {
        let end = reply.iter().position(|byte| *byte == b' ').unwrap_or(reply.len());
        let text = reply.get(end + 1..).unwrap_or_default();
        let shown = || crate::source::shown(text);
        match &reply[..end] {
            b"OK" => Ok(Some(Hit::new(text))),
            // No data means not found, so that an empty answer is no empty value.
            b"NOTFOUND" => Ok(None),
            b"TEMP" | b"TIMEOUT" | b"PERM" => Err(Trouble::new(format!(
                "table {} server error: {} {}",
                self.name,
                crate::source::shown(&reply[..end]),
                shown()
            ))),
            _ => Err(Trouble::new(format!("table {} server sent malformed reply", self.name))),
        }
    }
}

impl Table for Socketmap {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        let request = [self.map.as_bytes(), b" ", key].concat();
        Lookup::Pending(Box::pin(async move { self.read(&self.server.ask(&Request(request)).await?) }))
    }

    fn shape(&self) -> Shape {
        Shape::PATTERN
    }

    fn folds(&self) -> bool {
        false
    }
}
