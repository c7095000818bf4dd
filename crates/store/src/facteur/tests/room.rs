//! Room for records to come behind those that are there.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

use super::disk::Failing;
use super::*;

/// So large that after a few of them a file is worth having room.
const LARGE: usize = 200 << 10;

fn large(subject: &str, last: &str) -> NewMessage {
    let content = format!("Subject: {subject}\r\n\r\n{}{last}", "x".repeat(LARGE));
    NewMessage { content: content.into_bytes().into(), ..message(subject) }
}

fn current(root: &Path) -> PathBuf {
    root.join("bodies/current")
}

fn zeros_at_the_end(root: &Path) -> usize {
    let bytes = std::fs::read(current(root)).unwrap();
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

fn assert_whole(root: &Path) {
    let verified = super::super::upkeep::verify(root, || 0).unwrap();
    assert!(verified.wrong.is_empty() && verified.torn.is_empty(), "{verified:?}");
}

/// An account with room: messages `0` to `5`.
fn with_room(root: &Path) -> Arc<FacteurAccount> {
    let account = account(root);
    let inbox = inbox(&account);
    for n in 0..6 {
        inbox.append(&[large(&n.to_string(), "")]).unwrap();
    }
    assert!(zeros_at_the_end(root) > 60_000);
    account
}

#[test]
fn what_fits_into_the_room_leaves_the_length_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let account = with_room(directory.path());
    let len = current(directory.path()).metadata().unwrap().len();
    inbox(&account).append(&[message("6"), message("7")]).unwrap();
    assert_eq!(current(directory.path()).metadata().unwrap().len(), len);
    assert_eq!(subjects(&*inbox(&account)), ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn others_see_what_was_put_into_the_room_and_put_theirs_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let one = with_room(directory.path());
    let two = account(directory.path());
    let (here, there) = (inbox(&one), inbox(&two));
    assert_eq!(uids(&*there).len(), 6);
    for n in 0..40 {
        deliver(if n % 2 == 0 { &one } else { &two }, &format!("d{n}"), None).unwrap();
        assert_eq!(uids(&*here).len(), 7 + 2 * n);
        there.append(&[message(&format!("a{n}"))]).unwrap();
        assert_eq!(uids(&*there).len(), 8 + 2 * n);
    }
    assert_eq!(subjects(&*here), subjects(&*there));
    assert_whole(directory.path());
}

#[test]
fn messages_that_end_in_zeros_keep_them() {
    let directory = tempfile::tempdir().unwrap();
    let account = with_room(directory.path());
    let zeros = "\0".repeat(3000);
    inbox(&account).append(&[large("6", &zeros)]).unwrap();
    inbox(&account).append(&[large("7", &zeros)]).unwrap();
    drop(account);
    let account = super::account(directory.path());
    inbox(&account).append(&[message("8")]).unwrap();
    for uid in [7, 8] {
        let body = inbox(&account).body(uid).unwrap();
        assert!(body.ends_with(zeros.as_bytes()) && body.len() > LARGE + zeros.len());
    }
    assert_eq!(subjects(&*inbox(&account)).len(), 9);
}

#[test]
fn whoever_leaves_gives_the_room_back() {
    let directory = tempfile::tempdir().unwrap();
    let account = with_room(directory.path());
    drop(account);
    assert_eq!(zeros_at_the_end(directory.path()), 0);
    assert_eq!(subjects(&*inbox(&super::account(directory.path()))).len(), 6);
}

#[test]
fn room_that_a_crash_has_left_is_used_and_something_torn_in_it_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    drop(with_room(directory.path()));
    let path = current(directory.path());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let end = file.metadata().unwrap().len();
    file.set_len(end + 300_000).unwrap();
    // Of a record that nobody has acknowledged a later page has reached the disk, and the first has not.
    file.write_all_at(b"half of it", end + 4096).unwrap();
    let account = account(directory.path());
    deliver(&account, "6", None).unwrap();
    inbox(&account).append(&[message("7")]).unwrap();
    assert_eq!(path.metadata().unwrap().len(), end + 300_000);
    assert_eq!(subjects(&*inbox(&account)), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    let verified = super::super::upkeep::verify(directory.path(), || 0).unwrap();
    assert!(verified.wrong.is_empty() && verified.torn.len() == 1, "{:?}", verified.torn);
}

#[test]
fn room_that_cannot_be_had_costs_no_message() {
    for from in 2..14 {
        let directory = tempfile::tempdir().unwrap();
        let failing = Failing { calls: AtomicUsize::new(0), fails: from..from + 1 };
        let account = account_on(directory.path(), Arc::new(failing));
        let mut told = Vec::new();
        for n in 0..6 {
            let subject = n.to_string();
            if account.open(&Name::inbox()).and_then(|inbox| inbox.append(&[large(&subject, "")])).is_ok() {
                told.push(subject);
            }
        }
        assert!(told.len() >= 5, "{from}: one call has failed, and {told:?} remain");
        drop(account);
        let found = subjects(&*inbox(&super::account(directory.path())));
        for subject in &told {
            assert_eq!(
                found.iter().filter(|known| *known == subject).count(),
                1,
                "{from}: {subject} in {found:?}"
            );
        }
        assert!(super::super::upkeep::verify(directory.path(), || 0).unwrap().wrong.is_empty());
    }
}

#[test]
fn files_of_version_1_are_read_and_appended_to() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    deliver(&account, "a", None).unwrap();
    drop(account);
    // The same file as the first version of the program wrote it: no byte behind a record.
    let path = current(directory.path());
    let mut bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.pop(), Some(super::super::record::END));
    bytes[8] = 1;
    let crc = crc32fast::hash(&bytes[..24]);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    OpenOptions::new().write(true).truncate(true).open(&path).unwrap().write_all(&bytes).unwrap();
    let account = super::account(directory.path());
    let inbox = inbox(&account);
    for n in 0..6 {
        inbox.append(&[large(&n.to_string(), "\0\0")]).unwrap();
    }
    assert_eq!(zeros_at_the_end(directory.path()), 2);
    deliver(&account, "b", None).unwrap();
    assert_eq!(subjects(&*inbox), ["a", "0", "1", "2", "3", "4", "5", "b"]);
    assert_whole(directory.path());
}
