//! `address_verify_map`: the file that keeps the answers of probes.
//!
//! One record for each answer: the address, what was answered, when (seconds since 1970), and the text.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use conf::{Mistake, Severity, View};
use filter::Probe;
use gate::ledger::{self, Ledger, escape, unescape};
use jiff::Timestamp;

use super::{Known, REMEMBERED};

/// Types of tables that are one file; ours has a form of its own.
const FILES: [&str; 6] = ["btree", "hash", "lmdb", "dbm", "sdbm", "cdb"];

/// The file that `address_verify_map` names; none where answers are kept in memory.
///
/// The program may write in its own directories only: a file elsewhere is in `data_directory` instead, as it is for
/// Postfix.
pub fn file(view: &View, mistakes: &mut Vec<Mistake>) -> Option<PathBuf> {
    let text = view.get("address_verify_map");
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let complain = |severity, what: &str| {
        let place = view.place("address_verify_map");
        let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
        Mistake::new(severity, place, format!("address_verify_map = {text}: {what}"))
    };
    let table = text.strip_prefix("proxy:").unwrap_or(text);
    let path = table.split_once(':').filter(|(kind, path)| FILES.contains(kind) && !path.is_empty());
    let Some((_, path)) = path else {
        let what = "answers are kept in a file, btree:/file; an empty value keeps them in memory";
        mistakes.push(complain(Severity::Error, what));
        return None;
    };
    let (path, data) = (PathBuf::from(path), PathBuf::from(view.get("data_directory")));
    if path.starts_with(&data) || path.starts_with(view.get("queue_directory")) {
        return Some(path);
    }
    let redirected = data.join(path.file_name()?);
    let what = format!("the program writes in its own directories only: {} it is", redirected.display());
    mistakes.push(complain(Severity::Warning, &what));
    Some(redirected)
}

/// What is known, shared by those who ask and the thread that writes.
pub(super) type Shared = Arc<Mutex<HashMap<String, Known>>>;

/// The answers in a file, shared with the thread that keeps it.
pub(super) fn open(path: &Path) -> Result<(Shared, Ledger), String> {
    let parts = path.parent().zip(path.file_name().and_then(|name| name.to_str()));
    let (directory, name) = parts.ok_or_else(|| format!("{} is no file name", path.display()))?;
    ledger::keep(directory, name, read, |known: &HashMap<String, Known>| {
        known.iter().filter_map(|(key, entry)| record(key, entry)).collect()
    })
}

/// The last record of an address counts. What was not made by [`record`] is left out.
fn read(records: &[String]) -> HashMap<String, Known> {
    let entries = records.iter().filter_map(|record| entry(record));
    let mut known: HashMap<String, Known> = entries.collect();
    super::make_room(&mut known);
    debug_assert!(known.len() <= REMEMBERED);
    known
}

/// The record of an answer; `None` when there is none yet.
pub(super) fn record(key: &str, entry: &Known) -> Option<String> {
    let (word, text) = match &entry.answer {
        Probe::Deliverable => ("deliverable", ""),
        Probe::Deferred(text) => ("deferred", text.as_str()),
        Probe::Undeliverable(text) => ("undeliverable", text.as_str()),
        Probe::Pending | Probe::Trouble(_) => return None,
    };
    Some(format!("{}\t{word}\t{}\t{}", escape(key), entry.updated.as_second(), escape(text)))
}

fn entry(record: &str) -> Option<(String, Known)> {
    let mut fields = record.split('\t');
    let (key, word) = (unescape(fields.next()?)?, fields.next()?);
    let updated = Timestamp::from_second(fields.next()?.parse().ok()?).ok()?;
    let text = unescape(fields.next()?)?;
    let answer = match word {
        "deliverable" => Probe::Deliverable,
        "deferred" => Probe::Deferred(text),
        "undeliverable" => Probe::Undeliverable(text),
        _ => return None,
    };
    Some((key, Known { answer, updated, probed: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_survive_in_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("verify_cache");
        let updated = Timestamp::from_second(1_000_000).expect("a date");
        let bad = Known { answer: Probe::Undeliverable("said: 550\tno\nsuch".into()), updated, probed: None };
        let good = Known { answer: Probe::Deliverable, updated, probed: None };
        let (known, ledger) = open(&path).expect("a new file");
        for (key, entry) in [("a@x.test", &bad), ("b%c@x.test", &bad), ("a@x.test", &good)] {
            known.lock().expect("no panic").insert(key.to_owned(), entry.clone());
            ledger.append(record(key, entry).expect("an answer"));
        }
        drop(ledger);
        let (known, _ledger) = open(&path).expect("the file");
        let expected = HashMap::from([("a@x.test".to_owned(), good), ("b%c@x.test".to_owned(), bad)]);
        assert_eq!(*known.lock().expect("no panic"), expected);
    }

    #[test]
    fn what_is_no_answer_is_left_out() {
        let records = ["", "a", "a\tdeliverable\tx\t", "a\tmaybe\t1\t", "a\tdeliverable\t1\t%zz", "\t\t\t"];
        assert!(read(&records.map(str::to_owned)).is_empty());
    }

    #[test]
    fn the_file_is_in_a_directory_of_ours() {
        let place = |text: &str| {
            let text = format!("data_directory = /d\nqueue_directory = /q\n{text}");
            let (main, _) = conf::MainCf::parse(&text, Path::new("main.cf"));
            use conf::Block as _;
            let blocks = [filter::params::AddressVerify::DECLARATIONS, conf::params::Paths::DECLARATIONS];
            let view = View::new(conf::Registry::new(&blocks), main, conf::Facts::default());
            let mut mistakes = Vec::new();
            let found = file(&view, &mut mistakes);
            (found.map(|path| path.display().to_string()), mistakes.len())
        };
        let at = |path: &str| (Some(path.to_owned()), 0);
        assert_eq!(place(""), at("/d/verify_cache"));
        assert_eq!(place("address_verify_map =\n"), (None, 0));
        assert_eq!(place("address_verify_map = proxy:btree:/q/v\n"), at("/q/v"));
        assert_eq!(
            place("address_verify_map = lmdb:/etc/postfix/verify\n"),
            (Some("/d/verify".to_owned()), 1)
        );
        for wrong in ["memcache:/etc/m.cf", "verify_cache", "btree:"] {
            assert_eq!(place(&format!("address_verify_map = {wrong}\n")), (None, 1), "{wrong}");
        }
    }
}
