//! Accounts of every kind, made the same.

use std::path::Path;

use store::{Account, FlagChange, Flags, Owner};

use super::*;

fn account(home: &Path, kind: &str) -> Arc<dyn Account> {
    let owner = Owner { home: Some(home.to_owned()), ..Owner::named("joe") };
    let location = Location::parse(&format!("{kind}:~/{kind}")).unwrap();
    store::open_account(&Arc::new(Settings::plain(|| 1_700_000_000)), &location, &owner).unwrap()
}

fn message(subject: &str) -> NewMessage {
    NewMessage {
        content: format!("Message-ID: <{subject}@x>\r\nSubject: {subject}\r\n\r\nbody of {subject}\r\n")
            .into_bytes()
            .into(),
        flags: Flags::SEEN,
        keywords: vec!["Work".to_owned()],
        received: 1_600_000_000,
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn put(account: &Arc<dyn Account>, mailbox: &str, subjects: &[&str]) {
    let messages: Vec<NewMessage> = subjects.iter().map(|subject| message(subject)).collect();
    account.open(&name(mailbox)).unwrap().append(&messages).unwrap();
}

fn remove(account: &Arc<dyn Account>, mailbox: &str, uids: &[u32]) {
    Local::new(account.clone()).expunge(&name(mailbox), uids).map_err(|error| error.text).unwrap();
}

fn run(from: &Arc<dyn Account>, to: &Arc<dyn Account>, mode: Mode) {
    let (mut from, mut to) = (Local::new(from.clone()), Local::new(to.clone()));
    together(&mut from, &mut to, mode, &Part::default()).map_err(|error| error.text).unwrap();
}

fn contents(account: &Arc<dyn Account>, mailbox: &str) -> Contents {
    let found = Local::new(account.clone()).contents(&name(mailbox));
    found.map_err(|error| error.text).unwrap()
}

fn uids(account: &Arc<dyn Account>, mailbox: &str) -> Vec<u32> {
    contents(account, mailbox).messages.iter().map(|message| message.uid).collect()
}

#[test]
fn a_backup_keeps_uids_in_every_kind() {
    for from in ["facteur", "maildir", "mbox"] {
        for to in ["facteur", "maildir", "mbox"].into_iter().filter(|to| *to != from) {
            let home = tempfile::tempdir().unwrap();
            let source = account(home.path(), from);
            source.create(&name("Work"), None).unwrap();
            source.subscribe(&name("Work"), true).unwrap();
            put(&source, "INBOX", &["one", "two", "three", "four"]);
            put(&source, "Work", &["five"]);
            remove(&source, "INBOX", &[2]);
            let target = account(home.path(), to);
            put(&target, "INBOX", &["stray"]);
            target.create(&name("Stray"), None).unwrap();
            let same = |what: &str| {
                for mailbox in ["INBOX", "Work"] {
                    let (mut here, mut there) = (contents(&source, mailbox), contents(&target, mailbox));
                    // mbox keeps no mark in front of the numbers that were given.
                    (here.uidnext, there.uidnext) = (0, 0);
                    assert_eq!(here, there, "{from} to {to}: {mailbox}: {what}");
                }
                assert!(target.open(&name("Stray")).is_err());
                assert_eq!(target.subscriptions().unwrap(), [name("Work")]);
            };
            run(&source, &target, Mode::Backup);
            same("first");
            put(&source, "INBOX", &["six"]);
            let seen = FlagChange::new(store::Mode::Remove, Flags::SEEN);
            source.open(&name("INBOX")).unwrap().store(&[3].into_iter().collect(), &seen).unwrap();
            run(&source, &target, Mode::Backup);
            same("what has changed");
            remove(&source, "INBOX", &[1]);
            remove(&target, "INBOX", &[3]);
            run(&source, &target, Mode::Backup);
            same("what was removed on either side");
            drop((source, target));
            store::close_idle();
        }
    }
}

#[test]
fn two_ways_bring_what_is_new_and_remove_what_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (account(home.path(), "facteur"), account(home.path(), "maildir"));
    put(&one, "INBOX", &["one", "two", "three"]);
    other.create(&name("Other"), None).unwrap();
    put(&other, "Other", &["ten"]);
    run(&one, &other, Mode::TwoWay);
    assert_eq!((uids(&other, "INBOX"), uids(&one, "Other")), (vec![1, 2, 3], vec![1]));
    remove(&one, "INBOX", &[1]);
    remove(&other, "INBOX", &[3]);
    put(&other, "INBOX", &["four"]);
    run(&one, &other, Mode::TwoWay);
    assert_eq!((uids(&one, "INBOX"), uids(&other, "INBOX")), (vec![2, 4], vec![2, 4]));
    // Both get one at the same time: none is lost, and both have both.
    put(&one, "INBOX", &["five"]);
    put(&other, "INBOX", &["six"]);
    for _ in 0..2 {
        run(&one, &other, Mode::TwoWay);
        assert_eq!((uids(&one, "INBOX").len(), uids(&other, "INBOX").len()), (4, 4));
    }
    // One way removes nothing, and does not bring back what was removed.
    remove(&other, "INBOX", &[2]);
    put(&one, "INBOX", &["seven"]);
    run(&one, &other, Mode::OneWay);
    assert_eq!((uids(&one, "INBOX").len(), uids(&other, "INBOX").len()), (5, 4));
}
