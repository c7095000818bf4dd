use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::foreign::testing::{Dovecot, now, shows};
use crate::{FlagChange, Location, Mailbox, Mode, Name, UidSet, close_idle, open_account};

fn account(home: &Path, options: &str) -> Arc<dyn Account> {
    let owner = Owner { home: Some(home.to_owned()), ..Owner::named("joe") };
    let location = Location::parse(&format!("maildir:~/Maildir{options}")).unwrap();
    close_idle();
    open_account(&Arc::new(Settings::plain(now)), &location, &owner).unwrap()
}

fn message(text: &str) -> NewMessage {
    NewMessage {
        content: format!("Subject: {text}\r\n\r\n{text}\r\n").into_bytes().into(),
        flags: Flags::NONE,
        keywords: Vec::new(),
        received: 1_700_000_000,
    }
}

fn uids(mailbox: &Arc<dyn Mailbox>) -> Vec<u32> {
    mailbox.refresh().unwrap().iter().map(|entry| entry.uid).collect()
}

#[test]
fn messages_come_change_and_go() {
    let home = tempfile::tempdir().unwrap();
    let account = account(home.path(), "");
    let inbox = account.open(&Name::inbox()).unwrap();
    assert_eq!(inbox.append(&[message("one"), message("two"), message("three")]).unwrap(), [1, 2, 3]);
    let keyword = FlagChange { keywords: vec!["$Junk".into()], ..FlagChange::new(Mode::Add, Flags::SEEN) };
    inbox.store(&[2].into_iter().collect(), &keyword).unwrap();
    let before = inbox.view().modseq;
    assert_eq!(&inbox.body(2).unwrap()[..], b"Subject: two\r\n\r\ntwo\r\n");
    inbox.store(&[1].into_iter().collect(), &FlagChange::new(Mode::Add, Flags::DELETED)).unwrap();
    assert_eq!(inbox.expunge(None).unwrap().to_string(), "1");
    assert_eq!(inbox.vanished_since(before).unwrap().to_string(), "1");
    assert_eq!(uids(&inbox), [2, 3]);
    let work = Name::new("Work/2026").unwrap();
    account.create(&work, None).unwrap();
    let other = account.open(&work).unwrap();
    let copied = inbox.copy(&UidSet::all(), other.as_ref()).unwrap();
    assert_eq!((copied.from, copied.to), (vec![2, 3], vec![1, 2]));
    let view = other.view();
    let entry = view.find(1).unwrap();
    assert_eq!(
        (entry.flags, view.keyword_names(entry.keywords).collect::<Vec<_>>()),
        (Flags::SEEN, vec!["$Junk"])
    );
    assert_eq!(entry.received, 1_700_000_000);
    assert_eq!(other.email_id(entry), inbox.email_id(inbox.view().find(2).unwrap()));
    inbox.move_to(&[3].into_iter().collect(), other.as_ref()).unwrap();
    assert_eq!((uids(&inbox), uids(&other)), (vec![2], vec![1, 2, 3]));
    assert!(home.path().join("Maildir/.Work.2026/maildirfolder").exists());
}

#[test]
fn what_is_moved_to_and_fro_keeps_its_last_uid() {
    let home = tempfile::tempdir().unwrap();
    let trash = Name::new("Trash").unwrap();
    let first = account(home.path(), "");
    first.create(&trash, None).unwrap();
    let (inbox, other) = (first.open(&Name::inbox()).unwrap(), first.open(&trash).unwrap());
    inbox.append(&[message("one"), message("two")]).unwrap();
    let before = inbox.view().modseq;
    let moved = inbox.move_to(&[1].into_iter().collect(), other.as_ref()).unwrap();
    assert_eq!((moved.from, moved.to, moved.uidvalidity), (vec![1], vec![1], other.view().uidvalidity));
    assert_eq!((uids(&inbox), uids(&other)), (vec![2], vec![1]));
    assert_eq!(inbox.vanished_since(before).unwrap().to_string(), "1");
    other.move_to(&UidSet::all(), inbox.as_ref()).unwrap();
    assert_eq!((uids(&inbox), uids(&other)), (vec![2, 3], vec![]));
    // Into the mailbox where it is.
    inbox.move_to(&[2].into_iter().collect(), inbox.as_ref()).unwrap();
    assert_eq!(uids(&inbox), [3, 4]);
    assert_eq!(&inbox.body(3).unwrap()[..], b"Subject: one\r\n\r\none\r\n");
    drop((inbox, other, first));
    let again = account(home.path(), "").open(&Name::inbox()).unwrap();
    assert_eq!(uids(&again), [3, 4]);
    assert_eq!(&again.body(3).unwrap()[..], b"Subject: one\r\n\r\none\r\n");
}

