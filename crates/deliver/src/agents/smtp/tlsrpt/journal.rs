//! The notes: a file for each day (UTC), a line for each session.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Outcome, Session, clean};

/// A session, as it is noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The domain of the recipients.
    pub domain: String,
    /// `policy-type`.
    pub policy: String,
    /// `policy-string`.
    pub lines: Vec<String>,
    /// The server's name.
    pub host: String,
    /// Its address.
    pub address: String,
    /// `result-type`; empty when all went well.
    pub failure: String,
    /// `failure-reason-code`; may be empty.
    pub reason: String,
}

impl Entry {
    /// What is noted of a session.
    pub fn new(session: &Session<'_>, outcome: &Outcome) -> Entry {
        let (failure, reason) = match outcome {
            Outcome::Fine => ("", ""),
            Outcome::Failed(failure, reason) => (failure.name(), reason.as_str()),
        };
        Entry {
            domain: clean(&session.domain.to_ascii_lowercase()),
            policy: session.basis.name().to_owned(),
            lines: session.basis.lines().iter().map(|line| clean(line)).collect(),
            host: clean(session.host),
            address: session.address.to_string(),
            failure: failure.to_owned(),
            reason: clean(reason),
        }
    }

    fn line(&self) -> String {
        let Entry { domain, policy, lines, host, address, failure, reason } = self;
        format!("{domain}\t{policy}\t{}\t{host}\t{address}\t{failure}\t{reason}\n", lines.join("|"))
    }

    fn parse(line: &str) -> Option<Entry> {
        let mut fields = line.split('\t');
        let mut field = || fields.next().map(str::to_owned);
        Some(Entry {
            domain: field()?,
            policy: field()?,
            lines: field()?.split('|').filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            host: field()?,
            address: field()?,
            failure: field()?,
            reason: field()?,
        })
    }
}

/// The name of the file of a moment's day.
fn name(now: SystemTime) -> String {
    let now = Timestamp::try_from(now).unwrap_or_default();
    now.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// Adds a line to the file of today, unless that is full.
pub(super) fn append(folder: &Path, limit: u64, now: SystemTime, entry: &Entry) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let path = folder.join(name(now));
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(named)?;
    let line = entry.line();
    if file.metadata().map_err(named)?.len() + line.len() as u64 > limit {
        // The report of this day is of the sessions before.
        return Ok(());
    }
    file.write_all(line.as_bytes()).map_err(named)
}

/// The notes of a day that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// `2026-11-21`.
    pub date: String,
    folder: PathBuf,
}

impl Day {
    /// The entries; lines that a crash has torn are passed over.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let lines = BufReader::new(fs::File::open(self.folder.join(&self.date))?).lines();
        Ok(lines.map_while(Result::ok).filter_map(|line| Entry::parse(&line)).collect())
    }

    /// Domains whose report is on its way.
    pub fn done(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join(format!("{}.done", self.date)));
        text.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Notes that the report of a domain is on its way, durably.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn mark(&self, domain: &str) -> io::Result<()> {
        let path = self.folder.join(format!("{}.done", self.date));
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(format!("{domain}\n").as_bytes())?;
        file.sync_all()
    }

    /// Forgets the day.
    ///
    /// # Errors
    /// The files cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_file(self.folder.join(&self.date))?;
        match fs::remove_file(self.folder.join(format!("{}.done", self.date))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The days before that of `now` of which there are notes, oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn days(folder: &Path, now: SystemTime) -> io::Result<Vec<Day>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let today = name(now);
    let is_date = |name: &str| name.len() == 10 && name.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let mut dates: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    dates.retain(|name| is_date(name) && *name < today);
    dates.sort();
    Ok(dates.into_iter().map(|date| Day { date, folder: folder.to_owned() }).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Basis, Failure};
    use super::*;

    #[test]
    fn what_is_noted_is_read_the_next_day() {
        let folder = tempfile::tempdir().unwrap();
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * 20_000 + 43_200);
        let basis = Basis::Tlsa(vec!["3 1 1 00".to_owned(), "2 0 1 11".to_owned()]);
        let address = "192.0.2.1".parse().unwrap();
        let session = Session { domain: "X.test", host: "mx\t.x.test", address, basis: &basis };
        let failed = Outcome::Failed(Failure::TlsaInvalid, "a|b\nc".to_owned());
        let written = [Entry::new(&session, &Outcome::Fine), Entry::new(&session, &failed)];
        for entry in &written {
            append(folder.path(), 10_000, noon, entry).unwrap();
        }
        append(folder.path(), 100, noon, &written[0]).unwrap();
        assert_eq!(days(folder.path(), noon).unwrap(), [], "the day is not over");
        let days = days(folder.path(), noon + Duration::from_secs(86_400)).unwrap();
        let [day] = days.as_slice() else { panic!("{days:?}") };
        assert_eq!(day.date, "2024-10-04");
        let read = day.entries().unwrap();
        assert_eq!(read, written, "what has no room is left out");
        assert_eq!((read[0].domain.as_str(), read[1].failure.as_str()), ("x.test", "tlsa-invalid"));
        assert_eq!((read[1].host.as_str(), read[1].reason.as_str()), ("mx?.x.test", "a?b?c"));
        day.mark("x.test").unwrap();
        assert_eq!(day.done(), ["x.test"]);
        day.remove().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
