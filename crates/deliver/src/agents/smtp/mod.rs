//! smtp(8) and lmtp(8): mail to other servers.

mod addresses;
mod cache;
mod complaint;
mod dane;
pub mod destination;
mod forwarded;
mod md5;
mod mta_sts;
mod names;
mod outgoing;
mod refused_logins;
mod round;
mod sasl;
mod service;
mod session;
mod tls;
pub mod tlsrpt;
mod transaction;
mod watch;
mod xforward;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use mail::{Class, Detail, Refusal};
use net::clock;
use proto::smtp::client::Said;

use super::{AgentKind, Built, Setup};
use crate::{Agent, Boxed, Pass, Report, Request};
use addresses::{Found, Site};
use cache::{Cache, Key};
use complaint::ours;
use destination::Destination;
use round::{NONE, Round};
use service::Service;
use session::{NoSession, Place, Session, Target, Wish};
use tls::{Policy, Server};
use transaction::After;

/// The line of the list.
pub const SMTP: AgentKind = AgentKind {
    command: "smtp",
    doc: "Sends mail to other hosts by SMTP: MX look-ups, TLS, logins, kept connections.",
    build: |setup| build(setup, false),
};

/// The line of the list.
pub const LMTP: AgentKind = AgentKind {
    command: "lmtp",
    doc: "Hands mail to a mailbox server by LMTP, over TCP or a Unix-domain socket.",
    build: |setup| build(setup, true),
};

fn build(setup: &Setup, lmtp: bool) -> Built {
    let service = Arc::new(Service::new(setup, lmtp)?);
    Ok(Arc::new(Client { service, cache: Cache::default(), pass: Arc::clone(&setup.pass) }))
}

struct Client {
    service: Arc<Service>,
    cache: Cache,
    pass: Arc<dyn Pass>,
}

impl Agent for Client {
    fn deliver(&self, request: Request) -> Boxed<'_, Report> {
        Box::pin(async move {
            let report = self.divided(request).await;
            self.service.status_filter.apply(report).await
        })
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            for session in self.cache.drain() {
                session.quit(&self.service).await;
            }
        })
    }
}

/// One next hop being tried.
struct Hop<'a> {
    /// As written.
    nexthop: &'a str,
    /// The name in it.
    domain: &'a str,
    /// The port is the usual one: a server with our own name is a loop.
    guard_loops: bool,
    /// No other next hop follows.
    last: bool,
    /// Keep the session afterwards.
    keep: bool,
}

/// How one address went.
enum Tried {
    /// A session stood; the round knows what came of it.
    Spoken,
    /// Nobody there; the reason.
    Silent(Refusal),
}

impl Client {
    /// Each part of a request under its own sender.
    async fn divided(&self, request: Request) -> Report {
        let Some(forwarding) = &self.service.forwarding else { return self.run(request).await };
        let parts = match forwarding.divide(request.clone()).await {
            Ok(parts) => parts,
            Err(trouble) => return Report::all(&request, &Refusal::from(trouble), "none"),
        };
        let mut reports = Vec::with_capacity(parts.len());
        for part in parts {
            reports.push(self.run(part).await);
        }
        forwarded::together(reports)
    }

    async fn run(&self, request: Request) -> Report {
        let service = &*self.service;
        let busy = self.cache.busy(&request.nexthop);
        let mut hops: Vec<String> = split(&request.nexthop);
        let own_hops = hops.len();
        if !service.lmtp {
            hops.extend(service.client.smtp_fallback_relay.iter().cloned());
        }
        let mut round = Round::new(request, Arc::clone(&service.program));
        let mut why = None;
        for (nth, nexthop) in hops.iter().enumerate() {
            if round.left.is_empty() {
                break;
            }
            let last = nth + 1 == hops.len();
            let keep = busy.in_demand && service.client.smtp_connection_cache_on_demand
                || self.always_kept(nexthop).await;
            let looped = self.hop(&mut round, nexthop, last, keep, &mut why).await;
            if looped {
                break;
            }
        }
        if round.left.is_empty() {
            return round.report();
        }
        let why =
            why.unwrap_or_else(|| ours(Class::Later, (3, 0), "server unavailable or unable to receive mail"));
        self.leftover(round, why, &hops, own_hops).await
    }

    async fn always_kept(&self, nexthop: &str) -> bool {
        let list = &self.service.cache_destinations;
        !list.is_empty() && list.matches(destination::plain(nexthop)).await.unwrap_or(false)
    }

