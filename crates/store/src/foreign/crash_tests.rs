//! Maildir and mbox under a process that is killed at any moment, or whose disk is full.
//!
//! A child works on an account and prints what it was told is done; the parent kills it, has a look, and compares. The
//! number of kills comes from `FACTEUR_KILLS`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};

use super::testing::now;
use crate::{
    Account, Delivery, FlagChange, Flags, Location, Mailbox, Mode, Name, NewMessage, Owner, Settings, UidSet,
    close_idle, open_account,
};

const CHILD: &str = "FACTEUR_FOREIGN_CHILD";
/// The largest file that the child may write, in bytes: its disk is full.
const FULL: &str = "FACTEUR_FOREIGN_FULL";

const MAILDIR: &str = "maildir:~/Maildir";
const MBOX: &str = "mbox:~/mail:INBOX=~/spool";

fn account(location: &str, home: &Path) -> Arc<dyn Account> {
    let owner = Owner { home: Some(home.to_owned()), ..Owner::named("joe") };
    close_idle();
    let location = Location::parse(location).unwrap();
    open_account(&Arc::new(Settings::plain(now)), &location, &owner).unwrap()
}

fn work(account: &dyn Account) -> Arc<dyn Mailbox> {
    account.open(&Name::new("Work").unwrap()).unwrap()
}

/// Some are large: they take several writes, and meet the end of a disk in the middle.
fn text(subject: &str, n: usize) -> String {
    let lines = if n.is_multiple_of(5) { 600 } else { 3 };
    format!("Subject: {subject}\r\n\r\n{}", "a line of the message that stands for itself\r\n".repeat(lines))
}

/// Not a test by itself: what the child does.
#[test]
fn child_that_works_until_it_is_killed() {
    let Ok(place) = std::env::var(CHILD) else { return };
    let (location, home) = place.split_once(' ').unwrap();
    if let Ok(most) = std::env::var(FULL) {
        // Beyond the limit comes an error instead of the signal.
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGXFSZ);
        signals.thread_block().unwrap();
        let most = most.parse().unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, most, most).unwrap();
    }
    let account = account(location, Path::new(home));
    let inbox = account.open(&Name::inbox()).unwrap();
    let round = std::process::id();
    let mut out = std::io::stdout();
    let mut say = |words: String| writeln!(out, "did {words}").and_then(|()| out.flush()).unwrap();
    for n in 0..120_usize {
        let subject = format!("{round}.{n}");
        let first = |number: u32| inbox.view().get(number).map(|entry| entry.uid);
        // What a full disk refuses is refused; nobody was told that it is done.
        match n % 7 {
            0..=2 => {
                let content = text(&subject, n);
                let delivery = Delivery {
                    mailbox: &Name::inbox(),
                    create: true,
                    id: Some(&subject),
                    content: &[content.as_bytes()],
                    received: 1_700_000_000,
                    flags: Flags::NONE,
                    keywords: &[],
                };
                if account.deliver(&delivery).is_ok() {
                    say(format!("put {subject}"));
                }
            }
            3 => {
                let new = |subject: &str| NewMessage {
                    content: text(subject, n).into_bytes().into(),
                    flags: Flags::NONE,
                    keywords: Vec::new(),
                    received: 1_700_000_000,
                };
                if let Ok(uids) = inbox.append(&[new(&subject), new(&format!("{subject}b"))]) {
                    say(format!("uid {subject} {}", uids[0]));
                    say(format!("uid {subject}b {}", uids[1]));
                }
            }
            4 => {
                let Some(uid) = first(1) else { continue };
                let _ = inbox.move_to(&[uid].into_iter().collect(), &*work(&*account));
            }
            5 => {
                let Some(uid) = first(3) else { continue };
                say(format!("removing {}", subject_of(&*inbox, uid)));
                let set: UidSet = [uid].into_iter().collect();
                let _ = inbox.store(&set, &FlagChange::new(Mode::Add, Flags::DELETED));
                let _ = inbox.expunge(None);
            }
            _ => {
                let all: UidSet = inbox.view().iter().map(|entry| entry.uid).collect();
                let _ = inbox.store(&all, &FlagChange::new(Mode::Add, Flags::SEEN));
            }
        }
        let _ = inbox.refresh();
    }
}

