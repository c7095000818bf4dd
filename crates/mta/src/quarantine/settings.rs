//! What a configuration says of the quarantine, and when the last digests went out.

use std::io;
use std::path::{Path, PathBuf};

use conf::{Block, Mistake, Severity, View};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mail::Trouble;
use mail::logline::printable;
use scan::params::Quarantine;
use tables::{Maps, Tables};

/// The parameter that says who reads which language.
const MAPS: &str = "quarantine_digest_language_maps";

/// What is done for mail in quarantine.
#[derive(Clone)]
pub struct Settings {
    /// `quarantine_lifetime`; `None`: it stays.
    pub lifetime: Option<SignedDuration>,
    /// `quarantine_digest_time`; `None`: nobody is mailed a digest.
    pub digest: Option<Daily>,
}

/// Digests, once a day.
#[derive(Clone)]
pub struct Daily {
    at: Time,
    /// In which language.
    pub languages: Languages,
    /// Who they are from.
    pub sender: String,
    /// Where it stands when the last ones went out.
    pub state: PathBuf,
}

/// Who reads which language.
#[derive(Clone)]
pub struct Languages {
    usual: String,
    maps: Option<Maps>,
}

impl Languages {
    /// Reads the parameters.
    pub fn read(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Languages {
        let read = Quarantine::read(view, mistakes);
        let maps = tables.maps(MAPS, &read.quarantine_digest_language_maps).map_err(|fault| {
            let place = view.place(MAPS);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            let text = format!("{MAPS}: {fault}; everybody gets quarantine_digest_language");
            mistakes.push(Mistake::new(Severity::Error, place, text));
        });
        Languages { usual: read.quarantine_digest_language, maps: maps.ok() }
    }

    /// Does this recipient read French? Where nobody can say, everybody's language is taken.
    pub async fn is_french(&self, recipient: &str) -> bool {
        let recipient = recipient.to_lowercase();
        let told = match self.look_up(&recipient).await {
            Ok(told) => told,
            Err(trouble) => {
                log::warn!(target: "qmgr", "{MAPS}: {}: {trouble}", printable(&recipient));
                None
            }
        };
        match told.as_deref() {
            None => self.usual == "french",
            Some(word) if word.eq_ignore_ascii_case("french") => true,
            Some(word) if word.eq_ignore_ascii_case("english") => false,
            Some(word) => {
                let word = printable(word);
                log::warn!(target: "qmgr", "{MAPS}: {}: \"{word}\" is no language", printable(&recipient));
                self.usual == "french"
            }
        }
    }

    async fn look_up(&self, recipient: &str) -> Result<Option<String>, Trouble> {
        let Some(maps) = &self.maps else { return Ok(None) };
        if let Some(found) = maps.find(recipient).await? {
            return Ok(Some(found.value));
        }
        let Some((_, domain)) = recipient.rsplit_once('@') else { return Ok(None) };
        Ok(maps.find_part(domain).await?.map(|found| found.value))
    }
}

impl Settings {
    /// Reads the parameters.
    pub fn read(view: &View, tables: &Tables, mistakes: &mut Vec<Mistake>) -> Settings {
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
        let languages = Languages::read(view, tables, mistakes);
        let digest = at.map(|at| Daily {
            at,
            languages,
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
            languages: Languages { usual: String::new(), maps: None },
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

    #[tokio::test]
    async fn everybody_reads_his_own_language() {
        let tables = Tables::new(tables::Settings::default());
        let maps = "inline:{ { ann@box.test = French } { fr.test = french } { bob@fr.test = english } { x@a.test = o } }";
        let maps = tables.maps(MAPS, maps).unwrap();
        for (usual, recipient, french) in [
            ("english", "Ann@box.test", true),
            ("english", "carol@fr.test", true),
            ("french", "bob@fr.test", false),
            ("french", "nobody@else.test", true),
            ("english", "nobody@else.test", false),
            ("english", "x@a.test", false),
        ] {
            let languages = Languages { usual: usual.to_owned(), maps: Some(maps.clone()) };
            assert_eq!(languages.is_french(recipient).await, french, "{usual} {recipient}");
        }
    }
}
