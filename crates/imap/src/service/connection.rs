//! One connection: moves bytes between a client and its [`Session`], and keeps its deadlines.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use mail::logline::printable;
use net::listener::Place;
use net::{Accepted, Stream, clock};
use people::Facts;
use tokio::io::AsyncWriteExt;

use super::Service;
use super::login::{Attempts, Counted, Step};
use super::wait;
use super::wire::{READ_BEFORE_LOGIN, Wire};
use crate::live;
use crate::session::{Link, Session, Want};

/// How long a client may be silent before it logs in.
const BEFORE_LOGIN: Duration = Duration::from_secs(180);
/// How long it may be silent afterwards. RFC 9051 5.4.
const LOGGED_IN: Duration = Duration::from_secs(30 * 60);
/// How long a client may take to read what was said to it.
const WRITE: Duration = Duration::from_secs(5 * 60);
/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection and its session.
pub(super) struct Connection {
    pub(super) service: Arc<Service>,
    pub(super) wire: Wire,
    /// Elsewhere while a thread works on it.
    pub(super) session: Option<Box<Session>>,
    pub(super) facts: Box<Facts>,
    pub(super) attempts: Box<Attempts>,
    /// For the log: which session it is.
    pub(super) id: String,
    pub(super) since: Instant,
    pub(super) counted: Option<Counted>,
    pub(super) place: Option<Place>,
    /// Another process goes on with it.
    pub(super) handed: bool,
}

/// The end from outside of a session that is listed here.
fn ending(counted: Option<&Counted>) -> live::Ending {
    counted.map(|counted| counted.entry.ending()).unwrap_or_default()
}

/// Talks to one client until it is gone.
pub async fn run(service: Arc<Service>, accepted: Accepted) {
    let Accepted { stream, peer, local, place, .. } = accepted;
    let facts = Facts::of_session("imap", local, peer);
    let session = Session::new(service.settings.clone(), Link::default());
    let mut connection = Connection {
        wire: Wire::new(stream),
        session: Some(session),
        facts: Box::new(facts),
        attempts: Box::default(),
        id: session_id(),
        since: clock::now(),
        counted: None,
        place: Some(place),
        handed: false,
        service,
    };
    if connection.is_banned().await {
        return;
    }
    if connection.service.wrapper && !Box::pin(connection.handshake()).await {
        return connection.log_end();
    }
    let link = connection.link();
    if let Some(session) = &mut connection.session {
        session.link = link;
        session.greet();
    }
    connection.talk().await;
    connection.log_end();
}

/// Short, and not the same twice: what joins the lines of a session in the log.
pub fn session_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let micros =
        clock::wall().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let mut bytes = micros.to_le_bytes()[..7].to_vec();
    bytes.extend_from_slice(&number.to_le_bytes()[..5]);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

impl Connection {
    /// Turns away a client whose address is banned.
    async fn is_banned(&mut self) -> bool {
        let Some(address) = self.facts.remote else { return false };
        if self.service.desk.watch.welcomes(address).await {
            return false;
        }
        log::info!(target: "=dovecot", "imap-login: Banned, connection refused: {}", self.addresses());
        if !self.service.wrapper {
            let bye = b"* BYE [UNAVAILABLE] Too many failures from your address; try again later.\r\n";
            // In vain where the client is gone.
            let _ = tokio::time::timeout(FAREWELL, self.wire.stream.write_all(bye)).await;
        }
        true
    }

    /// What the client may do, as things are.
    pub(super) fn link(&self) -> Link {
        let tls = self.wire.stream.is_tls();
        let people = &self.service.desk.people;
        let open = tls || !self.service.tls_required;
        let mechanisms = people.mechanisms(&self.facts).into_iter().map(|mechanism| mechanism.name);
        Link {
            passwords: open && !people.wants_encryption(&self.facts),
            mechanisms: mechanisms.filter(|_| open).collect(),
            tls,
            compressed: false,
        }
    }

