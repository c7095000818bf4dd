//! The client of policy servers (SMTPD_POLICY_README): `name=value` lines out, one `action=` back.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use conf::{Block, TimeUnit, View, parse_time};
use net::Stream;
use proto::smtp::xtext;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::case::Case;
use crate::compile::divide;
use crate::{Dns, params};

/// Most bytes of an answer: one action with its text.
const ANSWER: usize = 16 * 1024;

/// Most unused connections kept to one server.
const IDLE: usize = 64;

/// A policy server, and the connections to it that wait for the next question.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    name: String,
    settings: Settings,
    program: String,
    idle: Mutex<Vec<Line>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Inet(String, u16),
    Unix(PathBuf),
}

#[derive(Clone, Debug)]
struct Settings {
    timeout: Duration,
    default_action: String,
    try_limit: u32,
    retry_delay: Duration,
    max_idle: Duration,
    max_ttl: Duration,
    request_limit: u32,
    context: String,
}

/// A connection.
#[derive(Debug)]
struct Line {
    stream: Stream,
    opened: Instant,
    last_used: Instant,
    requests: u32,
}

impl Server {
    /// Reads `inet:host:port`, `unix:path`, or `{ server, name=value, … }`.
    pub(crate) fn new(text: &str, view: &View, program: &str) -> Result<Server, String> {
        let mut settings = Settings::read(view);
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let words = divide(inner.unwrap_or(text));
        let mut words = words.iter();
        let name = words.next().ok_or("check_policy_service needs a server")?;
        for word in words {
            let (attribute, value) = match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
                Some(inner) => inner.split_once('='),
                None => word.split_once('='),
            }
            .ok_or_else(|| format!("check_policy_service {name}: \"{word}\" is not name=value"))?;
            settings.set(attribute.trim(), value.trim())?;
        }
        let endpoint = Endpoint::parse(name, view)?;
        let name = name.split_once(':').map_or(name.as_str(), |(_, rest)| rest).to_owned();
        Ok(Server { endpoint, name, settings, program: program.to_owned(), idle: Mutex::new(Vec::new()) })
    }

    /// Asks, and gives the action to take: the server's, or the default one when it does not answer.
    pub(crate) async fn ask(&self, case: &Case<'_>) -> String {
        let request = request(case, &self.settings.context);
        let dns = &*case.judge.outside.dns;
        let mut tries = 0;
        loop {
            let reused = self.take();
            let was_reused = reused.is_some();
            match self.exchange(reused, &request, dns).await {
                Ok(action) => return action,
                // A server may hang up on an idle connection at any time: that costs it nothing.
                Err(wrong) if was_reused && wrong != LATE => continue,
                Err(wrong) => {
                    tries += 1;
                    log::warn!(
                        target: self.program.as_str(),
                        "problem talking to server {}: {}", self.name, mail::logline::printable(&wrong)
                    );
                    if tries >= self.settings.try_limit {
                        return self.settings.default_action.clone();
                    }
                    tokio::time::sleep(self.settings.retry_delay).await;
                }
            }
        }
    }

    /// The name of the server, for log and trail.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    async fn exchange(&self, line: Option<Line>, request: &[u8], dns: &dyn Dns) -> Result<String, String> {
        let mut line = match line {
            Some(line) => line,
            None => {
                let stream = match timeout(self.settings.timeout, self.connect(dns)).await {
                    Ok(connected) => connected,
                    Err(_) => Err(LATE.to_owned()),
                };
                let stream = stream.inspect_err(|wrong| {
                    log::warn!(
                        target: self.program.as_str(),
                        "connect to {}: {}", self.name, mail::logline::printable(wrong)
                    );
                })?;
                let now = Instant::now();
                Line { stream, opened: now, last_used: now, requests: 0 }
            }
        };
        let sent = timeout(self.settings.timeout, async {
            line.stream.write_all(request).await?;
            line.stream.flush().await
        });
        sent.await.map_err(|_| LATE.to_owned())?.map_err(|error| plain(&error))?;
        let answer = timeout(self.settings.timeout, read_answer(&mut line.stream)).await;
        let action = answer.map_err(|_| LATE.to_owned())??;
        line.requests += 1;
        line.last_used = Instant::now();
        self.put_back(line);
        Ok(action)
    }

    async fn connect(&self, dns: &dyn Dns) -> Result<Stream, String> {
        match &self.endpoint {
            Endpoint::Unix(path) => {
                net::connect::unix(path, self.settings.timeout).await.map_err(|error| plain(&error))
            }
            Endpoint::Inet(host, port) => {
                let addresses = match crate::names::address(host.trim_matches(['[', ']'])) {
                    Some(address) => vec![address],
                    None => dns.host(host).await.map_err(|missing| format!("host {host}: {missing}"))?,
                };
                let mut wrong = format!("host {host} has no address");
                for address in addresses {
                    let to = SocketAddr::new(address, *port);
                    match net::connect::tcp(to, None::<IpAddr>, self.settings.timeout).await {
                        Ok(stream) => return Ok(stream),
                        Err(error) => wrong = plain(&error),
                    }
                }
                Err(wrong)
            }
        }
    }

    /// An idle connection that is young enough, and over which nothing came unasked.
    fn take(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (max_idle, max_ttl) = (self.settings.max_idle, self.settings.max_ttl);
        idle.retain(|line| line.last_used.elapsed() < max_idle && line.opened.elapsed() < max_ttl);
        while let Some(line) = idle.pop() {
            if line.stream.is_quiet() {
                return Some(line);
            }
        }
        None
    }

    fn put_back(&self, line: Line) {
        let limit = self.settings.request_limit;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE && (limit == 0 || line.requests < limit) {
            idle.push(line);
        }
    }
}

