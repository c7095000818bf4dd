//! Messages: flags, UIDs, copies, removal.

use super::*;
use crate::{Error, Resource, Usage, Within};

#[test]
fn what_is_appended_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("joe");
    let validity = {
        let account = account(&root);
        let inbox = inbox(&account);
        assert_eq!(inbox.append(&[message("one"), message("two")]).unwrap(), [1, 2]);
        let bare = NewMessage { content: "Subject: three\n\nx\n".into(), ..message("") };
        assert_eq!(inbox.append(&[bare]).unwrap(), [3]);
        inbox.view().uidvalidity
    };
    let account = account(&root);
    let inbox = inbox(&account);
    let view = inbox.view();
    assert_eq!((view.len(), view.uidnext, view.uidvalidity), (3, 4, validity));
    assert_eq!(inbox.body(1).unwrap(), text("one"));
    assert_eq!(inbox.body(3).unwrap(), "Subject: three\r\n\r\nx\r\n");
    assert_eq!(inbox.body_range(2, 6..14).unwrap(), "a@x.test");
    assert_eq!(inbox.body_range(2, 9999..10000).unwrap(), "");
    let entry = view.find(1).unwrap();
    assert_eq!((entry.size as usize, entry.received, entry.saved), (text("one").len(), 5, 1_700_000_000));
    assert!(matches!(inbox.body(4), Err(Error::NoMessage)));
    let mut seen = Vec::new();
    inbox
        .summaries(&[1, 2, 9], &mut |uid, summary| {
            seen.push((uid, String::from_utf8(summary.envelope.to_vec()).unwrap()));
            assert!(summary.bodystructure.starts_with(b"(\"text\" \"plain\""));
            true
        })
        .unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].1.contains("\"two\""), "{seen:?}");
    let mut headers = Vec::new();
    inbox
        .headers(&[3], &mut |_, header| {
            headers.push(header);
            true
        })
        .unwrap();
    assert_eq!(headers, ["Subject: three\r\n\r\n"]);
}

#[test]
fn flags_change_for_all_sessions_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    let (one, two) = (inbox(&account), inbox(&account));
    one.append(&[message("a"), message("b"), message("c")]).unwrap();
    let (before, rung) = (two.view(), two.watch().count());
    let keyword =
        FlagChange { keywords: vec!["$Label".to_owned()], ..FlagChange::new(Mode::Add, Flags::SEEN) };
    assert_eq!(one.store(&set(&[1, 3, 7]), &keyword).unwrap().stored, [1, 3]);
    assert!(two.watch().count() > rung);
    let after = two.view();
    assert_eq!(after.changes(&before).updated, [1, 3]);
    let entry = after.find(3).unwrap();
    assert_eq!(
        (entry.flags, after.keyword_names(entry.keywords).collect::<Vec<_>>()),
        (Flags::SEEN, vec!["$Label"])
    );
    assert_eq!(entry.modseq, after.modseq);
    // Nothing changes what is so already.
    one.store(&set(&[1]), &keyword).unwrap();
    assert!(one.view().changes(&after).is_empty());
    let conditional =
        FlagChange { unchanged_since: Some(before.modseq), ..FlagChange::new(Mode::Replace, Flags::NONE) };
    let outcome = one.store(&UidSet::all(), &conditional).unwrap();
    assert_eq!((outcome.stored, outcome.modified), (vec![2], set(&[1, 3])));
    flag(&*one, &[1], Mode::Replace, Flags::FLAGGED);
    flag(&*one, &[3], Mode::Remove, Flags::SEEN);
    let reopened = super::account(directory.path());
    let view = inbox(&reopened).view();
    let flags: Vec<_> = view.iter().map(|entry| (entry.flags, entry.keywords)).collect();
    assert_eq!(flags, [(Flags::FLAGGED, 0), (Flags::NONE, 0), (Flags::NONE, 1)]);
}