    pub(super) async fn talk(&mut self) {
        loop {
            let Some(session) = &mut self.session else { return };
            match session.advance() {
                Want::Input => {
                    if self.flush().await.is_err() || !self.wait().await {
                        return;
                    }
                }
                Want::Work => {
                    if self.elsewhere(|session| session.work()).await.is_err() || self.flush().await.is_err()
                    {
                        return;
                    }
                }
                Want::Login(login) => {
                    if self.flush().await.is_err() {
                        return;
                    }
                    let step = Box::pin(self.service.desk.step(&mut self.attempts, login, &self.facts)).await;
                    match step {
                        Step::Over(who, account, counted) => {
                            if Box::pin(self.hand_over(who, *account, counted)).await {
                                return;
                            }
                        }
                        step => self.decided(step),
                    }
                }
                Want::Tls => {
                    if self.flush().await.is_err() || !Box::pin(self.handshake()).await {
                        return;
                    }
                    let link = self.link();
                    if let Some(session) = &mut self.session {
                        session.tls_started(link);
                    }
                }
                Want::Compression => {
                    if self.flush().await.is_err() {
                        return;
                    }
                    if let Some(session) = &mut self.session {
                        let waiting = session.compression_started();
                        self.wire.compress(waiting);
                    }
                }
                Want::Close => {
                    let _ = self.flush().await;
                    let _ = tokio::time::timeout(FAREWELL, self.wire.stream.shutdown()).await;
                    return;
                }
            }
        }
    }

    /// Has the session work on a thread that may wait for a disk.
    async fn elsewhere(&mut self, work: impl FnOnce(&mut Session) + Send + 'static) -> io::Result<()> {
        let Some(session) = self.session.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        match wait::blocking(session, move |session: &mut Box<Session>| work(session)).await {
            Ok(session) => {
                self.session = Some(session);
                Ok(())
            }
            Err(error) => {
                log::error!(target: "=dovecot", "imap: session <{}> broke: {error}", self.id);
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let written = self.wire.write(session.out.bytes(), WRITE).await;
        if written.is_err() {
            session.farewell = "Connection closed";
        }
        written
    }

    /// Waits for the client, or for news while it is idle. False at the end.
    async fn wait(&mut self) -> bool {
        let Some(session) = &mut self.session else { return false };
        session.rest();
        if session.waits_for_news() {
            return self.wait_for_news().await;
        }
        let (limit, most) = match session.user {
            Some(_) => (LOGGED_IN, usize::MAX),
            None => (BEFORE_LOGIN, READ_BEFORE_LOGIN),
        };
        let ending = ending(self.counted.as_ref());
        let mut feed = |bytes: &[u8]| session.feed(bytes);
        tokio::select! {
            read = tokio::time::timeout(limit, self.wire.read(most, &mut feed)) => match read {
                Ok(Ok(0) | Err(_)) => return false,
                Ok(Ok(_)) => {}
                Err(_) => session.bye("Disconnected for inactivity."),
            },
            () = ending.comes() => session.bye(live::FAREWELL),
        }
        true
    }

    /// IDLE and NOTIFY: reads, and tells what happens, until the client says something.
    async fn wait_for_news(&mut self) -> bool {
        let start = clock::now();
        let notify = self.service.settings.idle_notify;
        let mut alive = start + notify;
        let mut look = self.service.look.map(|pause| start + pause);
        let watched = self.session.as_ref().and_then(|session| session.watched());
        // What happened between the command and now is told first.
        let mut seen = watched.as_ref().map(|mailbox| mailbox.watch().count());
        let account = self.session.as_ref().and_then(|session| session.watched_account());
        let mut account_seen = account.as_ref().map(|account| account.watch().count());
        let mut news = watched.is_some() || account.is_some();
        let ending = ending(self.counted.as_ref());
        loop {
            let Some(session) = &mut self.session else { return false };
            if news {
                news = false;
                let looks = look.is_some_and(|look| look <= clock::now());
                if looks {
                    look = self.service.look.map(|pause| clock::now() + pause);
                }
                if self.elsewhere(move |session| session.news(looks)).await.is_err()
                    || self.flush().await.is_err()
                {
                    return false;
                }
                continue;
            }
            if !session.waits_for_news() {
                // The mailbox is gone: it has said good-bye.
                return true;
            }
            session.rest();
            let end = start + LOGGED_IN;
            let wake = [Some(end), (!notify.is_zero()).then_some(alive), look].into_iter().flatten().min();
            let changed = async {
                match (&watched, seen) {
                    (Some(mailbox), Some(count)) => mailbox.watch().changed(count).await,
                    _ => std::future::pending().await,
                }
            };
            let account_changed = async {
                match (&account, account_seen) {
                    (Some(account), Some(count)) => account.watch().changed(count).await,
                    _ => std::future::pending().await,
                }
            };
            let idle = session.is_idle();
            let mut feed = |bytes: &[u8]| session.feed(bytes);
            tokio::select! {
                read = self.wire.read(usize::MAX, &mut feed) => {
                    return matches!(read, Ok(count) if count > 0);
                }
                count = changed => {
                    seen = Some(count);
                    news = true;
                }
                count = account_changed => {
                    account_seen = Some(count);
                    news = true;
                }
                () = ending.comes() => {
                    session.bye(live::FAREWELL);
                    return true;
                }
                () = tokio::time::sleep_until(wake.unwrap_or(end).into()) => {
                    let now = clock::now();
                    if now >= end {
                        session.bye("Disconnected for inactivity.");
                        return true;
                    }
                    if !notify.is_zero() && now >= alive {
                        alive = now + notify;
                        if idle {
                            session.still_here();
                        }
                        if self.flush().await.is_err() {
                            return false;
                        }
                    }
                    news = (watched.is_some() || account.is_some()) && look.is_some_and(|look| now >= look);
                }
            }
        }
    }

    async fn handshake(&mut self) -> bool {
        let Some(tls) = &self.service.tls else { return false };
        let stream = std::mem::replace(&mut self.wire.stream, Stream::Gone);
        match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok((stream, summary))) => {
                self.wire.stream = stream;
                crate::tls::note(&mut self.facts, summary);
                true
            }
            _ => {
                if let Some(session) = &mut self.session {
                    session.farewell = "TLS handshaking failed";
                }
                false
            }
        }
    }