/// Dovecot and we take turns on one account; after each turn both must see the same.
fn in_turns(location: &str, separator: char) {
    let Some(dovecot) = Dovecot::new(location) else { return };
    let sub = format!("Work{separator}Sub");
    let save = |mailbox: &str, subject: &str| {
        dovecot.run(&["save", "-m", mailbox], &format!("Subject: {subject}\n\nbody of {subject}\n"));
    };
    save("INBOX", "one");
    save("INBOX", "two");
    dovecot.run(&["mailbox", "create", "-s", "Work", &sub, "Entwürfe"], "");
    save(&sub, "three");
    dovecot.run(&["flags", "add", "\\Seen $Foo Bar", "mailbox", "INBOX", "uid", "2"], "");

    let account = dovecot.ours();
    assert_eq!(shows(&account), dovecot.shows());
    let inbox = account.open(&Name::inbox()).unwrap();
    let work = account.open(&Name::new("Work/Sub").unwrap()).unwrap();

    // Ours: Dovecot sees the same UIDs, flags and keywords.
    inbox.claim_recent().unwrap();
    inbox.append(&[message("four"), message("five"), message("six")]).unwrap();
    let flags = FlagChange {
        keywords: vec!["New".into(), "bar".into()],
        ..FlagChange::new(Mode::Add, Flags::FLAGGED)
    };
    inbox.store(&[1, 4].into_iter().collect(), &flags).unwrap();
    inbox.copy(&[2, 4].into_iter().collect(), work.as_ref()).unwrap();
    inbox.store(&[3].into_iter().collect(), &FlagChange::new(Mode::Replace, Flags::DELETED)).unwrap();
    inbox.expunge(None).unwrap();
    account.create(&Name::new("Neu/Ä").unwrap(), None).unwrap();
    account.subscribe(&Name::new("Neu/Ä").unwrap(), true).unwrap();
    account.subscribe(&Name::new("Work").unwrap(), false).unwrap();
    assert_eq!(shows(&account), dovecot.shows());

    // Theirs, with our mailboxes open.
    save("INBOX", "seven");
    dovecot.run(&["flags", "remove", "bar \\Flagged", "mailbox", "INBOX", "uid", "4"], "");
    dovecot.run(&["flags", "add", "Third", "mailbox", "INBOX", "uid", "5"], "");
    dovecot.run(&["expunge", "mailbox", "INBOX", "uid", "1"], "");
    dovecot.run(&["copy", "INBOX", "mailbox", &sub, "uid", "1"], "");
    let seen = inbox.refresh().unwrap();
    assert_eq!(seen.iter().map(|entry| entry.uid).collect::<Vec<_>>(), [2, 4, 5, 6, 7]);
    assert_eq!(shows(&account), dovecot.shows());

    // Renamed and deleted by either.
    account.rename(&Name::new("Work").unwrap(), &Name::new("Labour").unwrap()).unwrap();
    assert_eq!(shows(&account), dovecot.shows());
    dovecot.run(&["mailbox", "rename", "Labour", "Büro"], "");
    dovecot.run(&["mailbox", "delete", "Entwürfe"], "");
    assert_eq!(shows(&account), dovecot.shows());
    account.delete(&Name::new("Büro/Sub").unwrap()).unwrap();
    account.create(&Name::new("Büro/Sub").unwrap(), None).unwrap();
    assert_eq!(shows(&account), dovecot.shows());

    // And without anything in memory.
    drop((inbox, work, account));
    let account = dovecot.ours();
    assert_eq!(shows(&account), dovecot.shows());
}

#[test]
fn dovecot_and_we_take_turns() {
    in_turns("maildir:~/Maildir", '.');
}

#[test]
fn dovecot_and_we_take_turns_on_directories() {
    in_turns("maildir:~/Maildir:LAYOUT=fs", '/');
}

#[test]
fn dovecot_and_we_take_turns_with_a_control_directory() {
    in_turns("maildir:~/Maildir:CONTROL=~/control:INDEX=~/index", '.');
}

#[test]
fn files_put_in_by_others_are_seen() {
    let home = tempfile::tempdir().unwrap();
    let account = account(home.path(), "");
    let inbox = account.open(&Name::inbox()).unwrap();
    let directory = home.path().join("Maildir");
    let path = |name: &str| directory.join(name);
    for n in 0..30 {
        std::fs::write(path(&format!("new/{}.x", 1000 + n)), format!("Subject: {n}\n\n")).unwrap();
        assert_eq!(uids(&inbox).len(), n + 1);
    }
    assert_eq!(inbox.claim_recent().unwrap(), 1);
    assert_eq!(crate::foreign::testing::entries(&path("new")), 0);
    // mutt: flags and removal.
    std::fs::rename(path("cur/1000.x:2,"), path("cur/1000.x:2,FS")).unwrap();
    std::fs::remove_file(path("cur/1001.x:2,")).unwrap();
    let view = inbox.refresh().unwrap();
    assert_eq!(view.find(1).unwrap().flags, Flags::FLAGGED | Flags::SEEN);
    assert_eq!((view.len(), view.find(2)), (29, None));
    // A file that has got another name since the last look is found again.
    std::fs::rename(path("cur/1002.x:2,"), path("cur/1002.x:2,R")).unwrap();
    assert_eq!(&inbox.body(3).unwrap()[..], b"Subject: 2\r\n\r\n");
    std::fs::rename(path("cur/1003.x:2,"), path("cur/1003.x:2,T")).unwrap();
    inbox.store(&[4].into_iter().collect(), &FlagChange::new(Mode::Add, Flags::SEEN)).unwrap();
    assert_eq!(inbox.refresh().unwrap().find(4).unwrap().flags, Flags::DELETED | Flags::SEEN);
}
