//! The PROXY protocol of HAProxy, versions 1 and 2: who really connected.

use std::net::SocketAddr;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// A proxied connection.
    Proxied {
        /// The client.
        client: SocketAddr,
        /// The address it connected to.
        server: SocketAddr,
    },
    /// The proxy's own connection (health check): `LOCAL` of version 2.
    Local,
}

/// The header is wrong; the text says how, as Postfix logs it behind `haproxy read: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHeader(pub String);

/// Reads a header from the start of `bytes`: the header and its length, or `None` when more bytes are needed.
///
/// Never asks for more than 536 bytes.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, BadHeader> {
    let _ = bytes;
    todo!()
}
