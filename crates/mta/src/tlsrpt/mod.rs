//! Reports to other domains of how TLS with their servers went (RFC 8460): once a day, from the notes of the SMTP client.

mod message;
mod report;
mod send;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use conf::params::Paths;
use conf::{Block, Mistake, View};
use deliver::params::Tlsrpt;
use deliver::tlsrpt::{self, Day};
use mail::Address;
use net::dns::Resolver;

use crate::house::House;
use report::Report;

/// How often it is looked whether a day is over.
const PAUSE: Duration = Duration::from_secs(600);

/// Reports go out within so many seconds after midnight, each host at its own time (RFC 8460 4.1).
const SPREAD: u64 = 4 * 3600;

/// A domain whose addresses nobody knows is tried for so many days.
const PATIENCE: usize = 3;

/// Who reports, and to whom.
pub struct Settings {
    organization: String,
    contact: String,
    sender: Address,
    folder: PathBuf,
    resolver: Resolver,
    /// Seconds after midnight.
    delay: u64,
}

impl Settings {
    /// As the parameters say; `None` where nobody reports.
    pub fn read(view: &View, resolver: &Resolver, mistakes: &mut Vec<Mistake>) -> Option<Settings> {
        let params = Tlsrpt::read(view, mistakes);
        let name = view.get("myhostname");
        let sum = name.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        params.smtp_tlsrpt_enable.then(|| Settings {
            organization: params.tlsrpt_organization_name,
            contact: params.tlsrpt_contact_info,
            sender: Address::from(params.tlsrpt_sender),
            folder: tlsrpt::folder(&Paths::read(view, &mut Vec::new()).data_directory),
            resolver: resolver.clone(),
            delay: sum % SPREAD,
        })
    }
}

/// Sends reports until the program ends.
pub async fn run(house: Arc<House>) {
    loop {
        if let Some(settings) = &house.setup().tlsrpt {
            let now = SystemTime::from(house.now());
            // A day counts as over a while after midnight.
            let day = now.checked_sub(Duration::from_secs(settings.delay)).unwrap_or(now);
            for what in due(&house, settings, day).await {
                log::warn!(target: "tlsrpt", "{}", mail::logline::printable(&what));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends the reports of all days before that of `now`; gives what went wrong.
async fn due(house: &Arc<House>, settings: &Settings, now: SystemTime) -> Vec<String> {
    let mut wrong = Vec::new();
    match tlsrpt::days(&settings.folder, now) {
        Ok(days) => {
            let old = days.len().saturating_sub(PATIENCE);
            for (nth, day) in days.into_iter().enumerate() {
                if let Err(error) = one_day(house, settings, &day, nth < old, &mut wrong).await {
                    wrong.push(format!("notes of {}: {error}", day.date));
                }
            }
        }
        Err(error) => wrong.push(format!("{}: {error}", settings.folder.display())),
    }
    wrong
}

/// Sends the reports of a day. One that cannot be sent now keeps the day, unless it is old.
async fn one_day(
    house: &Arc<House>,
    settings: &Settings,
    day: &Day,
    old: bool,
    wrong: &mut Vec<String>,
) -> std::io::Result<()> {
    let read = day.clone();
    let entries = tokio::task::spawn_blocking(move || read.entries()).await;
    let entries = entries.map_err(std::io::Error::other)??;
    let done = day.done();
    let mut whole = true;
    for report in Report::all(&entries) {
        if done.contains(&report.domain) {
            continue;
        }
        match send::report(house, settings, &day.date, &report).await {
            Ok(()) => day.mark(&report.domain)?,
            Err(why) => {
                whole = false;
                wrong.push(format!("report of {} to {}: {why}", day.date, report.domain));
            }
        }
    }
    if whole || old { day.remove() } else { Ok(()) }
}

#[cfg(test)]
mod tests;
