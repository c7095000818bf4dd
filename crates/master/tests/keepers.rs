//! The process that takes logins, and the keeper of a user, were taken over: each tries what it must not be able to do.
//! Needs root; a process of its own, as promises cannot be taken back.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use master::{Door, Front, Heard, Identity, Keeping, Lanes, Purpose, Rules, Staff};

/// `mail_owner`, who takes logins here, too; and two users.
const OWNER: Identity = Identity { uid: 64_911, gid: 64_911 };
const JOE: Identity = Identity { uid: 64_912, gid: 64_912 };
const ANN: Identity = Identity { uid: 64_913, gid: 64_913 };

struct House {
    root: PathBuf,
}

fn main() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can give up root");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().to_owned();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("chmod");
    for (name, mode, owner) in [
        ("queue", 0o700, OWNER),
        ("readable", 0o755, OWNER),
        ("open", 0o777, OWNER),
        // Nobody may make a file in the spool but its group.
        ("spool", 0o775, Identity { uid: 0, gid: 0 }),
    ] {
        let path = root.join(name);
        fs::create_dir(&path).expect("mkdir");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
        chown(&path, Some(owner.uid), Some(owner.gid)).expect("chown");
    }
    for (name, mode, owner) in [
        ("spool/joe", 0o600, JOE),
        ("spool/ann", 0o600, ANN),
        ("key", 0o600, Identity { uid: 0, gid: 0 }),
        // A mailbox that everybody may read: only Landlock keeps the process of logins out.
        ("open/mailbox", 0o644, JOE),
        ("readable/table", 0o644, OWNER),
    ] {
        let path = root.join(name);
        fs::write(&path, name).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
        chown(&path, Some(owner.uid), Some(owner.gid)).expect("chown");
    }
    let status = master::run(&House { root: root.clone() }).expect("the parent runs");
    let report = fs::read_to_string(root.join("queue/report")).unwrap_or_default();
    assert_eq!((status, report.as_str()), (0, ""), "what they could do, or could not");
    println!("ok: logins and keepers are confined");
}

impl Staff for House {
    fn rules(&self) -> Option<Rules> {
        Some(Rules {
            files: [self.root.join("key")].into(),
            keepers: Keeping { uids: 64_912..=64_913, gids: 64_912..=64_913, most: 2, ..Keeping::default() },
            sockets: [self.root.join("queue/socket")].into(),
            spool: Some(self.root.join("spool")),
            ..Rules::default()
        })
    }

    fn owner(&self) -> (Identity, Vec<PathBuf>) {
        (OWNER, vec![self.root.join("queue")])
    }

    fn open_log(&self) -> io::Result<Option<File>> {
        Ok(None)
    }

    fn ready(&self) {}

