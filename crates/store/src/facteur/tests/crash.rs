//! Processes that are killed at any moment.
//!
//! A child works on an account and prints what it was told is done; the parent kills it and compares. The number of
//! kills comes from `FACTEUR_KILLS`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

const CHILD: &str = "FACTEUR_STORE_CHILD";

/// Not a test by itself: what the child does.
#[test]
fn child_that_works_until_it_is_killed() {
    let Some(root) = std::env::var_os(CHILD) else { return };
    let account = account(Path::new(&root));
    let work = || account.open(&name("Work"));
    if work().is_err() {
        account.create(&name("Work"), None).unwrap();
    }
    let round = std::process::id();
    let mut out = std::io::stdout();
    let mut say = |words: String| writeln!(out, "did {words}").and_then(|()| out.flush()).unwrap();
    for n in 0.. {
        let subject = format!("{round}.{n}");
        match n % 7 {
            0..=2 => {
                deliver(&account, &subject, Some(&subject)).unwrap();
                say(format!("put {subject}"));
            }
            3 => {
                let both = [large(&subject), message(&format!("{subject}b"))];
                let uids = inbox(&account).append(&both).unwrap();
                say(format!("uid {subject} {}", uids[0]));
                say(format!("uid {subject}b {}", uids[1]));
            }
            4 => {
                let inbox = inbox(&account);
                let Some(uid) = inbox.view().iter().next().map(|entry| entry.uid) else { continue };
                let subject = subject_of(&*inbox, uid);
                say(format!("moving {subject}"));
                inbox.move_to(&set(&[uid]), &*work().unwrap()).unwrap();
            }
            5 => {
                let inbox = inbox(&account);
                let Some(uid) = inbox.view().get(2).map(|entry| entry.uid) else { continue };
                say(format!("removing {}", subject_of(&*inbox, uid)));
                flag(&*inbox, &[uid], Mode::Add, Flags::DELETED);
                inbox.expunge(None).unwrap();
            }
            _ if n % 35 == 34 => {
                super::super::upkeep::compact(Path::new(&root), || 0).unwrap();
            }
            _ => {
                let inbox = inbox(&account);
                flag(&*inbox, &uids(&*inbox), Mode::Add, Flags::SEEN);
            }
        }
    }
}

/// So large that the body file soon has room behind its records.
fn large(subject: &str) -> NewMessage {
    let content = text(subject) + &"x".repeat(60 << 10);
    NewMessage { content: content.into_bytes().into(), ..message(subject) }
}

fn subject_of(mailbox: &dyn Mailbox, uid: u32) -> String {
    subject(&mailbox.body(uid).unwrap())
}

#[test]
fn nothing_is_lost_or_doubled_when_killed() {
    let kills: u64 = std::env::var("FACTEUR_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("joe");
    // Subject by UID of INBOX, for as long as the account lives.
    let mut names: BTreeMap<u32, String> = BTreeMap::new();
    let mut safe: Vec<String> = Vec::new();
    let mut removing: Vec<String> = Vec::new();
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "facteur::tests::crash::child_that_works_until_it_is_killed", "--nocapture"])
            .env(CHILD, &root)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || output.lines().map_while(Result::ok).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_micros(30_000 + kill.wrapping_mul(17_919) % 180_000));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in reader.join().unwrap() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["did", "put", subject] => safe.push(subject.to_owned()),
                ["did", "uid", subject, uid] => {
                    safe.push(subject.to_owned());
                    let was = names.insert(uid.parse().unwrap(), subject.to_owned());
                    assert_eq!(was.filter(|was| was != subject), None, "UID {uid} was given out twice");
                }
                ["did", "removing", subject] => removing.push(subject.to_owned()),
                _ => {}
            }
        }
        let wrong = super::super::upkeep::verify(&root, || 0).unwrap().wrong;
        assert!(wrong.is_empty(), "after kill {kill}: {wrong:?}");
        let account = account(&root);
        let inbox = inbox(&account);
        let mut found = subjects(&*inbox);
        for (uid, subject) in uids(&*inbox).into_iter().zip(&found) {
            let known = names.entry(uid).or_insert_with(|| subject.clone());
            assert_eq!(known, subject, "UID {uid} has another message now");
        }
        if let Ok(work) = account.open(&name("Work")) {
            found.extend(subjects(&*work));
        }
        found.sort_unstable();
        let doubled = found.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(doubled, None, "after kill {kill}");
        for subject in &safe {
            let there = found.binary_search(subject).is_ok();
            assert!(there || removing.contains(subject), "{subject} is lost after kill {kill}");
        }
    }
    assert!(safe.len() as u64 > kills, "the children did nothing: {safe:?}");
}
