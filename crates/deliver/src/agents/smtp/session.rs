//! A connection to a server, ready for mail: greeting, hello, TLS, login.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use mail::{Class, Refusal};
use net::drive::Client;
use net::tls::{HandshakeError, Summary, Trust};
use net::{Stream, clock, connect};
use proto::smtp::client::{Event, Extensions, Said, Stage};
use proto::smtp::reply::Received;

use super::complaint::{self, ours};
use super::service::Service;
use super::tls::{Level, Policy, Server};
use super::tlsrpt::{Basis, Failure, Outcome};

/// Where a session leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Host name, as logged.
    pub host: String,
    /// What is connected to.
    pub to: Target,
}

/// An address or a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix-domain socket: the file, and its name as configured.
    Unix(PathBuf, String),
}

impl Place {
    /// `host[address]`.
    pub fn name(&self) -> String {
        match &self.to {
            Target::Tcp(address) => format!("{}[{}]", self.host, address.ip()),
            Target::Unix(_, name) => format!("{}[{name}]", self.host),
        }
    }

    /// `host[address]:port`: `relay=`.
    pub fn relay(&self) -> String {
        match &self.to {
            Target::Tcp(address) => format!("{}:{}", self.name(), address.port()),
            Target::Unix(..) => self.name(),
        }
    }
}

/// An open session.
pub struct Session {
    /// The connection and its machine.
    pub client: Client,
    /// `host[address]`.
    pub name: String,
    /// `host[address]:port`.
    pub relay: String,
    /// What the server announced.
    pub extensions: Extensions,
    /// Messages sent, the present one included.
    pub uses: u32,
    /// When it was opened.
    pub opened: Instant,
    /// How far the server is trusted; `None` in clear.
    pub trust: Option<Trust>,
    /// Nobody is there to hear QUIT.
    dead: bool,
    /// The greeting has the word ESMTP in it.
    esmtp: bool,
    /// The server is behind a Cisco PIX: what is done about it.
    pub pix: Option<Vec<String>>,
}

/// Why there is no session.
#[derive(Debug)]
pub enum NoSession {
    /// Nobody there.
    Unreachable(Refusal),
    /// Somebody is there and we cannot talk.
    Refused(Refusal),
    /// The TLS handshake broke, and policy allows another attempt in clear.
    RetryInClear(Refusal),
}

/// What opening a session depends on.
pub struct Wish<'a> {
    /// Where to.
    pub place: &'a Place,
    /// TLS.
    pub policy: &'a Policy,
    /// Next hop as written.
    pub nexthop: &'a str,
    /// Next hop of the message, for `mail for … loops back to myself`.
    pub destination: &'a str,
    /// Is our own name in its hello a loop?
    pub guard_loops: bool,
    /// May a broken handshake be followed by an attempt in clear?
    pub retry_in_clear: bool,
    /// Reverse-path, for sender-dependent logins.
    pub sender: &'a str,
    /// Has the message waited so long that PIX workarounds apply?
    pub aged: bool,
}

/// Connects from the bind address; from another where that one is not ours now (`smtp_bind_address_enforce`).
async fn connect_from(service: &Service, to: SocketAddr) -> io::Result<Stream> {
    let (bind, patience) = (service.bind_address(to.ip()), service.times.smtp_connect_timeout);
    match connect::tcp(to, bind, patience).await {
        Err(error)
            if error.kind() == io::ErrorKind::AddrNotAvailable
                && bind.is_some()
                && !service.client.smtp_bind_address_enforce =>
        {
            let bind = bind.map(|bind| bind.to_string()).unwrap_or_default();
            log::warn!(target: &service.program, "bind to {bind}: {}", crate::mailbox::reason(&error));
            connect::tcp(to, None, patience).await
        }
        other => other,
    }
}

