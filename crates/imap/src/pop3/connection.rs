//! One connection from its beginning to the line in the log at its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mail::logline::printable;
use net::{Accepted, Stream, clock};
use people::Facts;

use super::login::{Entered, Outcome};
use super::wire::{End, Wire};
use super::{Service, login};
use crate::live;
use crate::service::session_id;

/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// What both halves of a session need.
pub struct Connection {
    /// The service.
    pub(super) service: Arc<Service>,
    /// The client.
    pub wire: Wire,
    /// What is known of it.
    pub facts: Facts,
    /// For the log: which session it is.
    pub id: String,
    /// When it came.
    pub since: Instant,
}

/// Talks to one client until it is gone.
pub async fn run(service: Arc<Service>, accepted: Accepted) {
    let Accepted { stream, peer, local, place, .. } = accepted;
    let facts = Facts::of_session("pop3", local, peer);
    let wrapper = service.access.ssl_wrappermode;
    let since = clock::now();
    let mut connection = Connection { service, wire: Wire::new(stream), facts, id: session_id(), since };
    if connection.is_banned(wrapper).await {
        return;
    }
    if wrapper && !Box::pin(connection.handshake()).await {
        return connection.log_no_login("TLS handshaking failed", 0, "", "");
    }
    match Box::pin(login::run(&mut connection)).await {
        Outcome::In(entered) => Box::pin(connection.serve(*entered)).await,
        Outcome::Over(gone, counted) => return gone.end((Some(place), counted)).await,
        Outcome::Out { why, failed, user, method } => connection.log_no_login(why, failed, &user, &method),
    }
    // In vain where the client is gone.
    let _ = connection.wire.flush().await;
    drop(place);
}

impl Connection {
    /// Turns away a client whose address is banned.
    async fn is_banned(&mut self, wrapper: bool) -> bool {
        let Some(address) = self.facts.remote else { return false };
        if self.service.watch.welcomes(address).await {
            return false;
        }
        log::info!(target: "=dovecot", "pop3-login: Banned, connection refused: {}", self.addresses());
        if !wrapper {
            self.wire.say("-ERR [SYS/TEMP] Too many failures from your address; try again later.");
            // In vain where the client is gone.
            let _ = self.wire.flush().await;
        }
        true
    }

    /// TLS from here on. What was read in clear is forgotten.
    pub async fn handshake(&mut self) -> bool {
        let Some(tls) = &self.service.tls else { return false };
        self.wire.forget_input();
        let stream = std::mem::replace(&mut self.wire.stream, Stream::Gone);
        let Ok(Ok((stream, summary))) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else {
            return false;
        };
        self.wire.stream = stream;
        crate::tls::note(&mut self.facts, summary);
        true
    }

    pub(super) async fn serve(&mut self, entered: Entered) {
        let (user, method) = (printable(&entered.user).to_string(), entered.method);
        log::info!(
            target: "=dovecot",
            "pop3-login: Login: user=<{user}>, method={method}, {}, mpid={}{}, session=<{}>",
            self.addresses(), std::process::id(), self.protection(), self.id
        );
        let mut session = super::mail::Session::new(entered.drop, self.service.last);
        let ended = tokio::select! {
            why = session.run(&mut self.wire, &user) => Ok(why),
            () = entered.ending.comes() => Err(live::FAREWELL),
        };
        let why = ended.unwrap_or_else(|farewell| {
            self.wire.say(&format!("-ERR [SYS/TEMP] {farewell}"));
            farewell.trim_end_matches('.')
        });
        log::info!(
            target: "=dovecot",
            "pop3({user})<{}><{}>: Disconnected: {why} {}",
            std::process::id(), self.id, session.counts.write(&self.service.logout_format)
        );
    }

    fn log_no_login(&self, why: &str, failed: u32, user: &str, method: &str) {
        let seconds = clock::now().duration_since(self.since).as_secs();
        let what = match failed {
            0 => format!("no auth attempts in {seconds} secs"),
            count => format!("auth failed, {count} attempts in {seconds} secs"),
        };
        let method = if method.is_empty() { String::new() } else { format!(" method={method},") };
        log::info!(
            target: "=dovecot",
            "pop3-login: Disconnected: {why} ({what}): user=<{}>,{method} {}{}, session=<{}>",
            printable(user), self.addresses(), self.protection(), self.id
        );
    }

    fn addresses(&self) -> String {
        let show = |address: Option<std::net::IpAddr>| address.map(|ip| ip.to_string()).unwrap_or_default();
        format!("rip={}, lip={}", show(self.facts.remote), show(self.facts.local))
    }

    fn protection(&self) -> &'static str {
        match (self.facts.tls, self.facts.is_secured()) {
            (true, _) => ", TLS",
            (false, true) => ", secured",
            (false, false) => "",
        }
    }
}

impl End {
    /// As the log has it.
    pub fn why(self) -> &'static str {
        match self {
            End::Closed => "Connection closed",
            End::Silent => "Inactivity",
            End::TooLong => "Input line too long",
        }
    }
}
