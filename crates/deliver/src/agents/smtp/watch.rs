//! `debug_peer_list`: what is said to some servers is logged.

use proto::smtp::client::Said;

use super::service::Service;
use super::session::{Place, Target};

/// Logs a session that is over, if it is one of those. What the postmaster may hear of it is given back.
pub async fn log(service: &Service, place: &Place, said: Vec<Said>) -> Vec<Said> {
    if let Target::Tcp(address) = &place.to
        && !said.is_empty()
        && service.debug_peers.matches_host(&place.host, address.ip()).await.unwrap_or(false)
    {
        for Said { ours, line } in &said {
            let arrow = if *ours { '>' } else { '<' };
            let line = mail::logline::printable(line);
            log::info!(target: &service.program, "{arrow} {}: {line}", place.relay());
        }
    }
    if service.reports_protocol { said } else { Vec::new() }
}
