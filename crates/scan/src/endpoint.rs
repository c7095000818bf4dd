//! Where a scanner listens, and how it is reached.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mail::Trouble;
use net::Stream;
use net::dns::{HostLookup, Protocols, Resolver};

/// `inet:host:port` or `unix:path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Inet(String, u16),
    Unix(PathBuf),
}

impl Endpoint {
    /// Reads it; a relative path is below `queue`. `None`: it is neither form.
    pub(crate) fn parse(text: &str, queue: &Path) -> Option<Endpoint> {
        match text.split_once(':')? {
            ("unix" | "local", path) if !path.is_empty() => Some(Endpoint::Unix(queue.join(path))),
            ("inet", rest) => Endpoint::host_port(rest),
            _ => None,
        }
    }

    /// `host:port`, `[2001:db8::1]:port`.
    pub(crate) fn host_port(text: &str) -> Option<Endpoint> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_matches(['[', ']']);
        (!host.is_empty()).then_some(Endpoint::Inet(host.to_owned(), port.parse().ok()?))
    }

    /// Connects within `limit`; `who` is named when it fails.
    pub(crate) async fn connect(
        &self,
        who: &str,
        resolver: &Resolver,
        limit: Duration,
    ) -> Result<Stream, Trouble> {
        let wrong = |what: &dyn fmt::Display| Trouble::new(format!("{who} at {self}: {what}"));
        let (host, port) = match self {
            Endpoint::Unix(path) => {
                return net::connect::unix(path, limit).await.map_err(|error| wrong(&error));
            }
            Endpoint::Inet(host, port) => (host, *port),
        };
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let how = HostLookup { dns: false, native: true };
                let found = resolver.host(host, how, Protocols { v4: true, v6: true }).await;
                found.map_err(|missing| wrong(&missing))?
            }
        };
        let mut last = wrong(&"it has no address");
        for address in addresses {
            match net::connect::tcp(SocketAddr::new(address, port), None, limit).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = wrong(&error),
            }
        }
        Err(last)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Inet(host, port) => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
