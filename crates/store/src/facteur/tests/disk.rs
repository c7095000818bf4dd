//! Disks that fail, and files that are torn.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A disk that fails from the n-th write or sync on, for some calls.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) calls: AtomicUsize,
    pub(super) fails: std::ops::Range<usize>,
}

impl Failing {
    fn call(&self) -> io::Result<()> {
        match self.fails.contains(&self.calls.fetch_add(1, Ordering::Relaxed)) {
            true => Err(io::Error::from_raw_os_error(28)),
            false => Ok(()),
        }
    }
}

impl Disk for Failing {
    fn write(&self, file: &File, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        if let Err(error) = self.call() {
            // A full disk takes a part of it.
            if let Some(first) = pieces.first() {
                file.write_all_at(&first[..first.len() / 2], offset)?;
            }
            return Err(error);
        }
        RealDisk.write(file, pieces, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.call()?;
        RealDisk.sync(file)
    }

    fn sync_all(&self, file: &File) -> io::Result<()> {
        self.call()?;
        RealDisk.sync(file)
    }
}

#[test]
fn what_was_acknowledged_survives_every_failure() {
    for from in 0..40 {
        let directory = tempfile::tempdir().unwrap();
        let failing = Failing { calls: AtomicUsize::new(0), fails: from..from + 1 + from % 3 };
        let account = account_on(directory.path(), Arc::new(failing));
        let mut told = Vec::new();
        for n in 0..8 {
            let subject = format!("d{n}");
            // As a queue does: again, until it was taken.
            while deliver(&account, &subject, Some(&subject)).is_err() {}
            told.push(subject);
            let subject = format!("a{n}");
            if account.open(&Name::inbox()).and_then(|inbox| inbox.append(&[message(&subject)])).is_ok() {
                told.push(subject);
            }
        }
        drop(account);
        let account = super::account(directory.path());
        let found = subjects(&*inbox(&account));
        for subject in &told {
            assert_eq!(
                found.iter().filter(|known| *known == subject).count(),
                1,
                "{from}: {subject} in {found:?}"
            );
        }
    }
}

#[test]
fn of_a_round_only_what_is_durable_is_acknowledged() {
    for from in 0..12 {
        let directory = tempfile::tempdir().unwrap();
        let failing: Arc<dyn Disk> = Arc::new(Failing { calls: AtomicUsize::new(0), fails: from..from + 1 });
        let places = ["a", "b", "c", "d"].map(|name| directory.path().join(name));
        let (mut round, mut added) = (crate::Round::default(), Vec::new());
        for place in &places {
            let account = account_on(place, Arc::clone(&failing));
            let (content, mailbox) = (text("s"), Name::inbox());
            let delivery = Delivery {
                mailbox: &mailbox,
                create: false,
                id: Some("1"),
                content: &[content.as_bytes()],
                received: 9,
                flags: Flags::NONE,
                keywords: &[],
            };
            added.push(round.add(&*account, &delivery).is_ok());
        }
        let mut settled = round.settle().into_iter();
        for (place, added) in places.iter().zip(added) {
            let account = account(place);
            let stored = added && settled.next().unwrap().is_ok();
            assert!(!stored || subjects(&*inbox(&account)) == ["s"], "{from}");
            // Whoever was refused asks again, and it is there once.
            deliver(&account, "s", Some("1")).unwrap();
            assert_eq!(subjects(&*inbox(&account)), ["s"], "{from}");
        }
    }
}

#[test]
fn a_torn_record_costs_only_itself() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    deliver(&account, "a", None).unwrap();
    let current = directory.path().join("bodies/current");
    let len = current.metadata().unwrap().len();
    deliver(&account, "b", None).unwrap();
    deliver(&account, "c", None).unwrap();
    // The second record is damaged, and something half written follows the last.
    let file = OpenOptions::new().write(true).open(&current).unwrap();
    file.write_all_at(b"XX", len + 60).unwrap();
    let mut half = OpenOptions::new().append(true).open(&current).unwrap();
    let head = std::fs::read(&current).unwrap()[16..24].to_vec();
    half.write_all(&head).unwrap();
    half.write_all(b"\x99\0\0\0\x10\0\0\0\xff\0\0\0").unwrap();
    deliver(&account, "d", None).unwrap();
    assert_eq!(subjects(&*inbox(&account)), ["a", "c", "d"]);
}

#[test]
fn damage_is_told_and_not_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let account = account(directory.path());
    let inbox = inbox(&account);
    inbox.append(&[message("a"), message("b")]).unwrap();
    let current = directory.path().join("bodies/current");
    let bytes = std::fs::read(&current).unwrap();
    let at = bytes.windows(9).position(|window| window == b"body of a").unwrap();
    OpenOptions::new().write(true).open(&current).unwrap().write_all_at(b"Body", at as u64).unwrap();
    assert!(matches!(inbox.body(1), Err(crate::Error::Damaged(_))));
    assert_eq!(inbox.body(2).unwrap(), text("b"));
}

#[test]
fn after_a_power_failure_no_uid_is_given_out_again() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    inbox(&account(root)).append(&[message("a")]).unwrap();
    // The catalogue as it was synced last; what followed was in the page cache alone.
    let saved = root.join("saved");
    std::fs::create_dir(&saved).unwrap();
    for file in ["catalogue", "catalogue-wal"] {
        std::fs::copy(root.join(file), saved.join(file)).unwrap();
    }
    let account = account(root);
    let inbox = inbox(&account);
    let modseq = {
        assert_eq!(inbox.append(&[message("b"), message("c")]).unwrap(), [2, 3]);
        flag(&*inbox, &[3], Mode::Add, Flags::DELETED);
        inbox.expunge(None).unwrap();
        inbox.view().modseq
    };
    drop((inbox, account));
    for file in ["catalogue", "catalogue-wal"] {
        std::fs::copy(saved.join(file), root.join(file)).unwrap();
    }
    let _ = std::fs::remove_file(root.join("catalogue-shm"));
    let db = rusqlite::Connection::open(root.join("catalogue")).unwrap();
    db.execute("UPDATE state SET value = 'before' WHERE name = 'boot'", []).unwrap();
    drop(db);
    let account = super::account(root);
    let inbox = super::inbox(&account);
    assert_eq!(subjects(&*inbox), ["a", "b", "c"]);
    let found = uids(&*inbox);
    assert!(found[0] == 1 && found[1] > 3, "{found:?}");
    assert!(inbox.view().modseq > modseq);
}
