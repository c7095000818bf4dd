//! Listening: sockets, and as many sessions at once as a service may have.

mod endpoint;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Stream;

pub use endpoint::{Endpoint, Protocols, inet_endpoints, interfaces, port};

/// Connections that wait while all places are taken.
const BACKLOG: i32 = 1024;
/// Pause when the system has no descriptor or memory left for another connection.
const BREATHER: Duration = Duration::from_millis(500);

/// Listens on an address that this process may not listen on.
type Binder = Box<dyn Fn(SocketAddr) -> io::Result<std::net::TcpListener> + Send + Sync>;

static LENT: OnceLock<Binder> = OnceLock::new();

/// Listens on a socket in a directory that this process may not write to.
type SocketBinder = Box<dyn Fn(&Path) -> io::Result<std::os::unix::net::UnixListener> + Send + Sync>;

static LENT_SOCKETS: OnceLock<SocketBinder> = OnceLock::new();

/// From now on `binder` makes sockets where this process may not. Only the first call counts.
pub fn lend_sockets(
    binder: impl Fn(&Path) -> io::Result<std::os::unix::net::UnixListener> + Send + Sync + 'static,
) {
    let _ = LENT_SOCKETS.set(Box::new(binder));
}

/// From now on `binder` listens on ports that this process may not have. Only the first call counts.
pub fn lend(binder: impl Fn(SocketAddr) -> io::Result<std::net::TcpListener> + Send + Sync + 'static) {
    let _ = LENT.set(Box::new(binder));
}

/// A new connection.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: Stream,
    /// The client's address (TCP). IPv4 mapped into IPv6 is IPv4.
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
pub struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

#[derive(Debug)]
enum Socketed {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A listening service.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<(Endpoint, Socketed)>,
    places: Arc<Semaphore>,
    turn: AtomicUsize,
}

impl Listener {
    /// Binds all endpoints. `limit` is master.cf's maxproc: sessions at once, 0 for no limit; further clients wait in
    /// the backlog. The error names the endpoint.
    pub fn bind(endpoints: &[Endpoint], limit: usize) -> io::Result<Listener> {
        let mut sockets = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("bind {endpoint}: {error}"));
            sockets.push(bind(endpoint).map_err(named)?);
        }
        let places = if limit == 0 { Semaphore::MAX_PERMITS } else { limit };
        Ok(Listener { sockets, places: Arc::new(Semaphore::new(places)), turn: AtomicUsize::new(0) })
    }

    /// The next connection. Errors of single connections are passed over; when descriptors run out it pauses.
    pub async fn accept(&self) -> Accepted {
        let place = self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.accept_any().await {
                Ok((stream, peer)) => {
                    let stress = self.places.available_permits() == 0;
                    let local = stream.local_addr();
                    return Accepted { stream, peer, local, stress, place: Place(place) };
                }
                // The client went away again before we looked.
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    log::warn!(target: "master", "accept connection: {error}");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }

    /// Where it listens: ports chosen by the system are filled in.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.sockets.iter().map(|(endpoint, _)| endpoint)
    }

    /// The first socket with a connection, each in turn first.
    async fn accept_any(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        poll_fn(|cx| {
            for n in 0..self.sockets.len() {
                match &self.sockets[(first + n) % self.sockets.len()].1 {
                    Socketed::Tcp(tcp) => {
                        if let Poll::Ready(accepted) = tcp.poll_accept(cx) {
                            return Poll::Ready(accepted.map(|(stream, peer)| {
                                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                                (Stream::Tcp(stream), Some(peer))
                            }));
                        }
                    }
                    Socketed::Unix(unix) => {
                        if let Poll::Ready(accepted) = unix.poll_accept(cx) {
                            return Poll::Ready(accepted.map(|(stream, _)| (Stream::Unix(stream), None)));
                        }
                    }
                }
            }
            Poll::Pending
        })
        .await
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn bind(endpoint: &Endpoint) -> io::Result<(Endpoint, Socketed)> {
    match endpoint {
        Endpoint::Tcp(address) => {
            let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            if address.is_ipv6() {
                // As in Postfix, IPv4 has its own socket.
                socket.set_only_v6(true)?;
            }
            socket.set_nonblocking(true)?;
            let bound: std::net::TcpListener = match (socket.bind(&(*address).into()), LENT.get()) {
                (Err(error), Some(lent)) if error.kind() == io::ErrorKind::PermissionDenied => {
                    lent(*address)?
                }
                (result, _) => {
                    result?;
                    socket.listen(BACKLOG)?;
                    socket.into()
                }
            };
            // Replies are short and somebody waits for each of them. Connections inherit it from their listener, which
            // saves a system call each; a failure costs speed only.
            let _ = socket2::SockRef::from(&bound).set_tcp_nodelay(true);
            let listener = TcpListener::from_std(bound)?;
            Ok((Endpoint::Tcp(listener.local_addr()?), Socketed::Tcp(listener)))
        }
        Endpoint::Unix(path) => {
            let bound = remove_stale(path).and_then(|()| UnixListener::bind(path));
            let listener = match (bound, LENT_SOCKETS.get()) {
                (Err(error), Some(lent)) if error.kind() == io::ErrorKind::PermissionDenied => {
                    UnixListener::from_std(lent(path)?)?
                }
                (result, _) => result?,
            };
            Ok((endpoint.clone(), Socketed::Unix(listener)))
        }
    }
}

/// A socket that a dead instance left behind is in the way; anything else is not ours to remove.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err_and(refused) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn as_many_sessions_as_a_service_may_have() {
        let local = Endpoint::Tcp("127.0.0.1:0".parse().unwrap());
        let listener = Listener::bind(&[local.clone(), local], 2).unwrap();
        let addresses: Vec<SocketAddr> = listener
            .endpoints()
            .map(|endpoint| match endpoint {
                Endpoint::Tcp(address) => *address,
                Endpoint::Unix(_) => panic!("not asked for"),
            })
            .collect();
        let _one = TcpStream::connect(addresses[0]).await.unwrap();
        let _two = TcpStream::connect(addresses[1]).await.unwrap();
        let first = listener.accept().await;
        let second = listener.accept().await;
        assert!(!first.stress && second.stress);
        assert_ne!(first.local, second.local);

        let mut third = TcpStream::connect(addresses[0]).await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(waiting.is_err(), "a third session was let in");
        drop(first);
        drop(listener.accept().await);
        assert_eq!(third.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::Unix(dir.path().join("s"));
        drop(Listener::bind(std::slice::from_ref(&endpoint), 0).unwrap());
        let listener = Listener::bind(std::slice::from_ref(&endpoint), 0).unwrap();
        let _client = crate::connect::unix(&dir.path().join("s"), Duration::from_secs(5)).await.unwrap();
        assert!(matches!(listener.accept().await.stream, Stream::Unix(_)));
        let error = Listener::bind(std::slice::from_ref(&endpoint), 0).unwrap_err();
        assert!(error.to_string().starts_with("bind "), "{error}");

        let file = dir.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        assert!(Listener::bind(&[Endpoint::Unix(file.clone())], 0).is_err());
        assert_eq!(std::fs::read(file).unwrap(), b"kept");
    }
}
