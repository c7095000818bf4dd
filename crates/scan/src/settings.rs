//! What a configuration says of scanners.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use mail::Trouble;
use net::Stream;
use net::dns::{HostLookup, Protocols, Resolver};

use crate::clamd::Conversation;
use crate::params::Viruses;

/// What becomes of a message with a virus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnVirus {
    /// It is refused.
    Reject,
    /// It is held.
    Quarantine,
    /// It is taken and forgotten.
    Discard,
}

/// What becomes of a message when the scanner fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It is refused for now.
    TempFail,
    /// It passes.
    Accept,
    /// It is held.
    Quarantine,
}

/// Where a scanner listens.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Inet(String, u16),
    Unix(PathBuf),
}

/// clamd, as one configuration has it.
#[derive(Clone, Debug)]
pub struct Scanner {
    endpoint: Endpoint,
    resolver: Resolver,
    connect: Duration,
    answer: Duration,
    /// Larger messages are not shown, bytes; 0 is no limit.
    pub size_limit: u64,
    /// What becomes of a message with a virus.
    pub on_virus: OnVirus,
    /// What becomes of a message when clamd fails.
    pub on_failure: OnFailure,
}

impl Scanner {
    /// Reads the parameters. `None`: no scanner is asked.
    pub fn read(view: &View, resolver: &Resolver, mistakes: &mut Vec<Mistake>) -> Option<Scanner> {
        let read = Viruses::read(view, mistakes);
        let text = read.clamd_service.trim();
        if text.is_empty() {
            return None;
        }
        let endpoint = match text.split_once(':') {
            Some(("unix" | "local", path)) if !path.is_empty() => {
                Endpoint::Unix(PathBuf::from(view.get("queue_directory")).join(path))
            }
            Some(("inet", rest)) => match rest.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
                Some((host, Ok(port))) if !host.is_empty() => {
                    Endpoint::Inet(host.trim_matches(['[', ']']).to_owned(), port)
                }
                _ => return refuse(view, text, mistakes),
            },
            _ => return refuse(view, text, mistakes),
        };
        Some(Scanner {
            endpoint,
            resolver: resolver.clone(),
            connect: read.clamd_connect_timeout,
            answer: read.clamd_timeout,
            size_limit: read.clamd_size_limit,
            on_virus: match read.virus_action.as_str() {
                "quarantine" => OnVirus::Quarantine,
                "discard" => OnVirus::Discard,
                _ => OnVirus::Reject,
            },
            on_failure: match read.clamd_default_action.as_str() {
                "accept" => OnFailure::Accept,
                "quarantine" => OnFailure::Quarantine,
                _ => OnFailure::TempFail,
            },
        })
    }

    /// Begins to show a message.
    pub async fn open(&self) -> Result<Conversation<Stream>, Trouble> {
        let stream = match &self.endpoint {
            Endpoint::Unix(path) => net::connect::unix(path, self.connect)
                .await
                .map_err(|error| Trouble::new(format!("clamd at {}: {error}", path.display())))?,
            Endpoint::Inet(host, port) => self.inet(host, *port).await?,
        };
        Conversation::begin(stream, self.answer).await
    }

    async fn inet(&self, host: &str, port: u16) -> Result<Stream, Trouble> {
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let how = HostLookup { dns: false, native: true };
                let found = self.resolver.host(host, how, Protocols { v4: true, v6: true }).await;
                found.map_err(|missing| Trouble::new(format!("clamd at {host}: {missing}")))?
            }
        };
        let mut wrong = "it has no address".to_owned();
        for address in addresses {
            match net::connect::tcp(SocketAddr::new(address, port), None, self.connect).await {
                Ok(stream) => return Ok(stream),
                Err(error) => wrong = error.to_string(),
            }
        }
        Err(Trouble::new(format!("clamd at {host}:{port}: {wrong}")))
    }
}

fn refuse(view: &View, text: &str, mistakes: &mut Vec<Mistake>) -> Option<Scanner> {
    let place = view.place("clamd_service");
    let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
    let wrong =
        format!("clamd_service: \"{text}\" is not inet:host:port or unix:path; no message is scanned");
    mistakes.push(Mistake::new(Severity::Error, place, wrong));
    None
}
