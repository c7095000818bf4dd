//! The name of a client: from its address to a name and back again.

use std::net::IpAddr;

use proto::smtp::path::is_hostname;

use crate::dns::{Missing, Protocols, Resolver};

/// How sure a client's name is, as `reject_unknown_client_hostname` and friends need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameStatus {
    /// Known, verified.
    Ok,
    /// Could not be found out now: refusals are 450.
    Temporary,
    /// There is none.
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
    /// How sure; never `Forged`.
    pub reverse_status: NameStatus,
    /// What Postfix warns of: `hostname x does not resolve to address y`.
    pub warning: Option<String>,
}

impl PeerName {
    /// No name: not looked up (`smtpd_peername_lookup = no`), or there is none.
    pub fn unknown(status: NameStatus) -> PeerName {
        let unknown = || "unknown".to_owned();
        PeerName { name: unknown(), status, reverse_name: unknown(), reverse_status: status, warning: None }
    }
}

/// Looks up the name of `address` and its addresses: /etc/hosts first, then DNS.
pub async fn name(resolver: &Resolver, address: IpAddr) -> PeerName {
    let address = address.to_canonical();
    let reverse_name = match resolver.native_name(address).await {
        Ok(name) if is_hostname(&name) => name,
        Ok(_) => return PeerName::unknown(NameStatus::Permanent),
        Err(missing) => return PeerName::unknown(status(&missing)),
    };
    let protocols = Protocols { v4: address.is_ipv4(), v6: address.is_ipv6() };
    let (verdict, why) = match resolver.native(&reverse_name, protocols).await {
        Ok(found) if found.contains(&address) => {
            let name = reverse_name.clone();
            let ok = NameStatus::Ok;
            return PeerName { name, status: ok, reverse_name, reverse_status: ok, warning: None };
        }
        Ok(_) => (NameStatus::Forged, String::new()),
        Err(missing) => (status(&missing), format!(": {}", missing.native_text())),
    };
    let warning = format!("hostname {reverse_name} does not resolve to address {address}{why}");
    PeerName {
        reverse_name,
        reverse_status: NameStatus::Ok,
        warning: Some(warning),
        ..PeerName::unknown(verdict)
    }
}

fn status(missing: &Missing) -> NameStatus {
    if missing.is_temporary() { NameStatus::Temporary } else { NameStatus::Permanent }
}
