//! The journal of what happened to messages: a line per event, in two files that take turns, so that it never
//! grows beyond its limit. `facteur trace` reads it.
//!
//! It is fed from the log: what concerns a message has its queue id in front, what was refused before there was one
//! has `NOQUEUE`.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use conf::params;
use jiff::Timestamp;

params! {
    /// The journal of messages.
    pub struct Tracing {
        /// How many bytes the journal that `facteur trace` reads may take in data_directory; 0 keeps none.
        trace_size_limit: Bytes = "16777216", own;
    }
}

/// The file that is written, in `data_directory`; the one before it has `.1` behind its name.
const FILE: &str = "trace.log";

/// An event that concerns a message, or one that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Program as logged: `smtpd`, `postfix/submission/smtpd`.
    pub program: String,
    /// Queue id, or `NOQUEUE`.
    pub id: String,
    /// What the log says behind the id.
    pub text: String,
}

impl Event {
    /// The event of a text in the log. `None` when it is about no message.
    pub(crate) fn of_log(at: Timestamp, program: &str, text: &str) -> Option<Event> {
        let (id, text) = text.split_once(": ")?;
        // A short id is a hexadecimal number in capitals, a long one has more letters.
        let short = id.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F'));
        let long = id.len() >= 12 && id.bytes().any(|b| b.is_ascii_digit());
        let is_id = id.len() >= 6 && mail::QueueId::parse(id).is_some() && (short || long);
        (is_id || id == "NOQUEUE").then(|| Event {
            at,
            program: program.to_owned(),
            id: id.to_owned(),
            text: text.to_owned(),
        })
    }

    /// Reads a whole line of the log: `Nov 21 14:55:01 host postfix/smtpd[1]: 3D2E398E044: text`.
    fn of_line(at: Timestamp, line: &str) -> Option<Event> {
        let (head, text) = line.split_once("]: ")?;
        let (program, _) = head.rsplit_once('[')?;
        let program = program.rsplit(' ').next()?;
        Event::of_log(at, program.strip_prefix("postfix/").unwrap_or(program), text)
    }

    /// The line of the journal.
    fn line(&self) -> String {
        let Event { at, program, id, text } = self;
        format!("{}\t{program}\t{id}\t{}\n", at.as_microsecond(), text.replace(['\n', '\t'], " "))
    }

    fn parse(line: &str) -> Option<Event> {
        let mut parts = line.splitn(4, '\t');
        let at = Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?;
        let mut text = || parts.next().map(str::to_owned);
        Some(Event { at, program: text()?, id: text()?, text: text()? })
    }
}

/// The journal, open for writing.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Bytes of one of the two files.
    limit: u64,
    file: Option<(File, u64)>,
}

impl Journal {
    /// In this directory, with `limit` bytes in all.
    pub fn new(data_directory: &Path, limit: u64) -> Journal {
        Journal { path: data_directory.join(FILE), limit: limit / 2, file: None }
    }

    /// Keeps those of these lines of the log that concern messages.
    pub fn take(&mut self, at: Timestamp, lines: &[u8]) {
        let lines = String::from_utf8_lossy(lines);
        let events: String =
            lines.lines().filter_map(|line| Event::of_line(at, line)).map(|event| event.line()).collect();
        self.append(events.as_bytes());
    }

    /// Appends lines. What cannot be written is lost: mail goes on without a journal.
    fn append(&mut self, lines: &[u8]) {
        let more = lines.len() as u64;
        if more > self.limit {
            // More at once than there is room for: the newer half will do.
            let half = lines[lines.len() / 2..].iter().position(|byte| *byte == b'\n');
            let rest = half.map_or(&[][..], |end| &lines[lines.len() / 2 + end + 1..]);
            return if rest.len() < lines.len() {
                self.append(rest)
            };
        }
        if more == 0 {
            return;
        }
        if self.file.as_ref().is_some_and(|(_, len)| len + more > self.limit) {
            self.file = None;
            let _ = fs::rename(&self.path, before(&self.path));
        }
        if self.file.is_none() {
            let opened = File::options().append(true).create(true).mode(0o600).open(&self.path);
            self.file = opened.ok().and_then(|file| {
                let len = file.metadata().ok()?.len();
                Some((file, len))
            });
            if self.file.as_ref().is_some_and(|(_, len)| len + more > self.limit) {
                self.file = None;
                let _ = fs::rename(&self.path, before(&self.path));
                return self.append(lines);
            }
        }
        if let Some((file, len)) = &mut self.file {
            *len += more;
            if file.write_all(lines).is_err() {
                self.file = None;
            }
        }
    }
}

fn before(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// All events in the journal, oldest first.
///
/// # Errors
/// There is no journal, or it cannot be read.
pub fn read(data_directory: &Path) -> std::io::Result<Vec<Event>> {
    let path = data_directory.join(FILE);
    let mut events = Vec::new();
    for path in [before(&path), path.clone()] {
        match fs::read(&path) {
            Ok(text) => events.extend(String::from_utf8_lossy(&text).lines().filter_map(Event::parse)),
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound
                    && path.extension().is_some_and(|e| e == "1") => {}
            Err(error) => {
                return Err(std::io::Error::new(error.kind(), format!("{}: {error}", path.display())));
            }
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Option<Event> {
        Event::of_log(Timestamp::UNIX_EPOCH, "smtpd", text)
    }

    #[test]
    fn only_what_concerns_a_message_is_kept() {
        let kept = event("6E19698E075: client=a[1]").unwrap();
        assert_eq!((kept.id.as_str(), kept.text.as_str()), ("6E19698E075", "client=a[1]"));
        assert_eq!(event("NOQUEUE: reject: RCPT from a").unwrap().id, "NOQUEUE");
        assert!(event("4DHYCJ2xZcz9s: removed").is_some());
        for other in ["connect from a[1]", "warning: x", "statistics: max 1", "table1: x"] {
            assert_eq!(event(other), None, "{other}");
        }
    }

    #[test]
    fn lines_of_the_log_are_taken_apart() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(directory.path(), 10_000);
        let log = b"Nov 21 14:55:01 mx postfix/smtpd[7]: connect from a[1]\n\
            Nov  1 14:55:01 mx postfix/submission/smtpd[7]: 3D2E398E044: client=a[1]: x\n";
        journal.take(Timestamp::UNIX_EPOCH, log);
        let events = read(directory.path()).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].program, "submission/smtpd");
        assert_eq!((events[0].id.as_str(), events[0].text.as_str()), ("3D2E398E044", "client=a[1]: x"));
    }

    #[test]
    fn two_files_take_turns_within_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let line = event("6E19698E075: removed").unwrap().line();
        let limit = line.len() as u64 * 10;
        let mut journal = Journal::new(directory.path(), limit);
        for _ in 0..37 {
            journal.append(line.as_bytes());
        }
        // Another run of the program goes on where this one ended.
        let mut journal = Journal::new(directory.path(), limit);
        for _ in 0..4 {
            journal.append(line.as_bytes());
        }
        let sizes: u64 = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(sizes <= limit && sizes > limit / 2, "{sizes} of {limit}");
        let events = read(directory.path()).unwrap();
        assert_eq!(events.len() as u64, sizes / line.len() as u64);
        assert_eq!(events[0], event("6E19698E075: removed").unwrap());
    }
}
