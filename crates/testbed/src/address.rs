//! Addresses to listen on, which no other test has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// An address and a port that were free a moment ago.
pub type Address = SocketAddr;

/// The next host of this process in 127.0.0.0/8; other test processes have others, as far as process ids differ.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A free port on a loopback address that no other test of this process is given: what is not listening yet can
/// not be taken by somebody's outgoing connection, because those come from 127.0.0.1.
pub fn address() -> Address {
    loop {
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id().to_le_bytes();
        let host = Ipv4Addr::new(127, 64 | (process[1] & 63), process[0], (count % 250) as u8 + 2);
        if let Ok(listener) = TcpListener::bind((IpAddr::V4(host), 0)) {
            return listener.local_addr().expect("a bound socket has an address");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_addresses_differ() {
        let (one, other) = (address(), address());
        assert_ne!(one, other);
        assert!(one.ip().is_loopback() && one.ip() != Ipv4Addr::LOCALHOST);
    }
}
