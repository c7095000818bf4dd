//! Mailboxes: names, deletion, renaming, subscriptions.

use super::*;
use crate::Error;

fn names(account: &FacteurAccount) -> Vec<String> {
    account.folders().unwrap().into_iter().map(|folder| folder.name.to_string()).collect()
}

#[test]
fn an_account_begins_with_the_usual_mailboxes() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    let folders = account.folders().unwrap();
    assert_eq!(names(&account), ["INBOX", "Sent"]);
    assert_eq!((folders[1].special_use, folders[1].subscribed), (Some(SpecialUse::Sent), true));
    assert!(matches!(account.create(&name("inbox"), None), Err(Error::Exists)));
    assert!(account.delete(&Name::inbox()).is_err());
}

#[test]
fn levels_without_mailbox_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    account.create(&name("a/b/c"), Some(SpecialUse::Junk)).unwrap();
    account.create(&name("INBOX/x"), None).unwrap();
    let folders = account.folders().unwrap();
    let shown: Vec<_> = folders.iter().map(|f| (f.name.as_str(), f.selectable, f.children)).collect();
    let wanted = [
        ("INBOX", true, true),
        ("INBOX/x", true, false),
        ("Sent", true, false),
        ("a", false, true),
        ("a/b", false, true),
        ("a/b/c", true, false),
    ];
    let mut sorted = shown.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, wanted);
    assert_eq!(shown[0].0, "INBOX");
}

#[test]
fn renaming_takes_those_below_along() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    for mailbox in ["a", "a/b", "ab"] {
        account.create(&name(mailbox), None).unwrap();
    }
    let open = account.open(&name("a/b")).unwrap();
    open.append(&[message("m")]).unwrap();
    let id = open.mailbox_id();
    account.rename(&name("a"), &name("c/d")).unwrap();
    assert_eq!((open.name(), open.mailbox_id()), (name("c/d/b"), id));
    assert_eq!(names(&account), ["INBOX", "Sent", "ab", "c", "c/d", "c/d/b"]);
    assert!(matches!(account.rename(&name("c"), &name("ab")), Err(Error::Exists)));
    assert!(matches!(account.rename(&name("no"), &name("x")), Err(Error::NoMailbox)));
    assert!(account.rename(&name("c"), &name("c/e")).is_err());
    // INBOX is emptied into the new mailbox.
    inbox(&account).append(&[message("i")]).unwrap();
    account.rename(&Name::inbox(), &name("old")).unwrap();
    assert_eq!(subjects(&*account.open(&name("old")).unwrap()), ["i"]);
    assert!(inbox(&account).view().is_empty());
}

#[test]
fn a_deleted_mailbox_is_gone_for_those_who_have_it_open() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    account.create(&name("x"), None).unwrap();
    let open = account.open(&name("x")).unwrap();
    open.append(&[message("m")]).unwrap();
    let (rung, validity) = (open.watch().count(), open.view().uidvalidity);
    account.delete(&name("x")).unwrap();
    assert!(open.watch().count() > rung && open.view().gone);
    assert!(matches!(open.append(&[message("n")]), Err(Error::Gone)));
    assert!(matches!(open.refresh(), Err(Error::Gone)));
    assert!(matches!(account.open(&name("x")), Err(Error::NoMailbox)));
    account.create(&name("x"), None).unwrap();
    let again = account.open(&name("x")).unwrap();
    assert!(again.view().uidvalidity > validity && again.view().is_empty());
    assert_ne!(again.mailbox_id(), open.mailbox_id());
}

#[test]
fn annotations_rights_and_subscriptions_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    account.set_metadata(None, "/private/comment", Some(b"mine")).unwrap();
    account.set_metadata(Some(&Name::inbox()), "/private/comment", Some(b"in")).unwrap();
    account.set_metadata(Some(&Name::inbox()), "/PRIVATE/comment", None).unwrap();
    assert_eq!(account.metadata(None).unwrap(), [("/private/comment".to_owned(), b"mine".to_vec())]);
    assert!(account.metadata(Some(&Name::inbox())).unwrap().is_empty());
    account.set_acl(&name("Sent"), "ann", Some("lrs")).unwrap();
    account.set_acl(&name("Sent"), "bob", Some("l")).unwrap();
    account.set_acl(&name("Sent"), "bob", None).unwrap();
    assert_eq!(account.acl(&name("Sent")).unwrap(), [("ann".to_owned(), "lrs".to_owned())]);
    account.subscribe(&name("nowhere"), true).unwrap();
    account.subscribe(&name("Sent"), false).unwrap();
    assert_eq!(account.subscriptions().unwrap(), [name("nowhere")]);
}

#[test]
fn two_processes_see_each_other() {
    // Two accounts on one place know as little of each other as two processes.
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (account(directory.path()), account(directory.path()));
    let (here, there) = (inbox(&one), inbox(&two));
    here.append(&[message("a"), message("b")]).unwrap();
    assert_eq!(subjects(&*there), ["a", "b"]);
    there.append(&[message("c")]).unwrap();
    flag(&*there, &[1], Mode::Add, Flags::DELETED);
    assert_eq!(here.refresh().unwrap().find(1).unwrap().flags, Flags::DELETED);
    here.expunge(None).unwrap();
    assert_eq!(uids(&*there), [2, 3]);
    deliver(&two, "d", None).unwrap();
    assert_eq!(subjects(&*here), ["b", "c", "d"]);
    one.create(&name("x"), None).unwrap();
    let open = two.open(&name("x")).unwrap();
    one.delete(&name("x")).unwrap();
    assert!(open.refresh().is_err() && open.view().gone);
}

#[test]
fn accounts_that_sleep_still_notice_what_happens() {
    let directory = tempfile::tempdir().unwrap();
    let place = |n: usize| directory.path().join(n.to_string());
    let first = account(&place(0));
    let watched = inbox(&first);
    watched.append(&[message("a")]).unwrap();
    // More than may be awake at a time.
    let others: Vec<_> = (1..32).map(|n| account(&place(n))).collect();
    others.iter().for_each(|other| assert!(inbox(other).view().is_empty()));
    assert!(first.is_asleep());
    assert_eq!(watched.refresh().unwrap().len(), 1);
    assert!(first.is_asleep());
    let elsewhere = account(&place(0));
    flag(&*inbox(&elsewhere), &[1], Mode::Add, Flags::SEEN);
    assert_eq!(watched.refresh().unwrap().find(1).unwrap().flags, Flags::SEEN);
    let rung = watched.watch().count();
    deliver(&first, "b", None).unwrap();
    assert!(watched.watch().count() > rung);
    assert_eq!(subjects(&*watched), ["a", "b"]);
}
