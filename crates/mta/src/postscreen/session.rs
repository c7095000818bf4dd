//! One client: the access list, what is remembered of it, the tests before the greeting, and where it goes then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use net::{Accepted, clock};
use proto::proxy::Header;
use proto::smtp::Reply;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Screen;
use super::access::Access;
use super::dialogue::Dialogue;
use super::lists::{self, Score};
use super::memory::{Connected, Test};
use super::settings::Action;

/// Bytes of an early talker that are looked at.
const LOOK: usize = 1024;
/// Bytes of what a client said that are logged.
pub(super) const SHOWN: usize = 100;
/// How long a client may take to hear that it is not wanted.
const FAREWELL: Duration = Duration::from_secs(10);

/// What is known of a client under test.
pub(super) struct Client {
    pub peer: SocketAddr,
    /// `[address]:port`
    pub label: String,
    pub began: Instant,
    /// Tests not yet passed.
    pub due: Vec<Test>,
    /// It passed all tests at some time.
    pub seen: bool,
    /// It failed a test, whatever came of that.
    pub failed: bool,
    /// Tests of the dialogue that it failed, and that are only told of.
    pub overlooked: Vec<Test>,
    /// What its recipients hear.
    pub refusal: Option<Reply>,
    /// It talked before its greeting.
    pub talked: bool,
    /// How long the answers of DNS lists are good.
    pub lists_ttl: Option<Duration>,
    _connected: Connected,
}

/// What a client does while it should wait.
enum Watched {
    Waits,
    Talks(Vec<u8>),
    HangsUp,
}

/// Tests one client, and hands it over or sends it away.
pub(super) async fn run(screen: Arc<Screen>, mut accepted: Accepted) {
    let settings = &screen.settings;
    let program = settings.program.as_str();
    if settings.params.postscreen_upstream_proxy_protocol == "haproxy" {
        let timeout = settings.params.postscreen_upstream_proxy_timeout;
        match net::proxy::read_header(&mut accepted.stream, timeout).await {
            Ok(Header::Proxied { client, server }) => {
                (accepted.peer, accepted.local) = (Some(client), Some(server));
            }
            Ok(Header::Local) => {}
            Err(why) => {
                log::warn!(target: program, "haproxy read: {}", why.escape_default());
                return;
            }
        }
    }
    let (Some(peer), Some(local)) = (accepted.peer, accepted.local) else {
        log::warn!(target: program, "a connection that is not TCP: postscreen needs a service of type inet");
        return;
    };
    let label = labelled(peer);
    log::info!(target: program, "CONNECT from {label} to {}", labelled(local));
    let connected = screen.memory.connect(peer.ip());
    let limit = settings.params.postscreen_client_connection_count_limit;
    if limit > 0 && i64::from(connected.count) > limit {
        log::info!(target: program, "NOQUEUE: reject: CONNECT from {label}: too many connections");
        return send_away(accepted, Reply::new(421, (7, 0), "Error: too many connections"), program, &label)
            .await;
    }
    let mut client = Client {
        peer,
        label,
        began: clock::now(),
        due: Vec::new(),
        seen: false,
        failed: false,
        overlooked: Vec::new(),
        refusal: None,
        talked: false,
        lists_ttl: None,
        _connected: connected,
    };
    match settings.access.find(peer.ip(), program).await {
        Access::Permit => {
            log::info!(target: program, "ALLOWLISTED {}", client.label);
            return hand_over(&screen, accepted, client).await;
        }
        Access::Reject => {
            log::info!(target: program, "DENYLISTED {}", client.label);
            let reply = |code| Reply::new(code, (3, 2), "Service currently unavailable");
            match Action::of(&settings.params.postscreen_denylist_action) {
                Action::Ignore => {}
                Action::Enforce => client.fails(reply(550)),
                Action::Drop => return send_away(accepted, reply(521), program, &client.label).await,
            }
        }
        Access::Dunno => {}
    }
    (client.due, client.seen) = screen.memory.due(peer.ip(), &settings.enabled(), clock::now());
    if client.due.is_empty() && client.refusal.is_none() {
        if client.seen {
            log::info!(target: program, "PASS OLD {}", client.label);
        }
        return hand_over(&screen, accepted, client).await;
    }
    // At a backup address nobody earns the right to pass: robots like to go there first.
    if !settings.allow_at.matches_host("", local.ip()).await.unwrap_or(false) {
        log::info!(target: program, "ALLOWLIST VETO {}", client.label);
        client.fails(Reply::new(450, (3, 2), "Service currently unavailable"));
    }
    let Ok(place) = screen.places.clone().try_acquire_owned() else {
        log::info!(target: program, "NOQUEUE: reject: CONNECT from {}: all screening ports busy", client.label);
        let reply = Reply::new(421, (3, 2), "Error: all screening ports busy");
        return send_away(accepted, reply, program, &client.label).await;
    };
    match early(&screen, &mut accepted, &mut client).await {
        Ok(()) if client.refusal.is_some() || client.has_more_tests() => {
            Dialogue::new(&screen, client, accepted).run().await;
        }
        Ok(()) => {
            client.pass(&screen);
            drop(place);
            hand_over(&screen, accepted, client).await;
        }
        Err(Some(reply)) => send_away(accepted, reply, program, &client.label).await,
        Err(None) => {}
    }
}

