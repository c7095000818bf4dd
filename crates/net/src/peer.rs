//! The name of a client: from its address to a name and back again.

use std::net::IpAddr;

use crate::dns::Resolver;

/// How sure a client's name is, as `reject_unknown_client_hostname` and friends need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameStatus {
    /// Known, verified.
    Ok,
    /// Could not be found out now: refusals are 450.
    Temporary,
    /// There is none, or it is forged.
    Permanent,
    /// There is a name, and it does not lead back to the address.
    Forged,
}

/// A client's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerName {
    /// Verified name, or `unknown`.
    pub name: String,
    /// How sure.
    pub status: NameStatus,
    /// Name of the address whether or not it leads back, or `unknown`.
    pub reverse_name: String,
    /// How sure.
    pub reverse_status: NameStatus,
    /// What Postfix warns of: `hostname x does not resolve to address y`.
    pub warning: Option<String>,
}

impl PeerName {
    /// No name was looked up (`smtpd_peername_lookup = no`) or the address is not a client's.
    pub fn unknown(status: NameStatus) -> PeerName {
        let unknown = || "unknown".to_owned();
        PeerName { name: unknown(), status, reverse_name: unknown(), reverse_status: status, warning: None }
    }
}

/// Looks up the name of `address` and its addresses: /etc/hosts first, then DNS.
pub async fn name(resolver: &Resolver, address: IpAddr) -> PeerName {
    let _ = (resolver, address);
    todo!()
}