const LATE: &str = "Connection timed out";

/// The error without Rust's number behind it.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

impl Endpoint {
    fn parse(text: &str, view: &View) -> Result<Endpoint, String> {
        let wrong = || format!("check_policy_service {text}: inet:host:port or unix:path is expected");
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "inet" => {
                let (host, port) = rest.rsplit_once(':').unwrap_or(("localhost", rest));
                let port = port.parse().map_err(|_| wrong())?;
                let host = if host.is_empty() { "localhost" } else { host };
                Ok(Endpoint::Inet(host.to_owned(), port))
            }
            "unix" | "local" => Ok(Endpoint::Unix(PathBuf::from(view.get("queue_directory")).join(rest))),
            _ => Err(wrong()),
        }
    }
}

impl Settings {
    fn read(view: &View) -> Settings {
        // What does not parse is reported once, by whoever reads the block for its own sake.
        let read = params::Policy::read(view, &mut Vec::new());
        let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Settings {
            timeout: read.smtpd_policy_service_timeout,
            default_action: read.smtpd_policy_service_default_action,
            try_limit: count(read.smtpd_policy_service_try_limit),
            retry_delay: read.smtpd_policy_service_retry_delay,
            max_idle: read.smtpd_policy_service_max_idle,
            max_ttl: read.smtpd_policy_service_max_ttl,
            request_limit: count(read.smtpd_policy_service_request_limit),
            context: read.smtpd_policy_service_policy_context,
        }
    }

    /// One `name=value` of the `{ server, … }` form.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = || format!("check_policy_service: bad value {name}={value}");
        let time = || parse_time(value, TimeUnit::of_default("1s")).ok_or_else(wrong);
        let count = || value.parse().map_err(|_| wrong());
        match name {
            "timeout" => self.timeout = time()?,
            "default_action" => self.default_action = value.to_owned(),
            "try_limit" => self.try_limit = count()?,
            "retry_delay" => self.retry_delay = time()?,
            "max_idle" => self.max_idle = time()?,
            "max_ttl" => self.max_ttl = time()?,
            "request_limit" => self.request_limit = count()?,
            "policy_context" => self.context = value.to_owned(),
            _ => {
                return Err(format!(
                    "check_policy_service: unknown attribute {name}; one of timeout, default_action, try_limit, \
                     retry_delay, max_idle, max_ttl, request_limit, policy_context is expected"
                ));
            }
        }
        Ok(())
    }
}

