use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::*;
use crate::foreign::testing::{Dovecot, now, shows};
use crate::{Error, FlagChange, Location, Mailbox, Mode, Name, UidSet, close_idle, open_account};

fn account(home: &Path) -> Arc<dyn Account> {
    let owner = Owner { home: Some(home.to_owned()), ..Owner::named("joe") };
    let location = Location::parse("mbox:~/mail:INBOX=~/spool").unwrap();
    close_idle();
    open_account(&Arc::new(Settings::plain(now)), &location, &owner).unwrap()
}

fn message(subject: &str) -> NewMessage {
    NewMessage {
        content: format!("Subject: {subject}\r\n\r\nbody of {subject}\r\n").into_bytes().into(),
        flags: Flags::NONE,
        keywords: Vec::new(),
        received: 1_700_000_000,
    }
}

fn subjects(mailbox: &Arc<dyn Mailbox>) -> Vec<(u32, String)> {
    let view = mailbox.refresh().unwrap();
    let subject = |uid| {
        let body = mailbox.body(uid).unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
    };
    view.iter().map(|entry| (entry.uid, subject(entry.uid))).collect()
}

#[test]
fn messages_come_change_and_go() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("spool"),
        "From a@b Sat Nov 21 16:00:00 2026\nSubject: zero\nX-UID: 77\n\nhi\n",
    )
    .unwrap();
    let account = account(home.path());
    let inbox = account.open(&Name::inbox()).unwrap();
    assert_eq!(subjects(&inbox), [(1, "zero".to_owned())]);
    let quoted = NewMessage {
        content: (&b"Subject: one\r\nX-UID: 9\r\n\r\nx\r\nFrom me\r\n"[..]).into(),
        ..message("")
    };
    assert_eq!(inbox.append(&[quoted, message("two")]).unwrap(), [2, 3]);
    assert_eq!(&inbox.body(2).unwrap()[..], b"Subject: one\r\n\r\nx\r\n>From me\r\n");
    assert_eq!(inbox.view().find(2).unwrap().size as usize, inbox.body(2).unwrap().len());
    let change = FlagChange { keywords: vec!["$Junk".into()], ..FlagChange::new(Mode::Add, Flags::SEEN) };
    inbox.store(&[1, 3].into_iter().collect(), &change).unwrap();
    inbox.store(&[1].into_iter().collect(), &FlagChange::new(Mode::Add, Flags::DELETED)).unwrap();
    assert_eq!(inbox.expunge(None).unwrap().to_string(), "1");
    let view = inbox.refresh().unwrap();
    let entry = view.find(3).unwrap();
    assert_eq!(
        (entry.flags, view.keyword_names(entry.keywords).collect::<Vec<_>>()),
        (Flags::SEEN, vec!["$Junk"])
    );
    let folder = Name::new("a/b").unwrap();
    account.create(&folder, None).unwrap();
    let other = account.open(&folder).unwrap();
    inbox.move_to(&UidSet::all(), other.as_ref()).unwrap();
    assert_eq!((subjects(&inbox).len(), subjects(&other).len()), (0, 2));
    assert_eq!(std::fs::metadata(home.path().join("spool")).unwrap().len(), 0);
    let validity = inbox.view().uidvalidity;
    // UIDs go on though no message holds the last one.
    let uid = inbox.append(&[message("later")]).unwrap()[0];
    assert!(uid > 3, "{uid}");
    drop((inbox, other, account));
    let inbox = self::account(home.path()).open(&Name::inbox()).unwrap();
    assert_eq!((subjects(&inbox), inbox.view().uidvalidity), (vec![(uid, "later".to_owned())], validity));
}

/// A file holds messages, a directory other mailboxes; what is left of a directory is in nobody's way.
#[test]
fn levels_come_and_go() {
    let home = tempfile::tempdir().unwrap();
    let account = account(home.path());
    let name = |text: &str| Name::new(text).unwrap();
    let inferiors = |wanted: &str| {
        let folders = account.folders().unwrap();
        folders.iter().find(|folder| folder.name == name(wanted)).map(|folder| folder.inferiors)
    };
    account.create(&name("a/b/c"), None).unwrap();
    assert_eq!(
        (inferiors("a"), inferiors("a/b/c"), inferiors("INBOX")),
        (Some(true), Some(false), Some(true))
    );
    assert!(account.create(&name("a/b/c/d"), None).is_err(), "a file holds no mailboxes");
    assert!(matches!(account.create(&name("a"), None), Err(Error::Exists)));
    assert!(matches!(account.delete(&name("a")), Err(Error::Unsupported(_))));
    account.delete(&name("a/b/c")).unwrap();
    account.create(&name("a"), None).unwrap();
    account.delete(&name("a")).unwrap();
    assert_eq!(account.create_level(&name("a")).unwrap(), None);
    assert_eq!(inferiors("a"), Some(true));
    account.create(&name("b"), None).unwrap();
    assert!(account.rename(&name("a"), &name("b/a")).is_err());
    account.rename(&name("b"), &name("a")).unwrap();
    assert_eq!((inferiors("a"), inferiors("b")), (Some(false), None));
    account.create_level(&name("c")).unwrap();
    account.delete(&name("c")).unwrap();
    assert!(matches!(account.delete(&name("c")), Err(Error::NoMailbox)));
}

