//! Logins checked by a server of Dovecot's authentication protocol (`smtpd_sasl_type = dovecot`).

mod line;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use conf::{Mistake, Severity, View};
use filter::{Boxed, Peer};
use mail::logline::printable;
use net::Stream;
use net::dns::{HostLookup, Resolver};
use net::listener::Protocols;
use proto::dovecot::{Event, Options, Request};
use tables::{List, Tables};
use tokio::time::timeout;

use self::line::{Line, plain};
use super::auth::{Authenticator, Exchange, Failure, Login, Progress};
use super::service::mistake;
use crate::params::SmtpdSasl;

/// Most connections that wait for the next login.
const IDLE: usize = 8;

/// How long a server may take for a step. Postfix's; no parameter changes it.
const STEP: Duration = Duration::from_secs(10);

/// What the configuration says about the server.
pub(super) struct Settings {
    endpoint: Endpoint,
    /// `smtpd_sasl_path` as written, for the log.
    path: String,
    service: String,
    in_clear: Options,
    under_tls: Options,
    filter: List,
    step: Duration,
}

/// A server, and the connections to it that wait for the next login.
pub(super) struct Server {
    settings: Settings,
    resolver: Resolver,
    protocols: Protocols,
    program: String,
    idle: Mutex<Vec<Line>>,
}

/// No connection could be had.
struct Unreachable;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Inet(String, u16),
    Unix(PathBuf),
}

impl Endpoint {
    /// `inet:host:port`, or the path of a socket with or without `unix:`; relative ones begin in the queue directory.
    fn parse(text: &str, queue_directory: &str) -> Option<Endpoint> {
        let Some(rest) = text.strip_prefix("inet:") else {
            let path = text.strip_prefix("unix:").unwrap_or(text);
            return (!path.is_empty()).then(|| Endpoint::Unix(PathBuf::from(queue_directory).join(path)));
        };
        let (host, port) = rest.rsplit_once(':').unwrap_or(("", rest));
        let host = if host.is_empty() { "localhost" } else { host.trim_matches(['[', ']']) };
        Some(Endpoint::Inet(host.to_owned(), port.parse().ok()?))
    }
}

impl Settings {
    /// Reads the parameters; `None` when nobody can log in through a server.
    pub fn read(
        view: &View,
        sasl: &SmtpdSasl,
        tables: &Tables,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Settings> {
        if !sasl.smtpd_sasl_auth_enable || sasl.smtpd_sasl_type != "dovecot" {
            return None;
        }
        let Some(endpoint) = Endpoint::parse(&sasl.smtpd_sasl_path, &view.get("queue_directory")) else {
            let text = format!(
                "smtpd_sasl_path = {}: the path of a socket or inet:host:port is expected; nobody can log in",
                sasl.smtpd_sasl_path
            );
            mistakes.push(mistake(view, "smtpd_sasl_path", Severity::Error, &text));
            return None;
        };
        let (in_clear, under_tls, filter) = restrictions(view, sasl, tables, mistakes)?;
        Some(Settings {
            endpoint,
            path: sasl.smtpd_sasl_path.clone(),
            service: sasl.smtpd_sasl_service.clone(),
            in_clear,
            under_tls,
            filter,
            step: STEP,
        })
    }

    fn options(&self, peer: &Peer) -> Options {
        if peer.tls.is_some() { self.under_tls } else { self.in_clear }
    }
}

/// Which mechanisms may be used in clear and under TLS, and which of them are told; `None` when a parameter makes no
/// sense.
pub(super) fn restrictions(
    view: &View,
    sasl: &SmtpdSasl,
    tables: &Tables,
    mistakes: &mut Vec<Mistake>,
) -> Option<(Options, Options, List)> {
    let mut wrong = |parameter: &str, text: &str| {
        mistakes.push(mistake(view, parameter, Severity::Error, text));
    };
    let mut options = |parameter: &str, words: &[String]| {
        Options::read(words.iter().map(String::as_str)).map_err(|word| {
            let text = format!(
                "{parameter}: unknown option \"{word}\"; noplaintext, noactive, nodictionary, noanonymous, \
                 forward_secrecy and mutual_auth are known; nobody can log in"
            );
            wrong(parameter, &text);
        })
    };
    let in_clear = options("smtpd_sasl_security_options", &sasl.smtpd_sasl_security_options).ok();
    let under_tls = options("smtpd_sasl_tls_security_options", &sasl.smtpd_sasl_tls_security_options).ok();
    let parameter = "smtpd_sasl_mechanism_filter";
    let filter = tables
        .string_list(parameter, &view.get(parameter))
        .map_err(|fault| wrong(parameter, &fault.to_string()))
        .ok();
    Some((in_clear?, under_tls?, filter?))
}

impl Server {
    /// A server that nobody has talked to yet.
    pub fn new(settings: Settings, resolver: Resolver, protocols: Protocols, program: &str) -> Server {
        Server { settings, resolver, protocols, program: program.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// A connection: one that waits, or a new one. When there is none, the log says why.
    async fn line(&self) -> Result<Line, Unreachable> {
        loop {
            let Some(mut line) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() else {
                break;
            };
            if line.is_alive().await {
                return Ok(line);
            }
        }
        let stream = match timeout(self.settings.step, self.connect()).await {
            Ok(stream) => stream,
            Err(_) => Err("Connection timed out".to_owned()),
        };
        let opened = match stream {
            Ok(stream) => Line::open(stream, self.settings.step).await,
            Err(why) => Err(why),
        };
        opened.map_err(|why| {
            let (path, why) = (printable(&self.settings.path), printable(&why));
            log::warn!(target: &self.program, "SASL: Connect to Dovecot auth socket '{path}' failed: {why}");
            Unreachable
        })
    }

    async fn connect(&self) -> Result<Stream, String> {
        let plain = |error: std::io::Error| plain(&error);
        let (host, port) = match &self.settings.endpoint {
            Endpoint::Unix(path) => return net::connect::unix(path, self.settings.step).await.map_err(plain),
            Endpoint::Inet(host, port) => (host, *port),
        };
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let how = HostLookup { dns: false, native: true };
                let found = self.resolver.host(host, how, self.protocols).await;
                found.map_err(|missing| format!("host {host}: {missing}"))?
            }
        };
        let mut wrong = format!("host {host} has no address");
        for address in addresses {
            match net::connect::tcp(SocketAddr::new(address, port), None, self.settings.step).await {
                Ok(stream) => return Ok(stream),
                Err(error) => wrong = plain(error),
            }
        }
        Err(wrong)
    }