    /// Tries one next hop. True when no other one may be tried, because we are one of its servers.
    async fn hop(
        &self,
        round: &mut Round,
        nexthop: &str,
        last: bool,
        keep: bool,
        why: &mut Option<Refusal>,
    ) -> bool {
        let service = &*self.service;
        match destination::parse(nexthop, service.default_port, &service.site.known_tcp_ports) {
            Err(text) => {
                log::warn!(target: &service.program, "{text}");
                *why = Some(ours(Class::Later, (3, 5), "mail system configuration error"));
                false
            }
            Ok(Destination::Unix(path)) => {
                let place = self.socket(&path);
                let hop = Hop { nexthop, domain: nexthop, guard_loops: false, last, keep };
                round.last_server = last;
                if let Tried::Silent(refusal) = self.attempt(round, &hop, place, false).await {
                    *why = Some(refusal);
                }
                false
            }
            Ok(Destination::Inet { host, port, literal }) => {
                let guard_loops = port == 25 && !service.lmtp;
                let look_up = &service.look_up;
                let Found { sites, ourselves } = if literal {
                    look_up.host(&service.names, &host, guard_loops).await
                } else {
                    look_up.domain(&service.names, &host, guard_loops).await
                };
                let hop = Hop { nexthop, domain: &host, guard_loops, last: last || ourselves, keep };
                match sites {
                    Ok(sites) => self.sites(round, &hop, sites, port, why).await,
                    Err(refusal) => *why = Some(refusal),
                }
                ourselves
            }
        }
    }

    /// Tries addresses in turn, within `smtp_mx_address_limit` and `smtp_mx_session_limit`.
    async fn sites(
        &self,
        round: &mut Round,
        hop: &Hop<'_>,
        sites: Vec<Site>,
        port: u16,
        why: &mut Option<Refusal>,
    ) {
        let client = &self.service.client;
        let limit = |value: i64| usize::try_from(value).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let addresses = sites.len().min(limit(client.smtp_mx_address_limit));
        let mut sessions = limit(client.smtp_mx_session_limit);
        for (nth, site) in sites.into_iter().take(addresses).enumerate() {
            if round.left.is_empty() || sessions == 0 {
                return;
            }
            round.last_server = hop.last && (nth + 1 == addresses || sessions == 1);
            let to = Target::Tcp(SocketAddr::new(site.address, port));
            match self.attempt(round, hop, Place { host: site.host, to }, site.insecure_mx).await {
                Tried::Spoken => sessions -= 1,
                Tried::Silent(refusal) => {
                    log::info!(target: &self.service.program, "{}", mail::logline::printable(refusal.log_text()));
                    *why = Some(refusal);
                }
            }
        }
    }

    /// One server: a kept session or a new one, and the message over it.
    async fn attempt(&self, round: &mut Round, hop: &Hop<'_>, place: Place, insecure_mx: bool) -> Tried {
        let service = &*self.service;
        let mut policy = match &place.to {
            Target::Unix(..) => Policy::none(),
            Target::Tcp(address) => {
                let (nexthop, domain, host) = (hop.nexthop, hop.domain, place.host.as_str());
                let sender = round.request.sender.as_str();
                let server = Server { nexthop, domain, host, place: *address, insecure_mx, sender };
                match service.tls.policy(&server).await {
                    Ok(policy) => policy,
                    Err(refusal) => return Tried::Silent(refusal),
                }
            }
        };
        loop {
            let key = Key::new(&place, &policy, self.login(hop, round));
            let (mut session, kept) = match self.cache.take(&key) {
                Some(session) => (session, true),
                None => match self.open(round, hop, &place, &policy).await {
                    Ok(session) => (session, false),
                    Err((NoSession::Unreachable(refusal), _)) => return Tried::Silent(refusal),
                    Err((NoSession::Refused(refusal), said)) => {
                        round.connected();
                        round.refuse_site(&refusal, round::Line { relay: &place.relay(), uses: 1 });
                        let said = watch::log(service, &place, said).await;
                        round.session_ended(&place.relay(), service.lmtp, said);
                        return Tried::Spoken;
                    }
                    Err((NoSession::RetryInClear(refusal), said)) => {
                        watch::log(service, &place, said).await;
                        log::info!(target: &service.program, "{}: {}", round.request.id, refusal.log_text());
                        policy = Policy::none();
                        continue;
                    }
                },
            };
            round.connected();
            let keep = hop.keep && self.may_be_used_again(&session);
            let after = transaction::send(service, &mut session, round, keep).await;
            let said = watch::log(service, &place, session.client.machine().dialogue()).await;
            round.session_ended(&place.relay(), service.lmtp, said);
            match after {
                // The next one may be alive: the server ends idle sessions one by one.
                After::Stale if kept => {}
                After::Idle => {
                    self.keep(key, session);
                    return Tried::Spoken;
                }
                After::Gone | After::Stale => return Tried::Spoken,
            }
        }
    }

