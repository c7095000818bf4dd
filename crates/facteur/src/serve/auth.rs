//! Logins for others, such as a Postfix with `smtpd_sasl_type = dovecot`: `auth` in master.cf. Bans watch over them, too: who
//! may connect is the site's to say, and whoever does says where its client is.

use std::net::IpAddr;
use std::sync::Arc;

use conf::View;
use gate::Gate;
use net::Accepted;
use people::People;
use people::server::Witness;
use tables::{List, Parents, Tables};

use super::listening::{Session, Sessions};

/// Whose word of who the client is counts, when it comes over a network.
const PROXIES: &str = "ban_trusted_proxies";

/// The service.
pub struct Auth {
    people: People,
    gate: Gate,
    proxies: Option<List>,
}

impl Auth {
    /// Builds it. What is wrong with the list was told with the services that clients come to.
    pub fn new(people: People, gate: Gate, view: &View, tables: &Tables) -> Auth {
        let proxies = tables.host_list(PROXIES, &view.get(PROXIES), Parents::Dotted).ok();
        Auth { people, gate, proxies }
    }

    async fn is_trusted(&self, peer: Option<IpAddr>) -> bool {
        match (peer, &self.proxies) {
            // A socket of the file system, whose rights master.cf gave.
            (None, _) => true,
            (Some(peer), Some(list)) => {
                list.matches_host("unknown", peer.to_canonical()).await.unwrap_or_else(|trouble| {
                    log::warn!(target: "auth", "{PROXIES}: {trouble}");
                    false
                })
            }
            (Some(_), None) => false,
        }
    }

    async fn talk(&self, accepted: Accepted) {
        let Accepted { stream, place, peer, .. } = accepted;
        let trusted = self.is_trusted(peer.map(|peer| peer.ip())).await;
        let bans = self.gate.bans.clone();
        let witness: Witness = Arc::new(move |verdict, remote| {
            let bans = bans.clone();
            let remote = remote.filter(|_| trusted);
            Box::pin(async move { imap::service::watched(&*bans, verdict, remote).await })
        });
        people::server::serve(self.people.clone(), stream, witness).await;
        drop(place);
    }
}

impl Sessions for Auth {
    fn session(self: Arc<Self>, accepted: Accepted) -> Session {
        Box::pin(async move { self.talk(accepted).await })
    }
}