#[test]
fn what_was_expunged_is_told_to_those_who_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    let inbox = inbox(&account);
    let all: Vec<NewMessage> = (1..=9).map(|n| message(&n.to_string())).collect();
    inbox.append(&all).unwrap();
    let modseq = inbox.view().modseq;
    flag(&*inbox, &[2, 3, 5, 9], Mode::Add, Flags::DELETED);
    assert_eq!(inbox.expunge(Some(&set(&[1, 2, 3]))).unwrap(), set(&[2, 3]));
    let between = inbox.view().modseq;
    assert_eq!(inbox.expunge(None).unwrap(), set(&[5, 9]));
    assert!(inbox.expunge(None).unwrap().is_empty());
    assert_eq!(uids(&*inbox), [1, 4, 6, 7, 8]);
    assert_eq!(inbox.vanished_since(modseq).unwrap(), set(&[2, 3, 5, 9]));
    assert_eq!(inbox.vanished_since(between).unwrap(), set(&[5, 9]));
    assert!(matches!(inbox.body(5), Err(Error::NoMessage)));
    // UIDs are not given out again, even after all are gone.
    flag(&*inbox, &[1, 4, 6, 7, 8], Mode::Add, Flags::DELETED);
    inbox.expunge(None).unwrap();
    let reopened = super::account(directory.path());
    assert_eq!(super::inbox(&reopened).append(&[message("x")]).unwrap(), [10]);
    assert_eq!(reopened.usage().unwrap(), Usage { bytes: text("x").len() as u64, messages: 1 });
}

#[test]
fn copies_share_their_body_and_moves_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    account.create(&name("Work"), None).unwrap();
    let (inbox, work) = (inbox(&account), account.open(&name("Work")).unwrap());
    work.append(&[NewMessage { keywords: vec!["z".to_owned()], ..message("w") }]).unwrap();
    let keywords = vec!["y".to_owned()];
    inbox
        .append(&[message("a"), NewMessage { keywords, flags: Flags::SEEN, ..message("b") }, message("c")])
        .unwrap();
    let copied = inbox.copy(&set(&[2, 3]), &*work).unwrap();
    assert_eq!(
        (copied.from, copied.to, copied.uidvalidity),
        (vec![2, 3], vec![2, 3], work.view().uidvalidity)
    );
    let (here, there) = (inbox.view(), work.view());
    let copy = there.find(2).unwrap();
    assert_eq!(inbox.email_id(here.find(2).unwrap()), work.email_id(copy));
    assert_eq!(
        (copy.flags, there.keyword_names(copy.keywords).collect::<Vec<_>>()),
        (Flags::SEEN, vec!["y"])
    );
    assert_eq!(work.body(3).unwrap(), text("c"));
    let moved = inbox.move_to(&set(&[1]), &*work).unwrap();
    assert_eq!((moved.from, moved.to), (vec![1], vec![4]));
    assert_eq!(
        (uids(&*inbox), subjects(&*work)),
        (vec![2, 3], ["w", "b", "c", "a"].map(str::to_owned).to_vec())
    );
    assert!(inbox.copy(&set(&[77]), &*work).unwrap().to.is_empty());
    // Into another account, and back.
    let other = super::account(&directory.path().join("other"));
    let far = super::inbox(&other);
    assert_eq!(work.move_to(&set(&[2]), &*far).unwrap().to, [1]);
    assert_eq!((far.body(1).unwrap(), far.view().find(1).unwrap().flags), (text("b").into(), Flags::SEEN));
    assert_eq!(uids(&*work), [1, 3, 4]);
}

#[test]
fn a_quota_is_kept_by_every_way_in() {
    let directory = tempfile::tempdir().unwrap();
    let account = limited(directory.path(), Limits { bytes: None, messages: Some(2) });
    let inbox = inbox(&account);
    inbox.append(&[message("a")]).unwrap();
    assert!(matches!(inbox.append(&[message("b"), message("c")]), Err(Error::OverQuota(Resource::Message))));
    deliver(&account, "b", None).unwrap();
    assert!(matches!(deliver(&account, "c", None), Err(Error::OverQuota(Resource::Message))));
    assert!(matches!(inbox.copy(&set(&[1]), &*inbox), Err(Error::OverQuota(Resource::Message))));
    account.create(&name("x"), None).unwrap();
    inbox.move_to(&set(&[1]), &*account.open(&name("x")).unwrap()).unwrap();
    assert_eq!(account.recount().unwrap().messages, 2);
}

