use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::{FlagChange, Location, Mailbox, Mode, Name, UidSet, close_idle, open_account};

fn now() -> i64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::MetadataExt::mtime(&file.as_file().metadata().unwrap())
}

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
