//! Listening: addresses of master.cf, sockets, and as many sessions at once as a service may have.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Stream;

/// Where a service listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix-domain socket.
    Unix(PathBuf),
}

/// A new connection.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: Stream,
    /// The client's address (TCP).
    pub peer: Option<SocketAddr>,
    /// The address it connected to (TCP).
    pub local: Option<SocketAddr>,
    /// All sessions of the service are taken: parameters with `${stress?…}` take their other value.
    pub stress: bool,
    /// Frees the place of this session when dropped: keep it as long as the session.
    pub place: Place,
}

/// A session's place among those its service may have.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for its drop")] tokio::sync::OwnedSemaphorePermit);

/// A listening service.
#[derive(Debug)]
pub struct Listener {}

impl Listener {
    /// Binds all endpoints. `limit` is master.cf's maxproc: sessions at once, 0 for no limit; further clients wait in
    /// the backlog.
    pub fn bind(endpoints: &[Endpoint], limit: usize) -> io::Result<Listener> {
        let _ = (endpoints, limit);
        todo!()
    }

    /// The next connection. Errors of single connections are passed over; when descriptors run out it pauses.
    pub async fn accept(&self) -> Accepted {
        todo!()
    }

    /// Where it listens: the ports chosen by the system are filled in.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        todo!()
    }
}

/// The TCP addresses of a master.cf `inet` service: `port`, `service`, `host:port`, `[v6]:port`, `:port`.
///
/// Without a host these are `inet_interfaces` (addresses, or empty for all). The error is a sentence.
pub fn inet_endpoints(
    service: &str,
    interfaces: &[std::net::IpAddr],
    protocols: Protocols,
) -> Result<Vec<Endpoint>, String> {
    let _ = (service, interfaces, protocols);
    todo!()
}

/// `inet_protocols`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}
