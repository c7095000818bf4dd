//! Opening connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpSocket, UnixStream};

use crate::Stream;

/// Connects by TCP, from `bind` when given (`smtp_bind_address`), within `timeout` (`smtp_connect_timeout`; zero is
/// as long as the system tries).
pub async fn tcp(to: SocketAddr, bind: Option<IpAddr>, timeout: Duration) -> io::Result<Stream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bind) = bind {
        socket.bind(SocketAddr::new(bind, 0))?;
    }
    let stream = within(timeout, socket.connect(to)).await?;
    // Replies are short and somebody waits for each of them.
    stream.set_nodelay(true)?;
    Ok(Stream::Tcp(stream))
}

/// Connects to a Unix-domain socket.
pub async fn unix(path: &Path, timeout: Duration) -> io::Result<Stream> {
    Ok(Stream::Unix(within(timeout, UnixStream::connect(path)).await?))
}

async fn within<T>(timeout: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    if timeout.is_zero() {
        return work.await;
    }
    tokio::time::timeout(timeout, work)
        .await
        .unwrap_or_else(|_| Err(io::Error::from_raw_os_error(nix::libc::ETIMEDOUT)))
}
