//! Verification, repair, export, backup and compaction.

use std::os::unix::fs::FileExt;

use super::super::upkeep::{Exported, backup, compact, export, repair, verify};
use super::*;

const CLOCK: crate::Clock = || 1_700_000_100;

/// Two mailboxes with flags, a copy, a removed message and a delivery.
fn filled(root: &Path) {
    let account = account(root);
    account.create(&name("Work"), None).unwrap();
    let (inbox, work) = (inbox(&account), account.open(&name("Work")).unwrap());
    let keywords = vec!["k".to_owned()];
    inbox.append(&[message("a"), message("b"), NewMessage { keywords, ..message("c") }]).unwrap();
    flag(&*inbox, &[1], Mode::Add, Flags::FLAGGED);
    inbox.copy(&set(&[3]), &*work).unwrap();
    flag(&*inbox, &[2], Mode::Add, Flags::DELETED);
    inbox.expunge(None).unwrap();
    deliver(&account, "d", Some("1 joe")).unwrap();
    uids(&*inbox);
}

/// Everything a client can see, but for the names of objects.
fn seen(root: &Path) -> Vec<String> {
    let account = account(root);
    let mut seen = Vec::new();
    for folder in account.folders().unwrap() {
        let mailbox = account.open(&folder.name).unwrap();
        let view = mailbox.view();
        seen.push(format!("{} {} {}", folder.name, view.uidvalidity, view.uidnext));
        for entry in view.iter() {
            let keywords: Vec<_> = view.keyword_names(entry.keywords).collect();
            let subject = subject(&mailbox.body(entry.uid).unwrap());
            let id = mailbox.email_id(entry).unwrap();
            seen.push(format!(
                "{} {:?} {keywords:?} {} {subject} {id}",
                entry.uid, entry.flags, entry.received
            ));
        }
    }
    seen
}

fn current(root: &Path) -> std::path::PathBuf {
    root.join("bodies/current")
}

#[test]
fn a_whole_account_is_found_whole() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let verified = verify(directory.path(), CLOCK).unwrap();
    assert_eq!((verified.messages, verified.wrong, verified.torn), (4, vec![], vec![]));
    assert!(verify(&directory.path().join("nobody"), CLOCK).is_err());
}

#[test]
fn a_damaged_body_is_named_and_the_rest_saved() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let bytes = std::fs::read(current(directory.path())).unwrap();
    let at = bytes.windows(9).position(|window| window == b"body of a").unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(current(directory.path())).unwrap();
    file.write_all_at(b"Body", at as u64).unwrap();
    let verified = verify(directory.path(), CLOCK).unwrap();
    assert_eq!(verified.wrong, ["INBOX: message 1: its body is missing or damaged"]);
    let mut saved = Vec::new();
    let lost = export(directory.path(), CLOCK, &mut |one: Exported| {
        saved.push((one.mailbox, subject(&one.content), one.keywords.len()));
        Ok(())
    });
    assert_eq!(lost.unwrap().len(), 1);
    let wanted = [("INBOX", "c", 1), ("INBOX", "d", 0), ("Work", "c", 1)];
    assert_eq!(
        saved,
        wanted.map(|(mailbox, subject, keywords)| (mailbox.to_owned(), subject.to_owned(), keywords))
    );
}

#[test]
fn a_catalogue_that_can_be_read_is_repaired_without_a_trace() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let before = seen(directory.path());
    let repaired = repair(directory.path(), CLOCK).unwrap();
    assert_eq!((repaired.kept, repaired.found, repaired.lost), (4, 0, vec![]));
    assert_eq!(seen(directory.path()), before);
    // A delivery that was done is still done.
    deliver(&account(directory.path()), "d", Some("1 joe")).unwrap();
    assert_eq!(seen(directory.path()), before);
    assert!(verify(directory.path(), CLOCK).unwrap().wrong.is_empty());
}

#[test]
fn without_a_catalogue_messages_are_where_they_came_to() {
    for damage in [&b""[..], b"no database at all, and long enough to look like one of them"] {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let validity = inbox(&account(directory.path())).view().uidvalidity;
        for file in ["catalogue-wal", "catalogue-shm"] {
            let _ = std::fs::remove_file(directory.path().join(file));
        }
        std::fs::write(directory.path().join("catalogue"), damage).unwrap();
        if !damage.is_empty() {
            assert!(matches!(account(directory.path()).folders(), Err(crate::Error::Damaged(_))));
        }
        let repaired = repair(directory.path(), CLOCK).unwrap();
        assert_eq!((repaired.kept, repaired.found), (0, 4), "{repaired:?}");
        let account = account(directory.path());
        let inbox = inbox(&account);
        assert_eq!(subjects(&*inbox), ["a", "b", "c", "d"]);
        assert!(inbox.view().uidvalidity > validity);
        drop((inbox, account));
        assert!(verify(directory.path(), CLOCK).unwrap().wrong.is_empty());
    }
}

#[test]
fn compaction_frees_what_nobody_needs_and_changes_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let before = seen(directory.path());
    let open = account(directory.path());
    let reader = inbox(&open);
    reader.append(&(0..50).map(|n| message(&format!("x{n}"))).collect::<Vec<_>>()).unwrap();
    let kept = reader.body(5).unwrap();
    let extra: Vec<u32> = (6..55).collect();
    flag(&*reader, &extra, Mode::Add, Flags::DELETED);
    reader.expunge(None).unwrap();
    assert!(compact(directory.path(), CLOCK).unwrap() > 4000);
    assert_eq!(reader.body(5).unwrap(), kept);
    flag(&*reader, &[5], Mode::Add, Flags::DELETED);
    reader.expunge(None).unwrap();
    drop((reader, open));
    let after = seen(directory.path());
    let tails = |lines: &[String]| {
        lines.iter().filter(|line| !line.starts_with("INBOX ")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(tails(&after), tails(&before));
    let verified = verify(directory.path(), CLOCK).unwrap();
    assert!(verified.wrong.is_empty() && verified.torn.is_empty(), "{verified:?}");
    // Moved records are no new messages, also for a repair.
    repair(directory.path(), CLOCK).unwrap();
    assert_eq!(seen(directory.path()), after);
}

#[test]
fn a_backup_is_an_account() {
    let directory = tempfile::tempdir().unwrap();
    let (root, copy) = (directory.path().join("joe"), directory.path().join("copy"));
    filled(&root);
    let open = account(&root);
    let inbox = inbox(&open);
    backup(&root, &copy, CLOCK).unwrap();
    inbox.append(&[message("later")]).unwrap();
    let restored = account(&copy);
    assert_eq!(subjects(&*super::inbox(&restored)), ["a", "c", "d"]);
    assert!(verify(&copy, CLOCK).unwrap().wrong.is_empty());
    assert!(super::inbox(&restored).append(&[message("new")]).unwrap()[0] > inbox.view().uidnext);
    assert!(backup(&root, &copy, CLOCK).is_err());
}