/// Every attribute of a request, in Postfix's order.
fn request(case: &Case<'_>, context: &str) -> Vec<u8> {
    let facts = case.facts;
    let (peer, client) = (facts.peer, &facts.peer.client);
    let tls = peer.tls.as_deref();
    let certificate = tls.and_then(|tls| tls.certificate.as_ref());
    let state = if facts.command == "BDAT" { "DATA" } else { facts.command };
    let counted = matches!(state, "DATA" | "END-OF-MESSAGE");
    let address =
        |address: Option<&mail::Address>| address.map(|it| it.as_str().to_owned()).unwrap_or_default();
    let secret = |part: fn(&crate::Certificate) -> &str| {
        xtext::encode(certificate.map(part).unwrap_or_default().as_bytes())
    };
    let attributes = [
        ("request", "smtpd_access_policy".to_owned()),
        ("protocol_state", state.to_owned()),
        ("protocol_name", client.protocol.clone()),
        ("client_address", client.address.clone()),
        ("client_name", client.name.clone()),
        ("client_port", client.port.map(|port| port.to_string()).unwrap_or_default()),
        ("reverse_client_name", client.reverse_name.clone()),
        ("server_address", peer.server_address.clone()),
        ("server_port", peer.server_port.to_string()),
        ("helo_name", facts.helo.unwrap_or_default().to_owned()),
        ("sender", address(facts.sender)),
        ("recipient", address(facts.recipient)),
        ("recipient_count", if counted { facts.recipients } else { 0 }.to_string()),
        ("queue_id", facts.id.map(ToString::to_string).unwrap_or_default()),
        ("instance", facts.instance.to_owned()),
        ("size", facts.size.to_string()),
        ("etrn_domain", facts.etrn.unwrap_or_default().to_owned()),
        ("stress", if peer.stress { "yes" } else { "" }.to_owned()),
        ("sasl_method", client.sasl_method.clone()),
        ("sasl_username", client.sasl_username.clone()),
        ("sasl_sender", client.sasl_sender.clone()),
        ("ccert_subject", secret(|it| it.trusted_subject())),
        ("ccert_issuer", secret(|it| it.trusted_issuer())),
        ("ccert_fingerprint", secret(|it| &it.fingerprint)),
        ("ccert_pubkey_fingerprint", secret(|it| &it.pubkey_fingerprint)),
        ("encryption_protocol", tls.map(|tls| tls.protocol.clone()).unwrap_or_default()),
        ("encryption_cipher", tls.map(|tls| tls.cipher.clone()).unwrap_or_default()),
        ("encryption_keysize", tls.map_or(0, |tls| tls.keysize).to_string()),
        ("policy_context", context.to_owned()),
    ];
    let mut out = Vec::with_capacity(1024);
    for (name, value) in attributes {
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend(value.bytes().map(|b| if matches!(b, b'\n' | b'\r' | 0) { b'?' } else { b }));
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

/// Reads up to the empty line, and finds the action.
async fn read_answer(stream: &mut Stream) -> Result<String, String> {
    let mut text: Vec<u8> = Vec::new();
    let mut piece = [0u8; 512];
    loop {
        let count = stream.read(&mut piece).await.map_err(|error| plain(&error))?;
        if count == 0 {
            return Err("the server hung up without an answer".to_owned());
        }
        text.extend_from_slice(&piece[..count]);
        if text.ends_with(b"\n\n") || text.starts_with(b"\n") {
            return action(&String::from_utf8_lossy(&text));
        }
        if text.len() > ANSWER || text.windows(2).any(|pair| pair == b"\n\n") {
            return Err("malformed or endless answer".to_owned());
        }
    }
}

fn action(text: &str) -> Result<String, String> {
    let found =
        text.lines().filter_map(|line| line.split_once('=')).find(|(name, _)| name.trim() == "action");
    found
        .map(|(_, action)| action.trim().to_owned())
        .filter(|action| !action.is_empty())
        .ok_or_else(|| "the answer has no action".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert_eq!(action("action=DUNNO\n\n"), Ok("DUNNO".to_owned()));
        assert_eq!(
            action("x=y\naction = defer_if_permit wait = see\n\n"),
            Ok("defer_if_permit wait = see".to_owned())
        );
        assert!(action("acton=DUNNO\n\n").is_err() && action("action=\n\n").is_err());
    }
}
