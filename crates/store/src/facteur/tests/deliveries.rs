//! Mail that is delivered: once, to whom it is for, within the quota.

use super::*;

#[test]
fn a_delivery_waits_for_nobody_and_is_entered_when_somebody_looks() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    deliver(&account, "a", Some("1 joe")).unwrap();
    assert!(!directory.path().join("catalogue").exists());
    deliver(&account, "b", Some("2 joe")).unwrap();
    let inbox = inbox(&account);
    assert_eq!(subjects(&*inbox), ["a", "b"]);
    assert_eq!(inbox.view().find(1).unwrap().received, 9);
    // Now somebody looks: it is seen at once.
    let rung = inbox.watch().count();
    deliver(&account, "c", None).unwrap();
    assert!(inbox.watch().count() > rung);
    assert_eq!(inbox.view().len(), 3);
}

#[test]
fn a_delivery_that_is_repeated_is_there_once() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    deliver(&account, "a", Some("1 joe")).unwrap();
    deliver(&account, "a", Some("1 joe")).unwrap();
    assert_eq!(subjects(&*inbox(&account)), ["a"]);
    deliver(&account, "a", Some("1 joe")).unwrap();
    deliver(&super::account(directory.path()), "a", Some("1 joe")).unwrap();
    deliver(&account, "b", Some("1 ann")).unwrap();
    assert_eq!(subjects(&*inbox(&account)), ["a", "b"]);
}

#[test]
fn a_delivery_to_another_mailbox_makes_it_only_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    let lists = name("Lists/rust");
    let delivery = Delivery {
        mailbox: &lists,
        create: false,
        id: None,
        content: &[b"Subject: s\n", b"\nx\n"],
        received: 1,
        flags: Flags::SEEN,
        keywords: &["k".to_owned()],
    };
    assert!(matches!(account.deliver(&delivery), Err(crate::Error::NoMailbox)));
    account.deliver(&Delivery { create: true, ..delivery }).unwrap();
    let mailbox = account.open(&lists).unwrap();
    let view = mailbox.view();
    let entry = view.find(1).unwrap();
    assert_eq!(
        (entry.flags, view.keyword_names(entry.keywords).collect::<Vec<_>>()),
        (Flags::SEEN, vec!["k"])
    );
    assert_eq!(mailbox.body(1).unwrap(), "Subject: s\r\n\r\nx\r\n");
}

#[test]
fn many_deliver_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let accounts: Vec<_> = (0..4).map(|n| account(&directory.path().join(n.to_string()))).collect();
    let watched = inbox(&accounts[0]);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let accounts = &accounts;
            scope.spawn(move || {
                for n in 0..20 {
                    deliver(&accounts[n % 4], &format!("{thread}.{n}"), None).unwrap();
                }
            });
        }
    });
    assert_eq!(watched.view().len(), 30);
    for account in &accounts {
        let mut found = subjects(&*inbox(account));
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 30);
    }
}

#[test]
fn a_round_tells_of_each_of_its_deliveries() {
    let directory = tempfile::tempdir().unwrap();
    let root = |n: &str| directory.path().join(n);
    let (joe, ann) = (account(&root("joe")), account(&root("ann")));
    let full = limited(&root("full"), Limits { messages: Some(1), ..Limits::default() });
    let watched = inbox(&joe);
    let rung = watched.watch().count();
    let mut round = crate::Round::default();
    let mut add = |account: &FacteurAccount, subject: &str, id: &str| {
        let content = text(subject);
        round.add(
            account,
            &Delivery {
                mailbox: &Name::inbox(),
                create: false,
                id: Some(id),
                content: &[content.as_bytes()],
                received: 9,
                flags: Flags::NONE,
                keywords: &[],
            },
        )
    };
    add(&joe, "a", "1").unwrap();
    add(&full, "b", "2").unwrap();
    assert!(matches!(add(&full, "c", "3"), Err(crate::Error::OverQuota(_))));
    add(&ann, "d", "4").unwrap();
    add(&joe, "e", "5").unwrap();
    add(&joe, "a", "1").unwrap();
    let said: Vec<bool> = round.settle().iter().map(Result::is_ok).collect();
    assert_eq!(said, [true; 5]);
    assert_eq!(watched.watch().count(), rung);
    round.announce();
    assert!(watched.watch().count() > rung);
    assert_eq!(watched.view().len(), 2);
    assert_eq!(subjects(&*inbox(&joe)), ["a", "e"]);
    assert_eq!(subjects(&*inbox(&ann)), ["d"]);
    assert_eq!(subjects(&*inbox(&full)), ["b"]);
}
