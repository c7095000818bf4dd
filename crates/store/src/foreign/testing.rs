//! The real Dovecot on a mail store of ours, for tests.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::{Account, Location, Owner, Settings, close_idle, open_account};

/// Dovecot's doveadm with a configuration of its own, and a home directory.
pub(crate) struct Dovecot {
    doveadm: PathBuf,
    directory: tempfile::TempDir,
    location: String,
    /// Dovecot does not work for root.
    id: Option<u32>,
}

/// The time.
pub(crate) fn now() -> i64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::MetadataExt::mtime(&file.as_file().metadata().unwrap())
}

impl Dovecot {
    /// Where it is installed.
    pub(crate) fn new(location: &str) -> Option<Dovecot> {
        let [doveadm] = testbed::neighbour::installed(["doveadm"])?;
        let directory = tempfile::tempdir().unwrap();
        let root = nix::unistd::getuid().is_root();
        let id = root.then_some(65534);
        let home = directory.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).unwrap();
        std::os::unix::fs::chown(&home, id, id).unwrap();
        let user = id.unwrap_or_else(|| nix::unistd::getuid().as_raw());
        let group = id.unwrap_or_else(|| nix::unistd::getgid().as_raw());
        let text = format!(
            "base_dir = {0}/run\nlog_path = /dev/stderr\nprotocols =\nssl = no\nmail_location = {location}\n\
             first_valid_uid = 0\nfirst_valid_gid = 0\nmail_uid = {user}\nmail_gid = {group}\n\
             namespace inbox {{\n inbox = yes\n}}\n",
            directory.path().display()
        );
        std::fs::write(directory.path().join("dovecot.conf"), text).unwrap();
        Some(Dovecot { doveadm, directory, location: location.to_owned(), id })
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    fn owner(&self) -> Owner {
        Owner { home: Some(self.home()), uid: self.id, gid: self.id, ..Owner::named("joe") }
    }

    /// Our account on the same place, opened anew.
    pub(crate) fn ours(&self) -> Arc<dyn Account> {
        close_idle();
        let location = Location::parse(&self.location).unwrap();
        open_account(&Arc::new(Settings::plain(now)), &location, &self.owner()).unwrap()
    }

    /// What doveadm says to these words; it must not complain.
    pub(crate) fn run(&self, words: &[&str], input: &str) -> String {
        let mut child = Command::new(&self.doveadm)
            .arg("-c")
            .arg(self.directory.path().join("dovecot.conf"))
            .args(words)
            .env("HOME", self.home())
            .env("USER", "joe")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = testbed::kept::outcome(child);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "doveadm {words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every mailbox and message as Dovecot shows it, in lines.
    pub(crate) fn shows(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let status = self.run(&["-f", "tab", "mailbox", "status", "messages uidvalidity uidnext", "*"], "");
        for line in status.lines().skip(1) {
            let words: Vec<&str> = line.split('\t').collect();
            lines.push(format!("{} has {}, next {}, validity {}", words[0], words[1], words[2], words[3]));
        }
        let fetch =
            self.run(&["-f", "tab", "fetch", "mailbox uid flags size.virtual hdr.subject", "all"], "");
        for line in fetch.lines().skip(1) {
            let words: Vec<&str> = line.split('\t').collect();
            let mut flags: Vec<&str> =
                words[2].split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent").collect();
            flags.sort_unstable();
            lines.push(format!("{} {} {} {} {}", words[0], words[1], flags.join(" "), words[3], words[4]));
        }
        lines.push(format!("subscribed: {}", sorted(self.run(&["mailbox", "list", "-s"], "").lines())));
        lines.sort();
        lines
    }
}

fn sorted<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_unstable();
    lines.join(", ")
}

/// Every mailbox and message as we show it, in the same lines.
pub(crate) fn shows(account: &Arc<dyn Account>) -> Vec<String> {
    let separator = account.separator();
    let mut lines = Vec::new();
    for folder in account.folders().unwrap().into_iter().filter(|folder| folder.selectable) {
        let mailbox = account.open(&folder.name).unwrap();
        let view = mailbox.refresh().unwrap();
        let name = folder.name.shown(separator);
        lines.push(format!(
            "{name} has {}, next {}, validity {}",
            view.len(),
            view.uidnext,
            view.uidvalidity
        ));
        for entry in view.iter() {
            let mut flags: Vec<&str> = entry.flags.names().collect();
            flags.extend(view.keyword_names(entry.keywords));
            flags.sort_unstable();
            let body = mailbox.body(entry.uid).unwrap();
            assert_eq!(body.len(), entry.size as usize, "{name} {}", entry.uid);
            let text = String::from_utf8_lossy(&body).into_owned();
            let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default();
            lines.push(format!("{name} {} {} {} {subject}", entry.uid, flags.join(" "), entry.size));
        }
    }
    let subscribed: Vec<String> =
        account.subscriptions().unwrap().iter().map(|name| name.shown(separator)).collect();
    lines.push(format!("subscribed: {}", sorted(subscribed.iter().map(String::as_str))));
    lines.sort();
    lines
}

/// A directory of this home.
pub(crate) fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}
