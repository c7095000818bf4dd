use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use queue::Body;

use super::*;

fn mbox(path: &Path, kinds: &[Lock]) -> Place {
    Place::Mbox(MboxPlace {
        path: path.to_owned(),
        locking: Locking {
            kinds: kinds.to_vec(),
            attempts: 2,
            delay: Duration::from_millis(1),
            stale: Duration::from_secs(500),
            dotlock_may_fail: false,
        },
        open_as: OpenAs::User,
        strict_owner: true,
        special: false,
        unexplained: Unexplained::LATER,
    })
}

fn maildir(path: &Path) -> Place {
    Place::Maildir(maildir_place(path, "Q1A2N0"))
}

fn maildir_place(path: &Path, token: &str) -> MaildirPlace {
    MaildirPlace {
        directory: path.to_owned(),
        stamp: (1_000_000_000, 42),
        token: token.to_owned(),
        host: "mx.test".to_owned(),
        again: false,
    }
}

/// A user that tests may be: ourselves, or nobody when we are root.
fn rights() -> Rights {
    match Rights::own() {
        Rights { uid: 0, .. } => Rights { uid: 65534, gid: 65534 },
        own => own,
    }
}

fn home() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).expect("chmod");
    let path = dir.path().to_owned();
    (dir, path)
}

fn deliver(place: Place, text: &str, limit: u64) -> Result<(), Failure> {
    let job = MailboxJob { rights: rights(), place, head: b"From s  date\n".to_vec(), limit };
    carry_out(&job, &Body::from(Bytes::copy_from_slice(text.as_bytes())), &|| 2_000_000_000)
}

fn carry_out(job: &MailboxJob, content: &Body, now: &dyn Fn() -> u64) -> Result<(), Failure> {
    let mut batch = Batch::default();
    batch.add(job, Content::Queued(content), now);
    batch.finish().pop().expect("one was added")
}

