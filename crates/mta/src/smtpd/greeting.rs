//! A client comes: who it is, whether it may talk to us, and our banner. And how it goes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use filter::{NameLookup, Peer, Stage, Standing, Verdict};
use mail::Client;
use net::Stream;
use net::drive::Server;
use net::peer::{NameStatus, PeerName};
use proto::proxy::Header;
use proto::smtp::Reply;
use proto::smtp::server::{Answer, Settings};

use super::auth::Logins;
use super::bans;
use super::keywords::Keywords;
use super::service::Service;
use super::session::{Session, facts};
use super::tally::Tally;
use super::transcript::Transcript;

/// Takes a connection: the proxy in front, the client's name, what it may do.
pub(super) async fn meet(
    service: Arc<Service>,
    mut stream: Stream,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    stress: bool,
) -> Option<(Session, Server)> {
    if let Some(why) = service.judge.open_relay() {
        log::error!(target: &service.program, "fatal: {why}");
        return None;
    }
    let (mut peer, mut local) = (peer, local);
    let mut proxy_failed = false;
    let mut vouched = true;
    if service.params.smtpd_upstream_proxy_protocol.eq_ignore_ascii_case("haproxy") {
        let timeout = service.params.smtpd_upstream_proxy_timeout;
        match net::proxy::read_header(&mut stream, timeout).await {
            Ok(Header::Proxied { client, server }) => {
                vouched = bans::is_trusted_proxy(&service, peer).await;
                (peer, local) = (Some(client), Some(server));
            }
            Ok(Header::Local) => {}
            Err(why) => {
                let why = why.escape_default();
                log::warn!(target: &service.program, "haproxy read: {why}");
                proxy_failed = true;
            }
        }
    }
    let peer = identify(&service, peer, local, stress, !proxy_failed).await;
    log::info!(target: &service.program, "connect from {}", peer.label());
    let pace = service.paces.of(stress);
    let settings = Settings {
        line_limit: service.settings.line_limit,
        asked_line_limit: usize::try_from(service.sasl.smtpd_sasl_response_limit).unwrap_or(usize::MAX),
        timeout: pace.timeout,
        per_request: pace.per_request,
        min_data_rate: u32::try_from(service.params.smtpd_min_data_rate).unwrap_or(u32::MAX),
        bare_lf: service.bare_newlines.of(&service, &peer).await,
    };
    let session = Session {
        setup: service.house.setup(),
        may_xclient: listed(&service, &service.lists.xclient, &peer).await,
        may_xforward: listed(&service, &service.lists.xforward, &peer).await,
        unlimited: listed(&service, &service.lists.unlimited, &peer).await,
        discarded: keywords(&service, &peer).await,
        service,
        peer,
        standing: Standing::default(),
        transaction: None,
        forward: None,
        tls: None,
        denied: None,
        tally: Tally::default(),
        stage: "",
        ended: proxy_failed.then_some(""),
        errors: 0,
        junk: 0,
        improper_pipelining: false,
        stress,
        vouched,
        messages: 0,
        logins: Logins::default(),
        submitter: None,
        milters: None,
        connections: 0,
        transcript: None,
        watched: false,
        counted: None,
        chunk: 0,
    };
    Some((session, Server::new(stream, settings)))
}

async fn identify(
    service: &Service,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    stress: bool,
    look_up: bool,
) -> Peer {
    let ip = peer.map(|peer| peer.ip().to_canonical());
    let names = match ip {
        Some(ip) if look_up && service.settings.look_up_names => net::peer::name(&service.resolver, ip).await,
        Some(_) => PeerName::unknown(NameStatus::Permanent),
        None => PeerName {
            name: "localhost".to_owned(),
            status: NameStatus::Ok,
            reverse_name: "localhost".to_owned(),
            reverse_status: NameStatus::Ok,
            warning: None,
        },
    };
    if let Some(warning) = &names.warning {
        log::warn!(target: &service.program, "{}", mail::logline::printable(warning));
    }
    let address = ip.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    Peer {
        client: Client {
            name: names.name,
            reverse_name: names.reverse_name,
            address: address.to_string(),
            port: peer.map(|peer| peer.port()),
            protocol: "SMTP".to_owned(),
            ..Client::default()
        },
        ip: Some(address),
        name_lookup: lookup(names.status),
        reverse_lookup: lookup(names.reverse_status),
        server_address: local
            .map_or_else(|| "127.0.0.1".to_owned(), |local| local.ip().to_canonical().to_string()),
        server_port: local.map_or(0, |local| local.port()),
        tls: None,
        log_port: service.params.smtpd_client_port_logging,
        stress,
    }
}

fn lookup(status: NameStatus) -> NameLookup {
    match status {
        NameStatus::Ok => NameLookup::Found,
        NameStatus::Temporary => NameLookup::Later,
        NameStatus::Permanent | NameStatus::Forged => NameLookup::Never,
    }
}

