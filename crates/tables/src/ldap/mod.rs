//! LDAP directories: a [`Directory`] is asked a [`Search`] and gives entries; or checks a password by binding.
//!
//! The protocol is spoken here and not by a library, so that what a server sends is bounded in bytes and time, and
//! no nesting of it is followed deeper than the protocol goes.

mod ber;
mod chase;
mod connection;
mod directory;
pub mod filter;
mod url;

use std::path::PathBuf;
use std::time::Duration;

pub use directory::Directory;
pub use url::Url;

use crate::sql::Tls;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A host and port; with TLS from the first byte (`ldaps:`).
    Tcp {
        /// Its name or address.
        host: String,
        /// The port.
        port: u16,
        /// `ldaps:`
        tls: bool,
    },
    /// A socket (`ldapi:`).
    Unix(PathBuf),
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Bind {
    /// A name and its password, which may both be empty.
    Simple {
        /// The name.
        dn: String,
        /// The password.
        password: String,
    },
    /// SASL EXTERNAL: who we are is seen from the socket or our certificate.
    External {
        /// As whom.
        authorize: String,
    },
    /// SASL PLAIN.
    Plain {
        /// As whom.
        authorize: String,
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl std::fmt::Debug for Bind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Bind::Simple { .. } => "Simple",
            Bind::External { .. } => "External",
            Bind::Plain { .. } => "Plain",
        })
    }
}

/// A directory's servers, and how they are spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Servers with the same content, tried in this order, each with its name for messages.
    pub servers: Vec<(Place, String)>,
    /// Who asks; `None` asks without saying.
    pub bind: Option<Bind>,
    /// The protocol's version, 3 or 2.
    pub version: u32,
    /// TLS after the connection is made.
    pub start_tls: bool,
    /// What is expected of certificates.
    pub tls: Tls,
    /// Connections at one time.
    pub connections: usize,
    /// For connecting, and for each answer.
    pub timeout: Duration,
    /// After this time without use a connection is closed.
    pub idle: Duration,
    /// Bytes of one answer.
    pub bytes: usize,
    /// Whether referrals to other servers are followed; those are asked without a name.
    pub chase: bool,
}

/// How far below the base a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The base alone.
    Base = 0,
    /// What is right below it.
    One = 1,
    /// All of it.
    Sub = 2,
}

impl Scope {
    /// `base`, `one`, `sub`.
    pub fn named(name: &str) -> Option<Scope> {
        match name.to_ascii_lowercase().as_str() {
            "base" => Some(Scope::Base),
            "one" | "onelevel" => Some(Scope::One),
            "sub" | "subtree" => Some(Scope::Sub),
            _ => None,
        }
    }
}

/// A search.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    /// Where it begins.
    pub base: &'a str,
    /// How far it goes.
    pub scope: Scope,
    /// What is searched, made by [`filter::encode`].
    pub filter: Vec<u8>,
    /// What is wanted of each entry.
    pub attributes: &'a [String],
    /// Entries at most; 0 is no limit.
    pub size_limit: u32,
    /// Seconds at most.
    pub time_limit: u32,
    /// Whether aliases are followed: 0 never, 1 in searching, 2 in finding the base, 3 always.
    pub dereference: u32,
}

/// An entry, its attributes in the server's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub dn: String,
    /// Attributes and their values.
    pub attributes: Vec<(String, Vec<String>)>,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The result code of RFC 4511, 0 is success.
    pub code: u32,
    /// The server's words for it.
    pub text: String,
    /// Referrals: each has the URLs of servers of which one is to be asked further.
    pub references: Vec<Vec<String>>,
}

/// Others are to be asked.
pub const REFERRAL: u32 = 10;
/// The base or entry does not exist.
pub const NO_SUCH_OBJECT: u32 = 32;
/// Name and password do not fit.
pub const INVALID_CREDENTIALS: u32 = 49;