#[test]
fn a_maildir_is_made_and_its_messages_have_names_of_their_own() {
    let (_dir, home) = home();
    for _ in 0..3 {
        deliver(maildir(&home.join("a/b/Maildir")), "x\n", 0).expect("delivered");
    }
    let new: Vec<_> = std::fs::read_dir(home.join("a/b/Maildir/new")).expect("new").flatten().collect();
    assert_eq!(new.len(), 3);
    for entry in &new {
        let name = entry.file_name().into_string().expect("text");
        assert!(name.starts_with("1000000000.V") && name.ends_with("M42Q1A2N0.mx.test"), "{name}");
        assert_eq!(entry.metadata().expect("metadata").permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_dir(home.join("a/b/Maildir/tmp")).expect("tmp").count(), 0);
}

#[test]
fn a_maildir_that_fails_leaves_nothing_behind() {
    let (_dir, home) = home();
    let failure = deliver(maildir(&home), "a message too large\n", 10).expect_err("too large");
    assert_eq!(failure.refusal("").status().to_string(), "5.2.2");
    assert_eq!(std::fs::read_dir(home.join("tmp")).expect("tmp").count(), 0);
    assert_eq!(std::fs::read_dir(home.join("new")).expect("new").count(), 0);
}

#[test]
fn mbox_messages_follow_one_another_and_a_full_one_is_cut_back() {
    let (_dir, home) = home();
    let path = home.join("box");
    let all = [Lock::Fcntl, Lock::Flock, Lock::Dotlock];
    deliver(mbox(&path, &all), "Subject: a\n\nFrom x\n", 0).expect("delivered");
    deliver(mbox(&path, &all), "Subject: b\n", 0).expect("delivered");
    let text = "From s  date\nSubject: a\n\n>From x\n\nFrom s  date\nSubject: b\n\n";
    assert_eq!(std::fs::read_to_string(&path).expect("text"), text);
    let failure = deliver(mbox(&path, &all), "Subject: c\n", text.len() as u64 + 20).expect_err("full");
    assert_eq!(failure.text, "error writing message: File too large");
    assert_eq!(std::fs::read_to_string(&path).expect("text"), text);
    assert!(!home.join("box.lock").exists());
}

#[test]
fn a_locked_mbox_is_for_later_and_a_stale_lock_is_broken() {
    let (_dir, home) = home();
    let path = home.join("box");
    let lock = home.join("box.lock");
    std::fs::write(&lock, "").expect("a lock");
    let job =
        MailboxJob { rights: rights(), place: mbox(&path, &[Lock::Dotlock]), head: Vec::new(), limit: 0 };
    let body = Body::from(Bytes::from_static(b"x\n"));
    // The clock stands before the lock was made: it is fresh.
    let failure = carry_out(&job, &body, &|| 0).expect_err("locked");
    assert_eq!(failure.class, mail::Class::Later);
    assert!(failure.text.starts_with("unable to create lock file "), "{}", failure.text);
    std::fs::set_permissions(&lock, PermissionsExt::from_mode(0o666)).expect("chmod");
    carry_out(&job, &body, &|| u64::MAX).expect("a stale lock is broken");
}

#[test]
fn an_mbox_that_cannot_be_an_mbox() {
    let (_dir, home) = home();
    let failure =
        deliver(mbox(&home.join("none/box"), &[Lock::Dotlock]), "x\n", 0).expect_err("no directory");
    assert_eq!(
        failure.text,
        format!("unable to create lock file {}/none/box.lock: No such file or directory", home.display())
    );
    assert_eq!(failure.class, mail::Class::Later);
    let failure = deliver(mbox(Path::new("/dev/zero"), &[]), "x\n", 0).expect_err("a device");
    assert_eq!(failure.text, "destination /dev/zero is not a regular file");
}

/// The names in `new` and `cur`.
fn names(maildir: &Path) -> Vec<String> {
    let list = |name| std::fs::read_dir(maildir.join(name)).expect("a Maildir").flatten();
    let both = list("new").chain(list("cur"));
    both.map(|entry| entry.file_name().into_string().expect("text")).collect()
}

#[test]
fn an_attempt_made_again_finds_what_the_one_before_has_left() {
    let (_dir, home) = home();
    let place = |token, again| Place::Maildir(MaildirPlace { again, ..maildir_place(&home, token) });
    deliver(place("QaA1N0", false), "x\n", 0).expect("delivered");
    deliver(place("QaA1N0", true), "x\n", 0).expect("delivered before");
    assert_eq!(names(&home).len(), 1);
    // Another recipient of the message, and another message.
    deliver(place("QaA1N01", true), "x\n", 0).expect("delivered");
    deliver(place("QaA12N0", true), "x\n", 0).expect("delivered");
    assert_eq!(names(&home).len(), 3);
    // Its reader has seen it meanwhile.
    for name in names(&home) {
        std::fs::rename(home.join("new").join(&name), home.join("cur").join(format!("{name}:2,S")))
            .expect("moved");
    }
    deliver(place("QaA1N0", true), "x\n", 0).expect("delivered before");
    assert_eq!(names(&home).len(), 3);
}

#[test]
fn a_batch_goes_on_after_a_failure() {
    let (_dir, home) = home();
    let mut batch = Batch::default();
    let body = Body::from(Bytes::from_static(b"x\n"));
    let job = |name: &str, limit| MailboxJob {
        rights: rights(),
        place: maildir(&home.join(name)),
        head: Vec::new(),
        limit,
    };
    batch.add(&job("a", 0), Content::Queued(&body), &|| 0);
    batch.add(&job("b", 1), Content::Queued(&body), &|| 0);
    batch.refuse(Failure::plain("no", Unexplained::LATER));
    batch.add(&job("c", 0), Content::Queued(&body), &|| 0);
    assert_eq!(std::fs::read_dir(home.join("a/new")).expect("new").count(), 0, "seen before it is on disk");
    let outcomes: Vec<_> = batch.finish().into_iter().map(|outcome| outcome.is_ok()).collect();
    assert_eq!(outcomes, [true, false, false, true]);
    assert_eq!((names(&home.join("a")).len(), names(&home.join("c")).len()), (1, 1));
}
