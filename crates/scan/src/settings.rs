//! What a configuration says of scanners.

use std::path::Path;
use std::time::Duration;

use conf::{Block, Mistake, Severity, View};
use mail::Trouble;
use net::Stream;
use net::dns::Resolver;

use crate::clamd::Conversation;
use crate::endpoint::Endpoint;
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
    /// Reads the parameters. `None`: no scanner is asked.
    pub fn read(view: &View, resolver: &Resolver, mistakes: &mut Vec<Mistake>) -> Option<Scanner> {
        let read = Viruses::read(view, mistakes);
        let text = read.clamd_service.trim();
        if text.is_empty() {
            return None;
        }
        let Some(endpoint) = Endpoint::parse(text, Path::new(&view.get("queue_directory"))) else {
            return refuse(view, text, mistakes);
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
            on_failure: OnFailure::parse(&read.clamd_default_action),
        })
    }

    /// Begins to show a message.
    pub async fn open(&self) -> Result<Conversation<Stream>, Trouble> {
        let stream = self.endpoint.connect("clamd", &self.resolver, self.connect).await?;
        Conversation::begin(stream, self.answer).await
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