impl Session {
    /// Connects and gets ready. The error comes with what was said.
    pub async fn open(service: &Service, wish: &Wish<'_>) -> Result<Session, (NoSession, Vec<Said>)> {
        let place = wish.place;
        let stream = match &place.to {
            Target::Tcp(address) => connect_from(service, *address).await,
            Target::Unix(path, _) => connect::unix(path, service.times.smtp_connect_timeout).await,
        };
        let stream = stream.map_err(|error| {
            (NoSession::Unreachable(complaint::unreachable(&place.relay(), &error)), Vec::new())
        })?;
        let mut session = Session {
            client: Client::new(stream, service.machine()),
            name: place.name(),
            relay: place.relay(),
            extensions: Extensions::default(),
            uses: 0,
            opened: clock::now(),
            trust: None,
            dead: false,
            esmtp: false,
            pix: None,
        };
        match session.get_ready(service, wish).await {
            Ok(()) => Ok(session),
            Err(no) => {
                if matches!(no, NoSession::Refused(_)) && !session.dead {
                    session.say_goodbye(service).await;
                }
                Err((no, session.client.machine().dialogue()))
            }
        }
    }

    async fn get_ready(&mut self, service: &Service, wish: &Wish<'_>) -> Result<(), NoSession> {
        let wrapped = service.tls.wrapped() && wish.policy.level != Level::None;
        if wrapped {
            self.start_tls(service, wish).await?;
        }
        self.greeting(service, wish).await?;
        self.hello(service, wish).await?;
        if !wrapped && self.wants_tls(service, wish)? && self.ask_starttls(service, wish).await? {
            self.start_tls(service, wish).await?;
            self.hello(service, wish).await?;
        }
        super::sasl::log_in(self, service, wish).await.map_err(NoSession::Refused)
    }

    /// Asks, and waits for the reply.
    pub async fn ask(&mut self, service: &Service, stage: Stage, line: &str) -> Result<Received, Refusal> {
        self.client.machine().ask(stage, line);
        self.reply(service).await
    }

    async fn reply(&mut self, service: &Service) -> Result<Received, Refusal> {
        match self.client.next().await {
            Event::Reply(_, reply) => Ok(service.filter_reply(reply).await),
            event => {
                self.dead = true;
                Err(self.broken(&event))
            }
        }
    }

    /// The refusal for an event that ends a conversation.
    pub fn broken(&self, event: &Event) -> Refusal {
        match event {
            Event::TimedOut(stage) => complaint::timed_out(&self.name, *stage),
            Event::Garbled(stage, what) => complaint::garbled(&self.name, *stage, what),
            Event::Lost(stage) => complaint::lost(&self.name, *stage),
            other => complaint::garbled(&self.name, Stage::Other, &format!("unexpected {other:?}")),
        }
    }

    async fn greeting(&mut self, service: &Service, wish: &Wish<'_>) -> Result<(), NoSession> {
        let reply = self.reply(service).await.map_err(NoSession::Refused)?;
        if reply.is_ok() {
            let mut words = reply.lines.iter().flat_map(|line| line.split_ascii_whitespace());
            self.esmtp = words.any(|word| word.eq_ignore_ascii_case("ESMTP"));
            self.look_for_pix(service, wish, &reply).await;
            return Ok(());
        }
        let refusal = complaint::refused_to_talk(&self.name, &reply);
        // The digits stay as the server said them; only our conclusion is softer.
        let soft = reply.is_never() && service.client.smtp_skip_5xx_greeting;
        Err(NoSession::Refused(if soft { refusal.soften() } else { refusal }))
    }

    /// A Cisco PIX hides the greeting behind asterisks, and garbles more than that.
    async fn look_for_pix(&mut self, service: &Service, wish: &Wish<'_>, greeting: &Received) {
        let hidden = greeting.lines.iter().all(|line| {
            line.get(4..).unwrap_or_default().chars().all(|c| matches!(c, '*' | '0' | '2' | ' '))
        });
        if !hidden || !wish.aged || greeting.lines.iter().all(|line| line.len() <= 4) {
            return;
        }
        let workarounds = service.pix_workarounds(&self.address()).await;
        if !workarounds.is_empty() {
            log::info!(target: &service.program, "enabling PIX workarounds: {} for {}", workarounds.join(" "), self.relay);
            self.pix = Some(workarounds);
        }
    }

