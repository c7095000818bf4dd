//! Who may not talk to us for a while, and what makes us think so. Nothing is counted that somebody else may have said
//! of the client: a client that may use XCLIENT speaks for others, and a PROXY header counts from proxies we trust.

use std::net::SocketAddr;

use gate::bans::Watch;
use proto::smtp::Reply;

use super::auth::{Failure, Progress};
use super::service::Service;
use super::session::{Session, facts};

/// May this proxy say who its client is, as far as bans go?
pub(super) async fn is_trusted_proxy(service: &Service, proxy: Option<SocketAddr>) -> bool {
    let list = &service.lists.proxies;
    // A proxy on this machine, over a socket of its file system.
    let Some(proxy) = proxy else { return true };
    list.matches_host("unknown", proxy.ip().to_canonical()).await.unwrap_or_else(|trouble| {
        log::warn!(target: &service.program, "{}: {trouble}", list.parameter());
        false
    })
}

impl Session {
    /// The address to blame for what the client does; `None` where it speaks for others.
    fn to_blame(&self) -> Option<std::net::IpAddr> {
        self.peer.ip.filter(|_| self.vouched && !self.may_xclient && self.submitter.is_none())
    }

    /// What a client hears whose address is banned.
    pub(super) async fn is_banned(&self) -> Option<Reply> {
        let address = self.to_blame()?;
        if self.service.gate.bans.welcomes(address).await {
            return None;
        }
        let text = format!("{} Error: too many failures from {address}; try again later", self.host());
        let refusal =
            facts(&self.peer, None, "CONNECT", false).log_line("reject", &format!("421 4.7.0 {text}"));
        log::info!(target: self.program(), "{}", mail::logline::printable(&refusal));
        Some(Reply::new(421, (7, 0), text))
    }

    /// Reports a login that is decided. One that is banned has failed, whatever its password was.
    pub(super) async fn watched(&self, progress: Progress) -> Progress {
        let bans = &self.service.gate.bans;
        let Some(address) = self.to_blame() else { return progress };
        match &progress {
            Progress::Done(login) if !bans.tried(address, &login.username, true).await => {
                log::info!(
                    target: self.program(),
                    "{}: login of {} is banned for now", self.peer.label(), mail::logline::printable(&login.username)
                );
                let why = "(reason unavailable)".to_owned();
                Progress::Failed(Failure { why, username: Some(login.username.clone()) })
            }
            Progress::Failed(Failure { username: Some(username), .. }) => {
                bans.tried(address, username, false).await;
                progress
            }
            _ => progress,
        }
    }

    /// Reports that the client abused the protocol.
    pub(super) async fn offended(&self, how: &str) {
        if let Some(address) = self.to_blame() {
            self.service.gate.bans.offended(address, how).await;
        }
    }
}