fn subject_of(mailbox: &dyn Mailbox, uid: u32) -> String {
    let body = mailbox.body(uid).unwrap();
    let text = String::from_utf8_lossy(&body);
    let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned();
    let whole = text.lines().skip(2).all(|line| line == "a line of the message that stands for itself");
    assert!(whole && text.lines().count() >= 5, "{subject} is not whole, or not alone");
    subject
}

/// What the children have said, and what was found after each.
#[derive(Default)]
struct Ledger {
    /// Subject by UID of INBOX, for as long as the mailbox lives.
    names: BTreeMap<u32, String>,
    safe: Vec<String>,
    removing: Vec<String>,
}

impl Ledger {
    fn hear(&mut self, lines: &[String]) {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["did", "put", subject] => self.safe.push(subject.to_owned()),
                ["did", "uid", subject, uid] => {
                    self.safe.push(subject.to_owned());
                    let was = self.names.insert(uid.parse().unwrap(), subject.to_owned());
                    assert_eq!(was.filter(|was| was != subject), None, "UID {uid} was given out twice");
                }
                ["did", "removing", subject] => self.removing.push(subject.to_owned()),
                _ => {}
            }
        }
    }

    fn look(&mut self, location: &str, home: &Path, when: &str) {
        let account = account(location, home);
        let inbox = account.open(&Name::inbox()).unwrap();
        let mut found = Vec::new();
        for entry in inbox.refresh().unwrap().iter() {
            let subject = subject_of(&*inbox, entry.uid);
            let known = self.names.entry(entry.uid).or_insert_with(|| subject.clone());
            assert_eq!(*known, subject, "UID {} has another message now, {when}", entry.uid);
            found.push(subject);
        }
        let work = work(&*account);
        found.extend(work.refresh().unwrap().iter().map(|entry| subject_of(&*work, entry.uid)));
        found.sort_unstable();
        let doubled = found.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(doubled, None, "doubled {when}");
        for subject in &self.safe {
            let there = found.binary_search(subject).is_ok();
            assert!(there || self.removing.contains(subject), "{subject} is lost {when}");
        }
    }
}

fn child(location: &str, home: &Path, full: Option<u64>) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "foreign::crash_tests::child_that_works_until_it_is_killed", "--nocapture"])
        .env(CHILD, format!("{location} {}", home.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(most) = full {
        child.env(FULL, most.to_string());
    }
    child
}

fn prepare(location: &str, home: &Path) {
    let account = account(location, home);
    account.create(&Name::new("Work").unwrap(), None).unwrap();
}

fn killed(location: &str) {
    let kills: u64 = std::env::var("FACTEUR_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let home = tempfile::tempdir().unwrap();
    prepare(location, home.path());
    let mut ledger = Ledger::default();
    for kill in 0..kills {
        let mut child = child(location, home.path(), None).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || output.lines().map_while(Result::ok).collect::<Vec<_>>());
        // Where in its work it is hit does not matter, only that it differs.
        std::thread::sleep(Duration::from_micros(30_000 + kill.wrapping_mul(17_919) % 180_000));
        child.kill().unwrap();
        child.wait().unwrap();
        ledger.hear(&reader.join().unwrap());
        ledger.look(location, home.path(), &format!("after kill {kill}"));
    }
    // Slow machines kill the first ones early; one that ends by itself has done something.
    let last = child(location, home.path(), None).output().unwrap();
    ledger.hear(&String::from_utf8(last.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>());
    ledger.look(location, home.path(), "at the end");
    assert!(ledger.safe.len() > 50, "the children did nothing: {:?}", ledger.safe);
}

fn full(location: &str, sizes: &[u64]) {
    let home = tempfile::tempdir().unwrap();
    prepare(location, home.path());
    let mut ledger = Ledger::default();
    for most in sizes {
        let output = child(location, home.path(), Some(*most)).output().unwrap();
        let lines: Vec<String> =
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        ledger.hear(&lines);
        ledger.look(location, home.path(), &format!("on a disk of {most} bytes"));
    }
    assert!(!ledger.safe.is_empty(), "the children did nothing");
}

#[test]
fn a_killed_process_loses_nothing_of_a_maildir() {
    killed(MAILDIR);
}

#[test]
fn a_killed_process_loses_nothing_of_an_mbox() {
    killed(MBOX);
}

#[test]
fn a_full_disk_loses_nothing_of_a_maildir() {
    full(MAILDIR, &[200_000, 20_000, 4_000]);
}

#[test]
fn a_full_disk_loses_nothing_of_an_mbox() {
    full(MBOX, &[300_000, 60_000, 40_000]);
}
