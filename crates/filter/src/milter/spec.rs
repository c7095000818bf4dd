//! One milter as the configuration names it.

use std::path::PathBuf;
use std::time::Duration;

use conf::{Block, TimeUnit, View, parse_time};
use proto::milter::Offer;

use crate::compile::divide;
use crate::params;

/// A milter: where it listens, how long we wait, and what happens when it fails.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// As in the configuration, for the log.
    pub name: String,
    pub endpoint: Endpoint,
    pub limits: Limits,
    pub on_failure: OnFailure,
    pub offer: Offer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Inet(String, u16),
    Unix(PathBuf),
}

/// Time-outs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub connect: Duration,
    pub command: Duration,
    pub content: Duration,
}

/// `milter_default_action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFailure {
    Accept,
    Reject,
    TempFail,
    Quarantine,
}

impl OnFailure {
    fn parse(text: &str) -> Option<OnFailure> {
        Some(match text {
            "accept" => OnFailure::Accept,
            "reject" => OnFailure::Reject,
            "tempfail" => OnFailure::TempFail,
            "quarantine" => OnFailure::Quarantine,
            _ => return None,
        })
    }
}

impl Spec {
    /// Reads a list: `inet:host:port`, `unix:path`, `{ endpoint, name=value, … }`.
    pub fn list(text: &str, view: &View) -> Result<Vec<Spec>, String> {
        divide(text).iter().map(|one| Spec::parse(one, view)).collect()
    }

    fn parse(text: &str, view: &View) -> Result<Spec, String> {
        // What does not parse is reported once, by whoever reads the block for its own sake.
        let read = params::Milter::read(view, &mut Vec::new());
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let words = divide(inner.unwrap_or(text));
        let mut words = words.iter();
        let name = words.next().ok_or("a milter needs inet:host:port or unix:path")?.clone();
        let mut spec = Spec {
            endpoint: Endpoint::parse(&name, view)?,
            limits: Limits {
                connect: read.milter_connect_timeout,
                command: read.milter_command_timeout,
                content: read.milter_content_timeout,
            },
            on_failure: OnFailure::parse(read.milter_default_action.trim()).unwrap_or_else(|| {
                log::warn!(
                    "milter {name}: unrecognized default action: {}",
                    mail::logline::printable(&read.milter_default_action)
                );
                OnFailure::TempFail
            }),
            offer: offer(&read.milter_protocol)?,
            name,
        };
        for word in words {
            let word = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')).unwrap_or(word);
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("milter {}: \"{word}\" is not name=value", spec.name))?;
            spec.set(name.trim(), value.trim())?;
        }
        Ok(spec)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = || format!("milter {}: bad value {name}={value}", self.name);
        let time = || parse_time(value, TimeUnit::of_default("1s")).ok_or_else(wrong);
        match name {
            "connect_timeout" => self.limits.connect = time()?,
            "command_timeout" => self.limits.command = time()?,
            "content_timeout" => self.limits.content = time()?,
            "default_action" => self.on_failure = OnFailure::parse(value).ok_or_else(wrong)?,
            "protocol" => self.offer = offer(value)?,
            _ => return Err(format!("milter {}: unknown setting \"{name}\"", self.name)),
        }
        Ok(())
    }
}

impl Endpoint {
    fn parse(text: &str, view: &View) -> Result<Endpoint, String> {
        let wrong = || format!("milter {text}: inet:host:port or unix:path is expected");
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "inet" => {
                let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
                let port = port.parse().map_err(|_| wrong())?;
                let host = if host.is_empty() { "localhost" } else { host };
                Ok(Endpoint::Inet(host.to_owned(), port))
            }
            "unix" | "local" => Ok(Endpoint::Unix(PathBuf::from(view.get("queue_directory")).join(rest))),
            _ => Err(wrong()),
        }
    }
}

/// `milter_protocol`: a version, and words for old filters.
fn offer(text: &str) -> Result<Offer, String> {
    let words = divide(text);
    let version = words.iter().find_map(|word| word.parse().ok());
    let version = version.and_then(Offer::of_version);
    let mut offer =
        version.ok_or_else(|| format!("milter_protocol = {text}: the version is 2, 3, 4 or 6"))?;
    for word in &words {
        match word.as_str() {
            "no_header_reply" => offer.steps |= 0x80,
            word if word.parse::<u32>().is_ok() => {}
            word => return Err(format!("milter_protocol = {text}: unknown word \"{word}\"")),
        }
    }
    Ok(offer)
}
