//! What a configuration says of scanners.

use std::path::Path;
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use mail::Trouble;
use net::Stream;
use net::dns::Resolver;

use crate::clamd::Found;
use crate::endpoint::Endpoint;
use crate::params::Viruses;
use crate::{clamd, icap};

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

/// A scanner, as one configuration has it.
#[derive(Clone, Debug)]
pub struct Scanner {
    endpoint: Endpoint,
    protocol: Protocol,
    resolver: Resolver,
    connect: Duration,
    answer: Duration,
    /// Larger messages are not shown, bytes; 0 is no limit.
    pub size_limit: u64,
    /// The parameter that says so.
    pub size_parameter: &'static str,
    /// What becomes of a message with a virus.
    pub on_virus: OnVirus,
    /// What becomes of a message when the scanner fails.
    pub on_failure: OnFailure,
}

/// How a scanner is spoken to.
#[derive(Clone, Debug)]
enum Protocol {
    Clamd,
    /// With the service's path.
    Icap(String),
}

/// A message that is being shown to a scanner.
#[derive(Debug)]
pub struct Conversation(Spoken);

#[derive(Debug)]
enum Spoken {
    Clamd(clamd::Conversation<Stream>),
    Icap(icap::Conversation<Stream>),
}

impl Conversation {
    /// Shows a piece.
    ///
    /// # Errors
    /// The scanner takes too long, or has gone.
    pub async fn feed(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        match &mut self.0 {
            Spoken::Clamd(conversation) => conversation.feed(bytes).await,
            Spoken::Icap(conversation) => conversation.feed(bytes).await,
        }
    }

    /// There is no more: what is it?
    ///
    /// # Errors
    /// The scanner does not say.
    pub async fn finish(self) -> Result<Found, Trouble> {
        match self.0 {
            Spoken::Clamd(conversation) => conversation.finish().await,
            Spoken::Icap(conversation) => conversation.finish().await,
        }
    }
}

impl OnFailure {
    /// Reads the value of a parameter.
    pub(crate) fn parse(text: &str) -> OnFailure {
        match text {
            "accept" => OnFailure::Accept,
            "quarantine" => OnFailure::Quarantine,
            _ => OnFailure::TempFail,
        }
    }
}

impl Scanner {
    /// Reads the parameters: the scanners that are asked, in this order.
    pub fn read(view: &View, resolver: &Resolver, mistakes: &mut Vec<Mistake>) -> Vec<Scanner> {
        let read = Viruses::read(view, mistakes);
        let on_virus = match read.virus_action.as_str() {
            "quarantine" => OnVirus::Quarantine,
            "discard" => OnVirus::Discard,
            _ => OnVirus::Reject,
        };
        let mut scanners = Vec::new();
        let clamd = read.clamd_service.trim();
        match Endpoint::parse(clamd, Path::new(&view.get("queue_directory"))) {
            Some(endpoint) => scanners.push(Scanner {
                endpoint,
                protocol: Protocol::Clamd,
                resolver: resolver.clone(),
                connect: read.clamd_connect_timeout,
                answer: read.clamd_timeout,
                size_limit: read.clamd_size_limit,
                size_parameter: "clamd_size_limit",
                on_virus,
                on_failure: OnFailure::parse(&read.clamd_default_action),
            }),
            None if clamd.is_empty() => {}
            None => refuse(view, ("clamd_service", clamd), "inet:host:port or unix:path", mistakes),
        }
        let icap = read.icap_service.trim();
        match icap_url(icap) {
            Some((endpoint, path)) => scanners.push(Scanner {
                endpoint,
                protocol: Protocol::Icap(path),
                resolver: resolver.clone(),
                connect: read.icap_connect_timeout,
                answer: read.icap_timeout,
                size_limit: read.icap_size_limit,
                size_parameter: "icap_size_limit",
                on_virus,
                on_failure: OnFailure::parse(&read.icap_default_action),
            }),
            None if icap.is_empty() => {}
            None => refuse(view, ("icap_service", icap), "icap://host:port/service", mistakes),
        }
        scanners
    }

    /// Begins to show a message.
    ///
    /// # Errors
    /// The scanner cannot be reached.
    pub async fn open(&self) -> Result<Conversation, Trouble> {
        let who = match self.protocol {
            Protocol::Clamd => "clamd",
            Protocol::Icap(_) => "the ICAP server",
        };
        let stream = self.endpoint.connect(who, &self.resolver, self.connect).await?;
        Ok(Conversation(match &self.protocol {
            Protocol::Clamd => Spoken::Clamd(clamd::Conversation::begin(stream, self.answer).await?),
            Protocol::Icap(path) => {
                let at = self.endpoint.to_string();
                Spoken::Icap(icap::Conversation::begin(stream, &at, path, self.answer).await?)
            }
        }))
    }
}

/// `icap://host:port/service`, where the port may be left out.
fn icap_url(text: &str) -> Option<(Endpoint, String)> {
    let (at, path) = text.strip_prefix("icap://")?.split_once('/')?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let has_port = at.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let at = if has_port { at.to_owned() } else { format!("{at}:1344") };
    Some((Endpoint::host_port(&at)?, path.to_owned())).filter(|_| plain && !path.is_empty())
}

fn refuse(view: &View, (name, value): (&str, &str), form: &str, mistakes: &mut Vec<Mistake>) {
    let place = view.place(name);
    let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
    let wrong = format!("{name}: \"{value}\" is not {form}; no message is scanned by it");
    mistakes.push(Mistake::new(Severity::Error, place, wrong));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_icap_servers() {
        let at = |text: &str| icap_url(text).map(|(endpoint, path)| format!("{endpoint} {path}"));
        assert_eq!(at("icap://127.0.0.1:11344/avscan").as_deref(), Some("127.0.0.1:11344 avscan"));
        assert_eq!(
            at("icap://av.site.test/scan?mode=mail").as_deref(),
            Some("av.site.test:1344 scan?mode=mail")
        );
        for wrong in ["icap://host", "icap://host:1344/", "http://host/x", "icap:///x", "icap://h/a b"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