    /// Waits for the report of the others, and gives it on.
    fn work(&self, door: Door, _: Vec<String>) -> u8 {
        let file = self.root.join("queue/logins");
        let mut wrong = String::from("nothing was heard of logins");
        for _ in 0..6_000 {
            if let Ok(told) = fs::read_to_string(&file)
                && let Some(told) = told.strip_suffix('.')
            {
                told.clone_into(&mut wrong);
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // A delivery goes to the same process as a session.
        let kept = door.mailboxes(JOE).and_then(ask);
        match kept {
            Ok(told) if told == "Mail 64912 " => {}
            told => wrong += &format!("; deliveries to joe: {told:?}"),
        }
        fs::write(self.root.join("queue/report"), wrong).map_or(1, |()| 0)
    }

    fn front(&self) -> Option<Front> {
        Some(Front::Logins {
            who: OWNER,
            readable: vec![self.root.join("readable"), "/proc".into()],
            writable: vec![self.root.join("queue")],
        })
    }

    fn take_logins(&self, door: Door, missing: Vec<String>) -> u8 {
        let confined = !missing.iter().any(|what| what.starts_with("Landlock"));
        let user = |uid, gid| door.mailboxes(Identity { uid, gid });
        let mut wrong: Vec<String> = [
            ("reads a mailbox", File::open(self.root.join("spool/joe")).is_ok()),
            ("reads what all may read", confined && File::open(self.root.join("open/mailbox")).is_ok()),
            ("writes where all may write", confined && File::create(self.root.join("open/x")).is_ok()),
            ("cannot read its table", File::open(self.root.join("readable/table")).is_err()),
            ("starts a program", Command::new("/bin/true").status().is_ok()),
            ("becomes root", nix::unistd::setuid(0.into()).is_ok()),
            ("signals others", nix::sys::signal::kill(nix::unistd::getpid(), None).is_ok()),
            ("delivers", door.deliverer(JOE, None).is_ok()),
            ("makes lock files", door.lock(&self.root.join("spool/joe.lock")).is_ok()),
            ("cannot read its key", door.open(&self.root.join("key")).is_err()),
            ("has a keeper of root's", user(0, 0).is_ok() || user(64_912, 0).is_ok()),
            ("has a keeper of a user who may have none", user(64_914, 64_912).is_ok()),
            ("has a socket that nobody named", door.socket(&self.root.join("queue/other")).is_ok()),
            ("has no socket", door.socket(&self.root.join("queue/socket")).is_err()),
            ("has its socket once only", door.socket(&self.root.join("queue/socket")).is_err()),
        ]
        .iter()
        .filter(|(_, wrong)| *wrong)
        .map(|(what, _)| (*what).to_owned())
        .collect();
        for (who, expected) in [(JOE, "Session 64912 "), (ANN, "Session 64913 ")] {
            let told = door.mailboxes(who).and_then(ask);
            if !told.as_ref().is_ok_and(|told| told == expected) {
                wrong.push(format!("session of {}: {told:?}", who.uid));
            }
        }
        let full =
            door.mailboxes(Identity { uid: 64_912, gid: 64_913 }).map_err(|error| error.raw_os_error());
        if full.err() != Some(Some(libc::EUSERS)) {
            wrong.push("a third keeper where two are allowed".to_owned());
        }
        let told = wrong.join(", ") + ".";
        let written = fs::write(self.root.join("queue/logins"), told);
        std::thread::park_timeout(Duration::from_secs(60));
        written.map_or(1, |()| 0)
    }

    fn keep(&self, _: Door, _: Lanes) -> u8 {
        unreachable!("each user has a keeper")
    }

    fn keep_for(&self, who: Identity, door: Door, lanes: Lanes) -> u8 {
        let (own, other) = if who == JOE { ("joe", "ann") } else { ("ann", "joe") };
        let (own, other) = (self.root.join("spool").join(own), self.root.join("spool").join(other));
        let lock = |file: &Path| PathBuf::from(format!("{}.lock", file.display()));
        let first = door.lock(&lock(&own));
        let again = door.lock(&lock(&own));
        let freed = door.unlock(&lock(&own));
        let wrong = [
            ("cannot read its mailbox", File::open(&own).is_err()),
            ("reads another's", File::open(&other).is_ok()),
            ("starts a program", Command::new("/bin/true").status().is_ok()),
            ("becomes root", nix::unistd::setuid(0.into()).is_ok()),
            ("has a keeper of another", door.mailboxes(JOE).is_ok() || door.mailboxes(ANN).is_ok()),
            ("reads a key", door.open(&self.root.join("key")).is_ok()),
            ("has sockets", door.socket(&self.root.join("queue/socket")).is_ok()),
            ("cannot lock its mailbox", first.is_err() || again.is_ok() || freed.is_err()),
            ("locks another's", door.lock(&lock(&other)).is_ok()),
            ("locks elsewhere", door.lock(&lock(&self.root.join("open/mailbox"))).is_ok()),
        ];
        let wrong: Vec<_> = wrong.iter().filter(|(_, wrong)| *wrong).map(|(what, _)| *what).collect();
        while let Heard::Lane(purpose, mut lane, _) = lanes.wait(None) {
            let purpose = if purpose == Purpose::Mail { "Mail" } else { "Session" };
            // Who has asked finds what is missing.
            let _ = write!(lane, "{purpose} {} {}", nix::unistd::geteuid(), wrong.join(", "));
        }
        0
    }

    fn deliver(&self, _: Identity, _: &Lanes) {
        unreachable!("no rule allows it");
    }

    fn check(&self, _: &Lanes) {
        unreachable!("no rule allows it");
    }
}

fn ask(mut lane: UnixStream) -> io::Result<String> {
    let mut text = String::new();
    lane.read_to_string(&mut text)?;
    Ok(text)
}
