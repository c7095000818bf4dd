//! Sockets, TLS, DNS and time: everything that moves bytes for the rooms above.
//!
//! What is said over the wire, and to whom, is decided above; the conversations themselves are machines of `proto`.

pub mod clock;
pub mod connect;
pub mod dns;
pub mod drive;
pub mod listener;
pub mod params;
pub mod peer;
pub mod proxy;
pub mod stream;
pub mod tls;

pub use listener::{Accepted, Endpoint, Listener};
pub use stream::Stream;