/// The tests before the greeting. The error is the last word, if there is anybody to hear it.
async fn early(
    screen: &Arc<Screen>,
    accepted: &mut Accepted,
    client: &mut Client,
) -> Result<(), Option<Reply>> {
    let settings = &screen.settings;
    let scoring = client.due.contains(&Test::Lists).then(|| {
        let (screen, ip) = (screen.clone(), client.peer.ip());
        tokio::spawn(async move {
            let timeout = screen.settings.tests.postscreen_dnsbl_timeout;
            lists::score(&screen.settings.sites, &screen.resolver, ip, timeout).await
        })
    });
    let mut talk = None;
    if client.due.contains(&Test::Greet) {
        let banner = &settings.params.postscreen_greet_banner;
        if !banner.is_empty() {
            let lure = format!("220-{banner}\r\n");
            let _ = tokio::time::timeout(FAREWELL, accepted.stream.write_all(lure.as_bytes())).await;
        }
        let Some(tcp) = accepted.stream.tcp() else { return Err(None) };
        match watch(tcp, settings.greet_wait(accepted.stress)).await {
            Watched::Waits => {}
            Watched::HangsUp => {
                let after = client.age();
                log::info!(
                    target: &settings.program,
                    "HANGUP after {after} from {} in tests before SMTP handshake", client.label
                );
                log::info!(target: &settings.program, "DISCONNECT {}", client.label);
                return Err(None);
            }
            Watched::Talks(said) => {
                let shown = said[..said.len().min(SHOWN)].escape_ascii().to_string();
                log::info!(
                    target: &settings.program,
                    "PREGREET {} after {} from {}: {shown}", said.len(), client.age(), client.label
                );
                client.talked = true;
                talk = Some(Action::of(&settings.tests.postscreen_greet_action));
            }
        }
    }
    let protocol_error = |code| Reply::new(code, (5, 1), "Protocol error");
    if talk == Some(Action::Drop) {
        return Err(Some(protocol_error(521)));
    }
    let score = match scoring {
        // A task that is gone says nothing.
        Some(scoring) => scoring.await.unwrap_or_default(),
        None => Score::default(),
    };
    client.lists_ttl = score.ttl;
    let tests = &settings.tests;
    let allowed = tests.postscreen_dnsbl_allowlist_threshold;
    if allowed < 0 && score.rank <= allowed {
        client.due.retain(|test| *test == Test::Lists);
        return Ok(());
    }
    if let Some(action) = talk {
        client.failed = true;
        if action == Action::Enforce {
            client.fails(protocol_error(550));
        }
    }
    if score.rank >= tests.postscreen_dnsbl_threshold {
        client.failed = true;
        log::info!(target: &settings.program, "DNSBL rank {} for {}", score.rank, client.label);
        let reply = blocked(screen, client, &score).await;
        match Action::of(&tests.postscreen_dnsbl_action) {
            Action::Ignore => {}
            Action::Enforce => client.fails(reply(550)),
            Action::Drop => return Err(Some(reply(521))),
        }
    }
    Ok(())
}