/// Is the client in this list? A list that cannot be read lets nobody in.
pub(super) async fn listed(service: &Service, list: &tables::List, peer: &Peer) -> bool {
    let Some(ip) = peer.ip else { return false };
    if list.is_empty() {
        return false;
    }
    list.matches_host(&peer.client.name, ip).await.unwrap_or_else(|trouble| {
        log::warn!(target: &service.program, "{}: {trouble}", list.parameter());
        false
    })
}

async fn keywords(service: &Service, peer: &Peer) -> Keywords {
    match service.lists.keywords.find(peer.client.address.as_str()).await {
        Ok(Some(found)) => {
            let (keywords, unknown) = Keywords::parse(&found.value);
            for word in unknown {
                log::warn!(target: &service.program, "unknown EHLO keyword \"{word}\" in {}", found.table);
            }
            keywords
        }
        Ok(None) => service.discarded,
        Err(trouble) => {
            log::warn!(target: &service.program, "{trouble}");
            service.discarded
        }
    }
}

impl Session {
    /// Greets the client, or turns it away. False when the session is over before it began.
    pub(super) async fn greet(&mut self, server: &mut Server) -> bool {
        if self.ended == Some("") {
            self.ended = None;
            let text = format!("{} Server local error", self.host());
            return self.turn_away(server, Reply::new(421, (3, 0), text)).await;
        }
        if let Some(reply) = self.is_banned().await {
            return self.turn_away(server, reply).await;
        }
        if let Some(reply) = self.too_many_connections() {
            return self.turn_away(server, reply).await;
        }
        if self.service.encryption.wrapper && !self.shake_hands(server).await {
            return false;
        }
        if let Some(reply) = self.unwanted_certificate() {
            return self.turn_away(server, reply).await;
        }
        if !self.prepare_logins().await {
            return false;
        }
        if let Some(reply) = self.meet_milters().await {
            if reply.code == 421 {
                return self.turn_away(server, reply).await;
            }
            if reply.code >= 500 {
                server.answer(Answer::Say(self.not_accepting()));
                return true;
            }
        }
        let mut trail = self.trail();
        let verdict = {
            let facts = facts(&self.peer, None, "CONNECT", false);
            self.service.judge.judge(Stage::Client, &facts, &mut self.standing, &mut trail).await
        };
        match verdict {
            Verdict::Pass => {
                let banner = self.banner();
                if self.submitter.is_none() {
                    self.transcript = Transcript::of(&self.setup.notices.classes);
                }
                self.decide_to_watch().await;
                self.told(&banner);
                server.answer(Answer::Say(banner));
            }
            Verdict::Refuse(refusal) => {
                let mut said = self.refused(&refusal, &facts(&self.peer, None, "CONNECT", false));
                let reply = said.reply_mut().map_or_else(|| Reply::from(&*refusal), |reply| reply.clone());
                if matches!(reply.code, 421 | 521) {
                    return self.turn_away(server, reply).await;
                }
                self.errors += 1;
                server.answer(Answer::Say(reply.clone()));
                self.denied = Some(Box::new(reply));
            }
        }
        true
    }

    /// `220 host ESMTP mail_name`.
    pub(super) fn banner(&self) -> Reply {
        Reply::plain(220, self.service.params.smtpd_banner.clone())
    }

    /// The banner for a client that a milter does not want: it may stay, and hears no from every command.
    pub(super) fn not_accepting(&self) -> Reply {
        Reply::plain(554, format!("{} ESMTP not accepting connections", self.host()))
    }

    async fn turn_away(&mut self, server: &mut Server, reply: Reply) -> bool {
        server.answer(Answer::Close(reply));
        server.next().await;
        false
    }

    fn too_many_connections(&mut self) -> Option<Reply> {
        if self.may_xclient || self.unlimited {
            return None;
        }
        let service = self.service.clone();
        let rates = &service.rates;
        let address = self.peer.client.address.clone();
        let (connections, rate) =
            service.counters.connect(&service.name, &address, rates.anvil_rate_time_unit, net::clock::now());
        self.counted = Some(address.as_str().into());
        self.connections = connections;
        let exceeds = |count: u32, limit: i64| limit > 0 && i64::from(count) > limit;
        let what = if exceeds(connections, rates.smtpd_client_connection_count_limit) {
            format!("Connection concurrency limit exceeded: {connections}")
        } else if exceeds(rate, rates.smtpd_client_connection_rate_limit) {
            format!("Connection rate limit exceeded: {rate}")
        } else {
            return None;
        };
        let label = self.peer.label();
        log::warn!(target: &service.program, "{what} from {label} for service {}", service.name);
        let text = format!("{} Error: too many connections from {address}", self.host());
        Some(Reply::new(421, (7, 0), text))
    }
}

/// The connection is gone: it counts no more.
pub(super) fn release(session: &Session) {
    if let Some(address) = &session.counted {
        session.service.counters.disconnect(&session.service.name, address);
    }
}
