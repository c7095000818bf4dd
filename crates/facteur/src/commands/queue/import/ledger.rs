//! The log of an import: which file became which message. Lines are on disk before the messages are.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mail::QueueId;
use queue::spool::Place;

/// `imported/import.log`: `QUEUE OLD_ID ARRIVAL NEW_ID`, the time in microseconds. Ids are used again; with the
/// time of arrival they mean one message. A line `done` stands behind those whose import is complete.
pub struct Ledger {
    path: PathBuf,
    file: BufWriter<File>,
    known: HashMap<(String, i64), QueueId>,
    unfinished: Vec<(String, String, QueueId)>,
}

/// What stands behind lines whose messages were released.
const DONE: &str = "done";

impl Ledger {
    /// Opens or begins it. A line cut off by a crash stands for a message that was not put.
    pub fn open(path: &Path) -> Result<Ledger, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        let mut known = HashMap::new();
        let mut unfinished = Vec::new();
        for line in text.lines() {
            if line == DONE {
                unfinished.clear();
            }
            let words: Vec<&str> = line.split(' ').collect();
            let [queue, name, arrival, id] = words[..] else { continue };
            let (Ok(arrival), Some(id)) = (arrival.parse(), QueueId::parse(id)) else { continue };
            known.insert((name.to_owned(), arrival), id.clone());
            unfinished.push((queue.to_owned(), name.to_owned(), id));
        }
        let file = File::options().append(true).create(true).open(path).map_err(failed)?;
        // Whatever a crash left of a line must not become part of the next one.
        file.set_len(text.len() as u64).map_err(failed)?;
        Ok(Ledger { path: path.to_owned(), file: BufWriter::new(file), known, unfinished })
    }

    /// The id that an earlier import gave this message.
    pub fn known(&self, place: &Place, arrival: Timestamp) -> Option<QueueId> {
        self.known.get(&(place.name.clone(), arrival.as_microsecond())).cloned()
    }

    /// Messages of an import that was cut off: queue, old id, new id.
    pub fn unfinished(&self) -> impl Iterator<Item = (&str, &str, &QueueId)> {
        self.unfinished.iter().map(|(queue, name, id)| (queue.as_str(), name.as_str(), id))
    }

    /// All that was noted is in our queue, and released.
    pub fn done(&mut self) -> Result<(), String> {
        writeln!(self.file, "{DONE}").map_err(|error| format!("{}: {error}", self.path.display()))?;
        self.sync()
    }

    /// Notes what is about to be put.
    pub fn note(&mut self, place: &Place, arrival: Timestamp, id: &QueueId) -> Result<(), String> {
        writeln!(self.file, "{} {} {} {id}", place.queue, place.name, arrival.as_microsecond())
            .map_err(|error| format!("{}: {error}", self.path.display()))
    }

    /// Returns when all notes are durable.
    pub fn sync(&mut self) -> Result<(), String> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_data())
            .map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_a_cut_line_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("import.log");
        let place = |name: &str| Place {
            queue: "deferred",
            name: name.to_owned(),
            path: PathBuf::new(),
            complete: true,
        };
        let id = QueueId::parse("NEW1").unwrap();
        let at = Timestamp::from_microsecond(17).unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.note(&place("OLD1"), at, &id).unwrap();
        ledger.sync().unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"deferred OLD2 17 NEW").unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.known(&place("OLD1"), at), Some(id.clone()));
        assert_eq!(ledger.known(&place("OLD1"), Timestamp::UNIX_EPOCH), None);
        assert_eq!(ledger.known(&place("OLD2"), at), None);
        ledger.note(&place("OLD2"), at, &id).unwrap();
        ledger.sync().unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.known(&place("OLD2"), at), Some(id.clone()));
        assert_eq!(ledger.unfinished().count(), 2);
        ledger.done().unwrap();
        assert_eq!(Ledger::open(&path).unwrap().unfinished().count(), 0);
    }
}
