//! TLS by rustls: what Postfix's parameters ask for, and what is said of a connection afterwards.
//!
//! A handshake never fails for the other end's certificate: as in Postfix it is completed, and whoever asked looks at
//! [`Summary::trust`] before a word is said. The signatures of the handshake itself are always checked.

mod binding;
mod certificate;
mod ciphers;
mod client;
mod dane;
mod digest;
mod keys;
mod protocols;
mod roots;
mod server;
mod sni;
mod summary;
mod verify;

pub use binding::Binding;
pub use certificate::Certificate;
pub use client::{ClientSettings, ClientTls, Identity};
pub use dane::Tlsa;
pub use keys::KeyFiles;
pub use server::{ServerSettings, ServerTls, SniFound, SniLookup};
pub use sni::SniMaps;
pub use summary::{Summary, Trust};

/// A handshake that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// It took too long.
    TimedOut,
    /// The other end hung up.
    Lost,
    /// It was refused by either end; the text says why.
    Failed(String),
}

impl std::fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HandshakeError::TimedOut => f.write_str("Connection timed out"),
            HandshakeError::Lost => f.write_str("lost connection"),
            HandshakeError::Failed(text) => f.write_str(text),
        }
    }
}

impl From<std::io::Error> for HandshakeError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof,
        };
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof => {
                HandshakeError::Lost
            }
            _ => HandshakeError::Failed(mail::logline::printable(&error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
