//! What is known of a session in which somebody logs in.

use std::net::{IpAddr, SocketAddr};

/// The circumstances of a login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// `smtp`, `imap`, `pop3`, `lmtp`, `doveadm`, …
    pub service: String,
    /// Our address.
    pub local: Option<IpAddr>,
    /// Our port.
    pub local_port: Option<u16>,
    /// The client's address; `None` for a local socket.
    pub remote: Option<IpAddr>,
    /// The client's port.
    pub remote_port: Option<u16>,
    /// Is the session encrypted?
    pub tls: bool,
    /// Are passwords safe from listeners for another reason, such as a local socket?
    pub trusted: bool,
    /// The name in a client's certificate that was verified.
    pub certificate_name: Option<String>,
    /// What ties a login to its TLS session.
    pub binding: Binding,
    /// Only whether the login is right matters (SMTP): the user database is not asked.
    pub password_only: bool,
}

impl Facts {
    /// The facts of a service, without a session.
    pub fn of(service: &str) -> Facts {
        Facts { service: service.to_owned(), ..Facts::default() }
    }

    /// The facts of a session, from its own address and its client's; a client without one is on a local socket.
    pub fn of_session(service: &str, local: Option<SocketAddr>, peer: Option<SocketAddr>) -> Facts {
        Facts {
            local: local.map(|address| address.ip()),
            local_port: local.map(|address| address.port()),
            remote: peer.map(|address| address.ip()),
            remote_port: peer.map(|address| address.port()),
            trusted: peer.is_none(),
            ..Facts::of(service)
        }
    }

    /// Can a password be sent without being overheard? Encryption, a local socket, or a client on this machine.
    pub fn is_secured(&self) -> bool {
        let same_machine =
            self.remote.is_some_and(|remote| remote.is_loopback() || Some(remote) == self.local);
        self.tls || self.trusted || same_machine
    }
}

/// Channel bindings (RFC 5056) that the TLS session can give.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Binding {
    /// `tls-exporter` (RFC 9266), 32 bytes.
    pub exporter: Option<Vec<u8>>,
    /// `tls-server-end-point` (RFC 5929): a hash of our certificate.
    pub server_end_point: Option<Vec<u8>>,
}

impl Binding {
    /// The data of the binding of this name.
    pub fn data(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.exporter.as_deref(),
            "tls-server-end-point" => self.server_end_point.as_deref(),
            _ => None,
        }
    }

    /// Is there any?
    pub fn is_possible(&self) -> bool {
        self.exporter.is_some() || self.server_end_point.is_some()
    }
}