#[test]
fn threads_are_found_by_references() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    let inbox = inbox(&account);
    let reply = "Subject: re\r\nMessage-ID: <r@x>\r\nReferences: <a@x>\r\n\r\n";
    inbox.append(&[message("a"), message("b"), NewMessage { content: reply.into(), ..message("") }]).unwrap();
    let view = inbox.view();
    let threads: Vec<_> = view.iter().map(|entry| inbox.thread_id(entry).unwrap().unwrap()).collect();
    assert_eq!(threads[0], threads[2]);
    assert_ne!(threads[0], threads[1]);
}

#[test]
fn recent_messages_belong_to_one_session() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    deliver(&account, "a", None).unwrap();
    deliver(&account, "b", None).unwrap();
    let inbox = inbox(&account);
    assert_eq!(account.status(&Name::inbox()).unwrap().recent, 2);
    assert_eq!(inbox.claim_recent().unwrap(), 1);
    assert_eq!(inbox.claim_recent().unwrap(), 3);
    assert_eq!(account.status(&Name::inbox()).unwrap().recent, 0);
}

#[test]
fn texts_are_found_in_any_case() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    let inbox = inbox(&account);
    inbox.append(&[message("Alpha"), message("beta")]).unwrap();
    let found = |within, needle| inbox.find_text(within, needle, &[1, 2]).unwrap();
    assert_eq!(found(Within::Text, "ALPH"), [1]);
    assert_eq!(found(Within::Body, "from:"), Vec::<u32>::new());
    assert_eq!(found(Within::Body, "of bet"), [2]);
    assert_eq!(found(Within::Field("subject"), "PHA"), [1]);
    assert_eq!(found(Within::Field("Subject"), ""), [1, 2]);
    assert_eq!(found(Within::Text, "a"), [1, 2]);
    let many: Vec<NewMessage> = (0..2000).map(|n| message(&format!("word{n}x"))).collect();
    inbox.append(&many).unwrap();
    let all: Vec<u32> = inbox.view().iter().map(|entry| entry.uid).collect();
    assert_eq!(inbox.find_text(Within::Text, "Word1234X", &all).unwrap(), [1237]);
}

#[test]
fn what_is_read_of_many_is_of_the_right_ones_in_whatever_order_they_came() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    let inbox = inbox(&account);
    let subjects_in: Vec<String> = (0..40).map(|n| format!("subject{n}")).collect();
    inbox.append(&subjects_in.iter().map(|subject| message(subject)).collect::<Vec<_>>()).unwrap();
    account.create(&name("Other"), None).unwrap();
    let other = account.open(&name("Other")).unwrap();
    // Bodies that fall and leave gaps, then such that rise.
    for uid in [40, 3, 21, 1, 2, 4, 5] {
        inbox.copy(&set(&[uid]), &*other).unwrap();
    }
    let wanted = [39, 2, 20, 0, 1, 3, 4].map(|n| format!("subject{n}"));
    let all = uids(&*other);
    let mut found = Vec::new();
    other
        .headers(&all, &mut |uid, header| {
            found.push((uid, subject(&header)));
            true
        })
        .unwrap();
    assert_eq!(found, all.iter().copied().zip(wanted.clone()).collect::<Vec<_>>());
    let mut envelopes = 0;
    other
        .summaries(&all, &mut |uid, summary| {
            let wanted = format!("\"{}\"", wanted[uid as usize - 1]);
            assert!(String::from_utf8_lossy(&summary.envelope).contains(&wanted));
            envelopes += 1;
            true
        })
        .unwrap();
    assert_eq!(envelopes, all.len());
    let text = |mailbox: &dyn Mailbox, needle: &str| {
        mailbox.find_text(Within::Text, needle, &uids(mailbox)).unwrap()
    };
    assert_eq!(text(&*other, "subject20"), [3]);
    flag(&*inbox, &[2, 3, 30], Mode::Add, Flags::DELETED);
    inbox.expunge(None).unwrap();
    assert_eq!(text(&*inbox, "of subject31"), [32]);
    assert_eq!(text(&*inbox, "of subject29"), Vec::<u32>::new());
}