    fn put_back(&self, line: Line) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(line);
        }
    }

    /// What the server said, and what becomes of the connection.
    fn progress(self: &Arc<Self>, line: Line, said: Result<Event, String>) -> Progress {
        let progress = match said {
            Ok(Event::Ask(question)) => {
                return Progress::Ask(Box::new(Conversation { server: self.clone(), line }), question);
            }
            Ok(Event::Accepted { user: Some(user) }) if !user.is_empty() => {
                Progress::Done(Login { username: printable(&user) })
            }
            Ok(Event::Accepted { .. }) => {
                Progress::Failed(Failure::of("Authentication server didn't send username"))
            }
            Ok(Event::Refused { user, reason, .. }) => {
                let why = reason.unwrap_or_else(|| "(reason unavailable)".to_owned());
                Progress::Failed(Failure { why: printable(&why), username: user })
            }
            Ok(Event::Ready) => return Progress::Lost,
            Err(why) => {
                let (path, why) = (printable(&self.settings.path), printable(&why));
                log::warn!(target: &self.program, "SASL: Dovecot auth socket '{path}': {why}");
                return Progress::Lost;
            }
        };
        self.put_back(line);
        progress
    }
}

impl Authenticator for Server {
    fn mechanisms<'a>(&'a self, peer: &'a Peer) -> Boxed<'a, Option<String>> {
        Box::pin(async move {
            let line = self.line().await.ok()?;
            let options = self.settings.options(peer);
            let allowed = line.mechanisms().iter().filter(|mechanism| options.allow(mechanism));
            let allowed: Vec<String> = allowed.map(|mechanism| mechanism.name.clone()).collect();
            self.put_back(line);
            if allowed.is_empty() {
                return None;
            }
            let filter = &self.settings.filter;
            let mut offered = Vec::new();
            for name in allowed {
                match filter.matches(&name).await {
                    Ok(true) => offered.push(name),
                    Ok(false) => {}
                    Err(trouble) => {
                        log::warn!(target: &self.program, "{}: {trouble}", filter.parameter());
                        return None;
                    }
                }
            }
            Some(offered.join(" "))
        })
    }

    fn begin<'a>(
        self: Arc<Self>,
        peer: &'a Peer,
        mechanism: &'a str,
        initial: Option<&'a str>,
    ) -> Boxed<'a, Progress> {
        Box::pin(async move {
            let Ok(mut line) = self.line().await else {
                return Progress::Trouble("Can't connect to authentication server".to_owned());
            };
            // What `smtpd_sasl_mechanism_filter` hides is not offered, and still taken: as Postfix has it.
            let options = self.settings.options(peer);
            let known = line.mechanisms().iter().find(|known| known.name.eq_ignore_ascii_case(mechanism));
            if !known.is_some_and(|known| options.allow(known)) {
                self.put_back(line);
                return Progress::Failed(Failure::of("Invalid authentication mechanism"));
            }
            let request = Request {
                mechanism,
                service: &self.settings.service,
                local: &peer.server_address,
                remote: &peer.client.address,
                secured: peer.tls.is_some(),
                initial,
            };
            let said = line.begin(&request).await;
            self.progress(line, said)
        })
    }
}

/// A login under way, which has a connection to itself.
struct Conversation {
    server: Arc<Server>,
    line: Line,
}

impl Exchange for Conversation {
    fn answer<'a>(mut self: Box<Self>, answer: &'a str) -> Boxed<'a, Progress> {
        Box::pin(async move {
            let said = self.line.answer(answer).await;
            let Conversation { server, line } = *self;
            server.progress(line, said)
        })
    }

    fn give_up<'a>(mut self: Box<Self>) -> Boxed<'a, ()> {
        Box::pin(async move {
            if self.line.cancel().await.is_ok() {
                self.server.put_back(self.line);
            }
        })
    }
}

#[cfg(test)]
mod tests;
