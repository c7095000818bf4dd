use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mail::{Envelope, Recipient};
use queue::{Entry, Fate, Queue, Selection, Settings, Settlement, State, Stored};

use super::options::{self, Options};
use super::{export::export, import::import, now};
use crate::config::Config;

/// A configuration with an empty queue, and the directories of a spool.
fn site(root: &Path, name: &str) -> (Config, PathBuf) {
    let directory = root.join(name);
    let queue = directory.join("queue");
    for part in ["incoming", "active", "deferred", "hold", "maildrop", "pid"] {
        fs::create_dir_all(queue.join(part)).unwrap();
    }
    fs::write(directory.join("main.cf"), format!("queue_directory = {}\n", queue.display())).unwrap();
    (Config::main_only(&directory, "facteur"), queue)
}

fn fill(directory: &Path, count: usize) {
    let (queue, _) = Queue::open(Settings::new(directory), now()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for n in 0..count {
        let mut draft = queue.draft(0);
        // Some do not fit into the journal.
        draft.write(format!("Subject: {n}\n\n").as_bytes()).unwrap();
        draft.write(&vec![b'x'; if n % 3 == 0 { 300_000 } else { 10 }]).unwrap();
        draft.write(b"\n").unwrap();
        let recipients = ["a", "b"].map(|name| Recipient::new(format!("{name}{n}@y.test").as_str()));
        let envelope =
            Envelope { sender: "s@x.test".into(), recipients: recipients.into(), ..Envelope::default() };
        let id = queue.new_id(now());
        let entry = Entry { arrival: now(), hold: n % 2 == 0 };
        runtime.block_on(queue.put(id.clone(), draft, envelope, entry)).unwrap();
        let done = Settlement::fates(vec![(0, Fate::Done)]);
        runtime.block_on(queue.settle(&id, done)).unwrap();
    }
    queue.close();
}

/// What is in a queue: subject, recipients left, state.
fn content(directory: &Path) -> Vec<(String, Vec<String>, bool)> {
    let (queue, _) = Queue::open(Settings::new(directory), now()).unwrap();
    let all = queue.briefs(None, usize::MAX).into_iter().map(|brief| {
        let Stored { envelope, fates, body, state, .. } = queue.load(&brief.id).unwrap();
        let text: Bytes = body.bytes().unwrap();
        assert!(text.ends_with(b"x\n"));
        let left = envelope.recipients.iter().zip(fates).filter(|(_, fate)| fate.is_pending());
        let left = left.map(|(recipient, _)| recipient.address.to_string()).collect();
        (String::from_utf8_lossy(&text[..12]).into_owned(), left, state == State::Hold)
    });
    let mut all: Vec<_> = all.collect();
    all.sort();
    queue.close();
    all
}

fn words(words: &[&str]) -> Options {
    options::parse(words.iter().map(Into::into).collect()).unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    queue::spool::scan(directory).unwrap().into_iter().map(|place| place.path).collect()
}

#[test]
fn mail_goes_to_a_spool_and_comes_back() {
    let root = tempfile::tempdir().unwrap();
    let (ours, ours_queue) = site(root.path(), "ours");
    let (theirs, spool) = site(root.path(), "theirs");
    fill(&ours_queue, 7);
    let before = content(&ours_queue);
    assert_eq!(before.len(), 7);
    assert_eq!(before[1].1, ["b1@y.test"]);
    let to = words(&["export", spool.to_str().unwrap()]);
    assert_eq!(export(&ours, &to), Ok(0));
    assert_eq!(content(&ours_queue), []);
    assert_eq!(files(&spool).len(), 7);
    assert!(!spool.join("exporting").exists());
    // The spool is that of its own configuration: nothing need be named.
    assert_eq!(import(&theirs, &words(&["import", "--dry-run"])), Ok(0));
    assert_eq!(files(&spool).len(), 7);
    assert_eq!(import(&theirs, &words(&["import"])), Ok(0));
    assert_eq!(content(&spool), before);
    assert!(files(&spool).is_empty());
}

#[test]
fn an_import_that_was_cut_off_can_be_repeated() {
    let root = tempfile::tempdir().unwrap();
    let (ours, ours_queue) = site(root.path(), "ours");
    let (_, spool) = site(root.path(), "theirs");
    fill(&ours_queue, 4);
    let before = content(&ours_queue);
    assert_eq!(export(&ours, &words(&["export", spool.to_str().unwrap()])), Ok(0));
    let all = files(&spool);
    let copies: Vec<Vec<u8>> = all.iter().map(|path| fs::read(path).unwrap()).collect();
    let again = words(&["import", spool.to_str().unwrap()]);
    assert_eq!(import(&ours, &again), Ok(0));
    // Moving two of the files did not become durable, and the last lines of the log did not either.
    for (path, copy) in all.iter().zip(&copies).skip(1).take(2) {
        fs::write(path, copy).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    }
    let log = spool.join("imported/import.log");
    let text = fs::read_to_string(&log).unwrap().replace("done\n", "");
    fs::write(&log, text).unwrap();
    let (queue, _) = Queue::open(Settings::new(&ours_queue), now()).unwrap();
    queue.hold(&Selection::All(State::ALL.to_vec())).wait().unwrap();
    queue.close();
    drop(queue);
    assert_eq!(import(&ours, &again), Ok(0));
    assert_eq!(content(&ours_queue), before);
}

#[test]
fn damaged_files_stay_and_a_running_postfix_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let (ours, ours_queue) = site(root.path(), "ours");
    let (_, spool) = site(root.path(), "theirs");
    fill(&ours_queue, 3);
    assert_eq!(export(&ours, &words(&["export", spool.to_str().unwrap()])), Ok(0));
    let broken = files(&spool).remove(0);
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, &whole[..100]).unwrap();
    let order = words(&["import", spool.to_str().unwrap()]);
    {
        let pid = fs::File::create(spool.join("pid/master.pid")).unwrap();
        let _lock = nix::fcntl::Flock::lock(pid, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
        assert!(import(&ours, &order).unwrap_err().contains("stop it first"));
    }
    assert_eq!(import(&ours, &order), Ok(1));
    assert_eq!(files(&spool), [broken]);
    assert_eq!(content(&ours_queue).len(), 2);
}

/// Security list, item 22: a damaged record stops no export.
#[test]
fn what_a_damaged_journal_still_has_can_be_exported() {
    let root = tempfile::tempdir().unwrap();
    let (ours, ours_queue) = site(root.path(), "ours");
    let (_, spool) = site(root.path(), "theirs");
    fill(&ours_queue, 5);
    let journal = ours_queue.join("journal/0000000001");
    let mut bytes = fs::read(&journal).unwrap();
    let at = bytes.windows(10).position(|some| some == b"Subject: 1").unwrap();
    bytes[at] ^= 1;
    fs::write(&journal, bytes).unwrap();
    assert_eq!(export(&ours, &words(&["export", spool.to_str().unwrap()])), Ok(0));
    assert_eq!(files(&spool).len(), 4);
    assert!(content(&ours_queue).is_empty());
}