    fn address(&self) -> String {
        self.client.stream().peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default()
    }

    /// Is this workaround on?
    pub fn works_around(&self, what: &str) -> bool {
        self.pix.as_ref().is_some_and(|list| list.iter().any(|word| word == what))
    }

    async fn hello(&mut self, service: &Service, wish: &Wish<'_>) -> Result<(), NoSession> {
        let name = &service.client.smtp_helo_name;
        let discard = service.discarded_keywords(&self.address()).await.map_err(NoSession::Refused)?;
        self.extensions = Extensions::default();
        if service.lmtp {
            let reply =
                self.ask(service, Stage::Lhlo, &format!("LHLO {name}")).await.map_err(NoSession::Refused)?;
            if !reply.is_ok() {
                return Err(NoSession::Refused(complaint::refused_to_talk(&self.name, &reply)));
            }
            self.extensions = Extensions::parse(&reply, &discard);
            return Ok(());
        }
        let client = &service.client;
        let extended = (client.smtp_always_send_ehlo || self.esmtp)
            && !client.smtp_never_send_ehlo
            && !self.works_around("disable_esmtp");
        if extended {
            let reply =
                self.ask(service, Stage::Ehlo, &format!("EHLO {name}")).await.map_err(NoSession::Refused)?;
            if reply.is_ok() {
                self.extensions = Extensions::parse(&reply, &discard);
                return self.not_myself(service, wish, &reply);
            }
            if reply.code == 421 || wish.policy.level > Level::May {
                return Err(NoSession::Refused(complaint::refused_to_talk(&self.name, &reply)));
            }
        }
        let reply =
            self.ask(service, Stage::Helo, &format!("HELO {name}")).await.map_err(NoSession::Refused)?;
        if !reply.is_ok() {
            return Err(NoSession::Refused(complaint::refused_to_talk(&self.name, &reply)));
        }
        self.not_myself(service, wish, &reply)
    }

    fn not_myself(&self, service: &Service, wish: &Wish<'_>, reply: &Received) -> Result<(), NoSession> {
        let line = reply.lines.first().map(String::as_str).unwrap_or_default();
        let word = line.get(4..).unwrap_or_default().split_ascii_whitespace().next().unwrap_or_default();
        if wish.guard_loops && word.eq_ignore_ascii_case(&service.site.myhostname) {
            log::warn!(target: &service.program, "host {} replied to HELO/EHLO with my own name {word}", self.relay);
            let text = format!("mail for {} loops back to myself", wish.destination);
            return Err(NoSession::Refused(ours(Class::Never, (4, 6), text)));
        }
        Ok(())
    }

    fn wants_tls(&self, service: &Service, wish: &Wish<'_>) -> Result<bool, NoSession> {
        let offered = self.extensions.starttls;
        match wish.policy.level {
            Level::None => {
                if offered && service.tls.notes_offers() {
                    let host = self.name.split('[').next().unwrap_or_default();
                    log::info!(target: &service.program, "Host offered STARTTLS: [{host}]");
                }
                Ok(false)
            }
            _ if offered => Ok(true),
            Level::May => {
                note(service, wish, |_, _| no_starttls());
                Ok(false)
            }
            _ => {
                note(service, wish, |_, _| no_starttls());
                Err(NoSession::Refused(ours(
                    Class::Later,
                    (7, 4),
                    format!("TLS is required, but was not offered by host {}", self.name),
                )))
            }
        }
    }