#[test]
fn dovecot_and_we_take_turns() {
    let Some(dovecot) = Dovecot::new("mbox:~/mail:INBOX=~/mail/inbox") else { return };
    let save = |mailbox: &str, subject: &str| {
        dovecot.run(&["save", "-m", mailbox], &format!("Subject: {subject}\n\nbody of {subject}\n"));
    };
    save("INBOX", "one");
    save("INBOX", "two");
    dovecot.run(&["mailbox", "create", "-s", "Work", "Sub/Entwürfe"], "");
    save("Work", "three");
    dovecot.run(&["flags", "add", "\\Seen $Foo Bar", "mailbox", "INBOX", "uid", "2"], "");
    let account = dovecot.ours();
    assert_eq!(with_mail(shows(&account)), with_mail(dovecot.shows()));
    let inbox = account.open(&Name::inbox()).unwrap();
    let work = account.open(&Name::new("Work").unwrap()).unwrap();

    inbox.claim_recent().unwrap();
    inbox.append(&[message("four"), message("five"), message("six")]).unwrap();
    let flags = FlagChange { keywords: vec!["New".into()], ..FlagChange::new(Mode::Add, Flags::FLAGGED) };
    inbox.store(&[1, 4].into_iter().collect(), &flags).unwrap();
    inbox.copy(&[2, 4].into_iter().collect(), work.as_ref()).unwrap();
    inbox.store(&[1, 3].into_iter().collect(), &FlagChange::new(Mode::Replace, Flags::DELETED)).unwrap();
    inbox.expunge(None).unwrap();
    assert_eq!(with_mail(shows(&account)), with_mail(dovecot.shows()));

    save("INBOX", "seven");
    dovecot.run(&["flags", "remove", "New \\Flagged", "mailbox", "INBOX", "uid", "4"], "");
    dovecot.run(&["expunge", "mailbox", "INBOX", "uid", "2"], "");
    dovecot.run(&["copy", "INBOX", "mailbox", "Work", "uid", "1"], "");
    assert_eq!(with_mail(shows(&account)), with_mail(dovecot.shows()));
    drop((inbox, work, account));
    assert_eq!(with_mail(shows(&dovecot.ours())), with_mail(dovecot.shows()));
}

/// Without the UIDVALIDITY and next UID of empty mailboxes, which Dovecot has in its index.
fn with_mail(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| !line.contains(" has 0,")).collect()
}

/// More than a thousand changes of one spool: procmail delivers, mail(1) marks what was read, we append, flag, remove.
///
/// mail(1) takes for granted that others only append while it runs, and writes what it has read at its start; so we
/// wait while it runs, as its user would not read mail twice at once. Deliveries go on. A thousand operations in all.
#[test]
fn nothing_is_lost_beside_procmail_and_mail() {
    let Some([procmail, mail]) = testbed::neighbour::installed(["procmail", "mail"]) else { return };
    let home = tempfile::tempdir().unwrap();
    let spool = home.path().join("spool");
    std::fs::write(&spool, "").unwrap();
    std::fs::write(home.path().join("rc"), format!("LOCKSLEEP=0\n:0:\n{}\n", spool.display())).unwrap();
    let mailrc = home.path().join("mailrc");
    std::fs::write(&mailrc, "set hold\n").unwrap();
    let account = account(home.path());
    let inbox = account.open(&Name::inbox()).unwrap();
    let with_input = |program: &Path, words: &[&str], input: &str| {
        let mut child = Command::new(program)
            .args(words)
            .env("HOME", home.path())
            .env("MAIL", &spool)
            .env("MAILRC", &mailrc)
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        testbed::kept::outcome(child);
    };
    let rc = home.path().join("rc");
    let gone = std::sync::Mutex::new(Vec::new());
    let reading = std::sync::Mutex::new(());
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (with_input, rc, procmail) = (&with_input, &rc, &procmail);
            scope.spawn(move || {
                for n in 0..200 {
                    let text = format!(
                        "From x@y Sat Nov 21 16:00:00 2026\nSubject: p{thread}-{n}\n\n{}\n",
                        "line\n".repeat(n % 50)
                    );
                    with_input(procmail, &["-m", rc.to_str().unwrap()], &text);
                }
            });
        }
        let (with_input, mail, reading) = (&with_input, &mail, &reading);
        scope.spawn(move || {
            for n in 0..8 {
                let _reading = reading.lock().unwrap();
                // Reads one, which gets a Status line: mail(1) writes the spool anew.
                with_input(mail, &[], &format!("type {}\nquit\n", n % 7 + 1));
            }
        });
        scope.spawn(|| {
            for n in 0..250 {
                let ours = reading.lock().unwrap();
                let uid = inbox.append(&[message(&format!("a-{n}"))]).unwrap()[0];
                let set = [uid].into_iter().collect();
                inbox.store(&set, &FlagChange::new(Mode::Add, Flags::FLAGGED)).unwrap();
                if n % 5 == 0 {
                    inbox.store(&set, &FlagChange::new(Mode::Add, Flags::DELETED)).unwrap();
                    inbox.expunge(Some(&set)).unwrap();
                    gone.lock().unwrap().push(format!("a-{n}"));
                }
                drop(ours);
                // Others wait for seconds when they meet a lock.
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
    });
    let mut wanted: Vec<String> =
        (0..2).flat_map(|thread| (0..200).map(move |n| format!("p{thread}-{n}"))).collect();
    wanted.extend((0..250).map(|n| format!("a-{n}")));
    wanted.retain(|subject| !gone.lock().unwrap().contains(subject));
    wanted.sort();
    let mut found: Vec<String> = subjects(&inbox).into_iter().map(|(_, subject)| subject).collect();
    found.sort();
    let missing: Vec<_> = wanted.iter().filter(|subject| found.binary_search(subject).is_err()).collect();
    let extra: Vec<_> = found.iter().filter(|subject| wanted.binary_search(subject).is_err()).collect();
    assert_eq!((missing, extra, found.len()), (vec![], vec![], wanted.len()));
}