    fn decided(&mut self, step: Step) {
        let Some(session) = &mut self.session else { return };
        match step {
            Step::Ask(challenge) => session.ask_sasl(&challenge),
            Step::Out(fail) => session.login_decided(Err(fail)),
            Step::In(user, counted) => {
                self.counted = Some(counted);
                session.login_decided(Ok(user));
                self.log_login();
            }
            // Not decided here.
            Step::Over(..) => {}
        }
    }

    pub(super) fn log_login(&self) {
        log::info!(
            target: "=dovecot",
            "imap-login: Login: user=<{}>, method={}, {}, mpid={}{}, session=<{}>",
            printable(&self.attempts.user),
            self.attempts.method,
            self.addresses(),
            std::process::id(),
            self.protection(),
            self.id
        );
    }

    fn addresses(&self) -> String {
        let show = |address: Option<std::net::IpAddr>| {
            address.map(|address| address.to_string()).unwrap_or_default()
        };
        format!("rip={}, lip={}", show(self.facts.remote), show(self.facts.local))
    }

    fn protection(&self) -> &'static str {
        if self.facts.tls {
            ", TLS"
        } else if self.facts.is_secured() {
            ", secured"
        } else {
            ""
        }
    }

    pub(super) fn log_end(&self) {
        if self.handed {
            // Whoever has it now says it.
            return;
        }
        let farewell = self.session.as_ref().map_or("Internal error", |session| session.farewell);
        let user = self.session.as_ref().and_then(|session| session.user.as_ref());
        if let Some(user) = user {
            log::info!(
                target: "=dovecot",
                "imap({})<{}><{}>: Disconnected: {} in={} out={}",
                printable(&user.name),
                std::process::id(),
                self.id,
                farewell.trim_end_matches('.'),
                self.wire.read,
                self.wire.written
            );
            return;
        }
        let seconds = clock::now().duration_since(self.since).as_secs();
        let what = match self.attempts.failed {
            0 => format!("no auth attempts in {seconds} secs"),
            count => format!("auth failed, {count} attempts in {seconds} secs"),
        };
        let method = match self.attempts.method.as_str() {
            "" => String::new(),
            method => format!(" method={method},"),
        };
        log::info!(
            target: "=dovecot",
            "imap-login: Disconnected ({what}): user=<{}>,{method} {}{}, session=<{}>",
            printable(&self.attempts.user),
            self.addresses(),
            self.protection(),
            self.id
        );
    }
}