    /// STARTTLS; false when the server said no and may do so.
    async fn ask_starttls(&mut self, service: &Service, wish: &Wish<'_>) -> Result<bool, NoSession> {
        let reply = self.ask(service, Stage::StartTls, "STARTTLS").await.map_err(NoSession::Refused)?;
        if reply.is_ok() {
            return Ok(true);
        }
        note(service, wish, |_, _| no_starttls());
        if wish.policy.level == Level::May {
            return Ok(false);
        }
        let text = format!("TLS is required, but host {} refused to start TLS: {}", self.name, reply.text());
        Err(NoSession::Refused(complaint::replied(&self.name, &reply, text)))
    }

    async fn start_tls(&mut self, service: &Service, wish: &Wish<'_>) -> Result<(), NoSession> {
        let engine = service.tls.engine(wish.policy).map_err(|why| {
            log::warn!(target: &service.program, "TLS client initialization: {why}");
            NoSession::Refused(ours(
                Class::Later,
                (7, 5),
                "TLS is required, but our TLS engine is unavailable",
            ))
        })?;
        let timeout = service.times.smtp_starttls_timeout;
        let summary = match self.client.start_tls(&engine, &wish.policy.identity, timeout).await {
            Ok(summary) => summary,
            Err(error) => {
                if let HandshakeError::Failed(why) = &error {
                    log::warn!(target: &service.program, "TLS library problem: {}", mail::logline::printable(why));
                }
                if service.tls.loglevel() > 0 {
                    log::info!(target: &service.program, "SSL_connect error to {}: {error:?}", self.relay);
                }
                self.dead = true;
                note(service, wish, |_, _| {
                    Outcome::Failed(Failure::ValidationFailure, "handshake failure".to_owned())
                });
                let refusal = ours(Class::Later, (7, 5), "Cannot start TLS: handshake failure");
                return Err(if wish.retry_in_clear && wish.policy.level == Level::May {
                    NoSession::RetryInClear(refusal)
                } else {
                    NoSession::Refused(refusal)
                });
            }
        };
        self.trust = Some(summary.trust);
        self.judge_certificate(service, wish, &summary)
    }

    fn judge_certificate(
        &self,
        service: &Service,
        wish: &Wish<'_>,
        summary: &Summary,
    ) -> Result<(), NoSession> {
        note(service, wish, |basis, host| Outcome::of(basis, host, summary));
        if service.tls.loglevel() > 0 {
            log::info!(
                target: &service.program,
                "{} TLS connection established to {}: {}", summary.trust.word(), self.relay, summary.describe()
            );
        }
        if wish.policy.level.must_match() && summary.trust < Trust::Verified {
            if let Some(why) = &summary.why_untrusted {
                log::info!(
                    target: &service.program,
                    "certificate verification failed for {}: {}", self.relay, mail::logline::printable(why)
                );
            }
            return Err(NoSession::Refused(ours(Class::Later, (7, 5), "Server certificate not verified")));
        }
        Ok(())
    }

    /// Says goodbye.
    pub async fn quit(mut self, service: &Service) {
        self.say_goodbye(service).await;
    }

    async fn say_goodbye(&mut self, service: &Service) {
        self.client.machine().ask(Stage::Quit, "QUIT");
        if service.client.smtp_skip_quit_response {
            // Whoever hung up first has nothing to hear.
            let _ = self.client.flush().await;
        } else {
            let _ = self.client.next().await;
        }
    }
}

/// Tells how TLS went with a server.
fn note(service: &Service, wish: &Wish<'_>, outcome: impl FnOnce(&Basis, &str) -> Outcome) {
    let Target::Tcp(address) = &wish.place.to else { return };
    let (host, basis) = (wish.place.host.as_str(), &wish.policy.basis);
    let server = Server {
        nexthop: wish.nexthop,
        domain: wish.destination,
        host,
        place: *address,
        insecure_mx: false,
        sender: wish.sender,
    };
    service.tls.note(&server, basis, &outcome(basis, host));
}

fn no_starttls() -> Outcome {
    Outcome::Failed(Failure::StarttlsNotSupported, String::new())
}