    async fn open(
        &self,
        round: &Round,
        hop: &Hop<'_>,
        place: &Place,
        policy: &Policy,
    ) -> Result<Session, (NoSession, Vec<Said>)> {
        let service = &*self.service;
        let wall = Timestamp::try_from(clock::wall()).unwrap_or(round.request.arrival);
        let age = wall.duration_since(round.request.arrival);
        let aged = |limit: std::time::Duration| age.unsigned_abs() >= limit && age.is_positive();
        let wish = Wish {
            place,
            policy,
            nexthop: hop.nexthop,
            destination: hop.domain,
            guard_loops: hop.guard_loops,
            retry_in_clear: aged(service.minimal_backoff),
            sender: round.request.sender.as_str(),
            aged: aged(service.client.smtp_pix_workaround_threshold_time),
        };
        Session::open(service, &wish).await
    }

    /// What decides about the login, and so about who may share a session.
    fn login(&self, hop: &Hop<'_>, round: &Round) -> String {
        let sasl = &self.service.sasl;
        match (sasl.smtp_sasl_auth_enable, sasl.smtp_sender_dependent_authentication) {
            (false, _) => String::new(),
            (true, false) => hop.nexthop.to_owned(),
            (true, true) => format!("{} {}", hop.nexthop, round.request.sender),
        }
    }

    fn may_be_used_again(&self, session: &Session) -> bool {
        let client = &self.service.client;
        let count = u32::try_from(client.smtp_connection_reuse_count_limit).unwrap_or(0);
        let young = clock::now() - session.opened < client.smtp_connection_reuse_time_limit;
        young && (count == 0 || session.uses + 1 < count)
    }

    fn keep(&self, key: Key, session: Session) {
        let service = Arc::clone(&self.service);
        let quit = move |session: Session| {
            let service = Arc::clone(&service);
            tokio::spawn(async move { session.quit(&service).await });
        };
        let time = self.service.client.smtp_connection_cache_time_limit;
        if let Some(session) = self.cache.keep(key, session, time, quit.clone()) {
            quit(session);
        }
    }

    fn socket(&self, path: &Path) -> Place {
        let to = Target::Unix(self.service.queue_directory.join(path), path.to_string_lossy().into_owned());
        Place { host: self.service.site.myhostname.clone(), to }
    }

    /// Nobody took these recipients.
    async fn leftover(&self, mut round: Round, mut why: Refusal, hops: &[String], own_hops: usize) -> Report {
        let service = &*self.service;
        if why.class() == Class::Never {
            let misconfigured = if hops.len() > own_hops {
                Some("smtp_fallback_relay")
            } else if !service.lmtp && hops.first().is_some_and(|hop| *hop == service.relayhost) {
                Some("relayhost")
            } else {
                None
            };
            if let Some(parameter) = misconfigured {
                // Our own mistake: mail waits until it is repaired.
                log::warn!(target: &service.program, "{parameter} configuration problem");
                why = why.soften();
                why.detail = Detail(3, 5);
            } else if why.detail == Detail(4, 6)
                && !service.lmtp
                && !service.client.best_mx_transport.is_empty()
            {
                return self.pass_on(round).await;
            }
        }
        round.last_server = true;
        round.refuse_site(&why, NONE);
        round.report()
    }

    /// `best_mx_transport`: we are the best MX, and another agent delivers.
    async fn pass_on(&self, round: Round) -> Report {
        let mut request = round.request.clone();
        let best = &self.service.client.best_mx_transport;
        let (transport, nexthop) = best.split_once(':').unwrap_or((best, ""));
        request.targets = round.left.iter().map(|at| round.request.targets[*at].clone()).collect();
        for target in &request.targets {
            log::info!(target: &self.service.program, "{}: passing <{}> to transport={transport}",
                request.id, mail::logline::printable(target.recipient.address.as_str()));
        }
        request.transport = transport.to_owned();
        request.nexthop = if nexthop.is_empty() { request.nexthop } else { nexthop.to_owned() };
        self.pass.pass(request).await
    }
}

/// A next hop may be a list of destinations.
fn split(nexthop: &str) -> Vec<String> {
    nexthop.split([',', ' ', '\t']).filter(|hop| !hop.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
