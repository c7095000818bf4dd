//! What a configuration says of the quarantine, and when the last digests went out.

use std::io;
use std::path::{Path, PathBuf};

use conf::{Block, Mistake, Severity, View};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use scan::params::Quarantine;

/// What is done for mail in quarantine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `quarantine_lifetime`; `None`: it stays.
    pub lifetime: Option<SignedDuration>,
    /// `quarantine_digest_time`; `None`: nobody is mailed a digest.
    pub digest: Option<Daily>,
}

/// Digests, once a day.
#[derive(Clone, Debug)]
pub struct Daily {
    at: Time,
    /// In French.
    pub french: bool,
    /// Who they are from.
    pub sender: String,
    /// Where it stands when the last ones went out.
    pub state: PathBuf,
}

impl Settings {
    /// Reads the parameters.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Settings {
        let read = Quarantine::read(view, mistakes);
        let lifetime = SignedDuration::try_from(read.quarantine_lifetime).ok().filter(|time| !time.is_zero());
        let text = read.quarantine_digest_time.trim();
        let at = Time::strptime("%H:%M", text).ok();
        if at.is_none() && !text.is_empty() {
            let place = view.place("quarantine_digest_time");
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            let wrong = format!(
                "quarantine_digest_time: \"{text}\" is no time of day such as 07:30; no digest is sent"
            );
            mistakes.push(Mistake::new(Severity::Error, place, wrong));
        }
        let digest = at.map(|at| Daily {
            at,
            french: read.quarantine_digest_language == "french",
            sender: format!("postmaster@{}", view.get("myorigin")),
            state: Path::new(&view.get("data_directory")).join("quarantine-digest"),
        });
        Settings { lifetime, digest }
    }
}

impl Daily {
    /// Has the time of day come between these two moments?
    pub fn is_due(&self, last: Timestamp, now: Timestamp, zone: &TimeZone) -> bool {
        let mut day = now.to_zoned(zone.clone()).date();
        let moment = |day: jiff::civil::Date| zone.to_timestamp(day.to_datetime(self.at)).ok();
        if moment(day).is_none_or(|moment| moment > now) {
            day = day.yesterday().unwrap_or(day);
        }
        moment(day).is_some_and(|moment| last < moment && moment <= now)
    }
}

/// When the last digests went out; `None`: none ever did.
pub(super) fn last(state: &Path) -> Option<Timestamp> {
    let text = std::fs::read_to_string(state).ok()?;
    Timestamp::from_second(text.trim().parse().ok()?).ok()
}

/// Keeps when they did.
pub(super) fn write(state: &Path, now: Timestamp) -> io::Result<()> {
    let new = state.with_extension("new");
    std::fs::write(&new, format!("{}\n", now.as_second()))?;
    std::fs::rename(new, state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_due_once_a_day() {
        let daily = Daily {
            at: Time::strptime("%H:%M", "07:30").unwrap(),
            french: false,
            sender: String::new(),
            state: PathBuf::new(),
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let due = |last: &str, now: &str| daily.is_due(at(last), at(now), &TimeZone::UTC);
        assert!(due("2024-01-08T07:30:20Z", "2024-01-09T07:30:00Z"));
        assert!(!due("2024-01-09T07:30:00Z", "2024-01-09T07:31:00Z"));
        assert!(!due("2024-01-08T07:30:20Z", "2024-01-09T07:29:59Z"));
        assert!(due("2024-01-01T07:30:20Z", "2024-01-09T07:00:00Z"), "who was away sends it when he is back");
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert!(daily.is_due(at("2024-01-08T05:30:20Z"), at("2024-01-09T05:30:00Z"), &zone));
    }
}