/// What a listed client hears, by code.
async fn blocked(screen: &Screen, client: &Client, score: &Score) -> impl Fn(u16) -> Reply + use<> {
    let domain = score.blamed.clone().unwrap_or_default();
    let shown = match screen.settings.reply_map.find(&domain).await {
        Ok(Some(found)) => found.value,
        Ok(None) => domain,
        Err(trouble) => {
            log::warn!(target: &screen.settings.program, "{trouble}");
            "a DNS list".to_owned()
        }
    };
    let text = format!("Service unavailable; client [{}] blocked using {shown}", client.peer.ip());
    move |code| Reply::new(code, (7, 1), text.clone())
}

async fn watch(tcp: &TcpStream, wait: Duration) -> Watched {
    let mut said = vec![0; LOOK];
    match tokio::time::timeout(wait, tcp.peek(&mut said)).await {
        Err(_) => Watched::Waits,
        Ok(Ok(len)) if len > 0 => {
            said.truncate(len);
            Watched::Talks(said)
        }
        Ok(_) => Watched::HangsUp,
    }
}

async fn hand_over(screen: &Screen, accepted: Accepted, client: Client) {
    let label = client.label.clone();
    // From here on smtpd counts its connections.
    drop(client);
    match &screen.next {
        Some(smtpd) => smtpd.session(accepted).await,
        None => {
            let program = screen.settings.program.as_str();
            log::warn!(
                target: program,
                "no service \"{} pass\" runs smtpd: see master.cf", screen.settings.params.smtpd_service_name
            );
            let reply = Reply::new(421, (3, 2), "Error: all server ports busy");
            send_away(accepted, reply, program, &label).await;
        }
    }
}

async fn send_away(mut accepted: Accepted, reply: Reply, program: &str, label: &str) {
    let mut out = Vec::new();
    reply.write(&mut out);
    // What the client sent is read, for the system would reset the connection, and the reply be lost.
    if let Some(tcp) = accepted.stream.tcp() {
        let _ = tcp.try_read(&mut [0; LOOK]);
    }
    // Nobody is there any more, or will not listen: that is all the same now.
    let _ = tokio::time::timeout(FAREWELL, accepted.stream.write_all(&out)).await;
    log::info!(target: program, "DISCONNECT {label}");
}

fn labelled(address: SocketAddr) -> String {
    format!("[{}]:{}", address.ip(), address.port())
}

impl Client {
    /// Its recipients are refused; the first reason counts.
    pub(super) fn fails(&mut self, reply: Reply) {
        self.failed = true;
        self.refusal.get_or_insert(reply);
    }

    /// Do tests follow within a dialogue?
    fn has_more_tests(&self) -> bool {
        self.due.iter().any(|test| !matches!(test, Test::Greet | Test::Lists))
    }

    /// It passed what was due: that is remembered.
    pub(super) fn pass(&self, screen: &Screen) {
        if self.failed {
            return;
        }
        let word = if self.seen { "OLD" } else { "NEW" };
        log::info!(target: &screen.settings.program, "PASS {word} {}", self.label);
        let now = clock::now();
        let until = |test: &Test| match self.overlooked.contains(test) {
            true => (*test, screen.settings.until_overlooked(now)),
            false => (*test, screen.settings.until(*test, now, self.lists_ttl)),
        };
        let passed: Vec<_> = self.due.iter().map(until).collect();
        screen.memory.remember(self.peer.ip(), &passed, now);
    }

    /// It left before the tests of the dialogue were over: those before it count all the same.
    pub(super) fn pass_early(&self, screen: &Screen) {
        if self.failed {
            return;
        }
        let now = clock::now();
        let early = self.due.iter().filter(|test| matches!(test, Test::Greet | Test::Lists));
        let passed: Vec<_> =
            early.map(|test| (*test, screen.settings.until(*test, now, self.lists_ttl))).collect();
        if !passed.is_empty() {
            screen.memory.remember(self.peer.ip(), &passed, now);
        }
    }

    /// Seconds since it connected, as logged.
    pub(super) fn age(&self) -> String {
        mail::logline::seconds((clock::now() - self.began).as_secs_f64(), 2)
    }
}
