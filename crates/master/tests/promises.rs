//! A worker that was taken over tries what it must not be able to do. Needs root; a process of its own, because
//! promises cannot be taken back and only a process with one thread may be copied.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use master::{Door, Front, Identity, Lanes, Rules, Staff};

/// `mail_owner`, and a user whose mailbox is none of its business. Neither needs an account.
const OWNER: Identity = Identity { uid: 64_901, gid: 64_901 };
const USER: Identity = Identity { uid: 64_902, gid: 64_902 };

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
    fs::create_dir(root.join("queue")).expect("mkdir");
    // Everybody may write here, as in /tmp: only Landlock keeps the worker out.
    fs::create_dir(root.join("outside")).expect("mkdir");
    fs::set_permissions(root.join("outside"), fs::Permissions::from_mode(0o777)).expect("chmod");
    chown(root.join("queue"), Some(OWNER.uid), Some(OWNER.gid)).expect("chown");
    for (name, owner) in [("mailbox", USER.uid), ("key", 0), ("secret", 0)] {
        fs::write(root.join(name), name).expect("a file");
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o600)).expect("chmod");
        chown(root.join(name), Some(owner), Some(owner)).expect("chown");
    }
    let status = master::run(&House { root: root.clone() }).expect("the parent runs");
    let report = fs::read_to_string(root.join("queue/report")).unwrap_or_default();
    assert_eq!((status, report.as_str()), (0, ""), "what a worker could do, or could not");
    println!("ok: the worker is confined");
}

impl Staff for House {
    fn rules(&self) -> Option<Rules> {
        Some(Rules { files: [self.root.join("key")].into(), named: [USER].into(), ..Rules::default() })
    }

    fn owner(&self) -> (Identity, Vec<PathBuf>) {
        (OWNER, vec![self.root.join("queue")])
    }

    fn open_log(&self) -> io::Result<Option<File>> {
        Ok(None)
    }

    fn ready(&self) {}

    fn work(&self, door: Door, missing: Vec<String>) -> u8 {
        let mut wrong = Vec::new();
        let mut check = |what: &str, holds: bool| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        let unreadable = |path: &Path| File::open(path).is_err() && door.open(path).is_err();
        check("reads a mailbox", unreadable(&self.root.join("mailbox")));
        check("reads a secret of root", unreadable(&self.root.join("secret")));
        check("reads /etc/shadow", unreadable(Path::new("/etc/shadow")));
        check("starts a program", Command::new("/bin/true").status().is_err());
        check("becomes root", nix::unistd::setuid(0.into()).is_err());
        check("writes to /etc", File::create("/etc/facteur-test").is_err());
        let confined = !missing.iter().any(|what| what.starts_with("Landlock"));
        check(
            "writes to a directory for all",
            !confined || File::create(self.root.join("outside/x")).is_err(),
        );
        check("delivers as root's group", door.deliverer(Identity { uid: USER.uid, gid: 0 }, None).is_err());
        check("has logins checked that nobody configured", door.checker().is_err());
        check("listens anywhere", door.listen("127.0.0.1:23".parse().expect("an address")).is_err());
        check("cannot write its queue", File::create(self.root.join("queue/x")).is_ok());
        check("cannot read its key", door.open(&self.root.join("key")).is_ok());
        let as_user = door.deliverer(USER, None).and_then(|mut lane| {
            let mut text = String::new();
            lane.read_to_string(&mut text).map(|_| text)
        });
        check("cannot deliver as a user", as_user.is_ok_and(|text| text == "64902 64902 mailbox"));
        let kept = door.keeper().and_then(|mut lane| {
            let mut text = String::new();
            lane.read_to_string(&mut text).map(|_| text)
        });
        let kept = kept.unwrap_or_else(|error| error.to_string());
        check(&format!("the keeper: {kept:?}"), kept == "64902 64902 ");
        fs::write(self.root.join("queue/report"), wrong.join(", ")).map_or(1, |()| 0)
    }

    fn front(&self) -> Option<Front> {
        Some(Front::Keeper(USER))
    }

    fn take_logins(&self, _: Door, _: Vec<String>) -> u8 {
        unreachable!("the keeper has all mailboxes")
    }

    fn keep_for(&self, _: Identity, _: Door, _: Lanes) -> u8 {
        unreachable!("nobody asks for one")
    }

    fn keep(&self, door: Door, lanes: Lanes) -> u8 {
        let wrong = [
            ("reads a secret of root", File::open(self.root.join("secret")).is_ok()),
            ("starts a program", Command::new("/bin/true").status().is_ok()),
            ("becomes root", nix::unistd::setuid(0.into()).is_ok()),
            ("delivers as others", door.deliverer(USER, None).is_ok()),
            ("asks for itself", door.keeper().is_ok()),
            ("cannot read its key", door.open(&self.root.join("key")).is_err()),
        ];
        let wrong: Vec<_> = wrong.iter().filter(|(_, wrong)| *wrong).map(|(what, _)| *what).collect();
        if let Some((mut lane, _)) = lanes.next() {
            answer(&mut lane, &wrong.join(", "));
        }
        0
    }

    fn deliver(&self, _: Identity, lanes: &Lanes) {
        let Some((mut lane, _)) = lanes.next() else { return };
        let mailbox = fs::read_to_string(self.root.join("mailbox")).unwrap_or_default();
        answer(&mut lane, &mailbox);
    }

    fn check(&self, _: &Lanes) {
        unreachable!("no rule allows it");
    }
}

fn answer(lane: &mut UnixStream, mailbox: &str) {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    // The worker finds what is missing.
    let _ = write!(lane, "{uid} {gid} {mailbox}");
}
