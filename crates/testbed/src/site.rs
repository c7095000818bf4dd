//! A site to be started: a directory with main.cf and master.cf that a test changes as it likes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Address, Instance, Maildir, address};

/// The user who owns virtual mailboxes: the caller, or `nobody` when the caller is root.
pub fn mailbox_owner() -> (u32, u32) {
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    if uid.is_root() { (65_534, 65_534) } else { (uid.as_raw(), gid.as_raw()) }
}

/// Services that every site has besides its own.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
pickup unix n - n 60 1 pickup
showq unix n - n - - showq
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
";

/// Who has a mailbox at `box.test`.
const USERS: [&str; 9] = ["ann", "bob", "carol", "postmaster", "u0", "u1", "u2", "u3", "u4"];

/// A site that is not started yet. Some users at `box.test` (ann, bob, carol, postmaster, u0 to u4) have a Maildir.
pub struct Site {
    directory: TempDir,
    smtp: Address,
    main: String,
    master: String,
    /// A file, and the place where the program and all it starts see it.
    seen: Option<(PathBuf, PathBuf)>,
}

impl Site {
    /// A site called `name`, which takes mail by SMTP at an address of its own.
    pub fn new(name: &str) -> Site {
        let smtp = address();
        let mut site = Site::bare(smtp);
        let dir = site.path().display().to_string();
        let (uid, gid) = mailbox_owner();
        let port = smtp.port();
        site.master = format!("{}:{port} inet n - n - - smtpd\n{SERVICES}", smtp.ip());
        site.main = format!(
            "compatibility_level = 3.6\n\
             myhostname = {name}\n\
             myorigin = $myhostname\n\
             mydestination = $myhostname\n\
             mynetworks = 127.0.0.0/8\n\
             inet_interfaces = {host}\n\
             inet_protocols = ipv4\n\
             smtp_dns_support_level = disabled\n\
             smtpd_peername_lookup = no\n\
             in_flow_delay = 0\n\
             alias_maps =\n\
             alias_database =\n\
             local_recipient_maps =\n\
             mail_spool_directory = {dir}/spool\n\
             virtual_mailbox_domains = box.test\n\
             virtual_mailbox_base = {dir}/mail\n\
             virtual_mailbox_maps = inline:{{ {boxes} }}\n\
             virtual_minimum_uid = 1\n\
             virtual_uid_maps = static:{uid}\n\
             virtual_gid_maps = static:{gid}\n\
             queue_directory = {dir}/queue\n\
             data_directory = {dir}/data\n\
             maillog_file = {dir}/mail.log\n\
             maillog_file_prefixes = {dir}\n",
            host = smtp.ip(),
            boxes = USERS.map(|user| format!("{{{user}@box.test = {user}/}}")).join(" "),
        );
        site.folder("mail");
        site.folder("spool");
        site
    }

    /// Only a directory and an address, without a configuration.
    pub fn bare(smtp: Address) -> Site {
        let directory = tempfile::Builder::new().prefix("facteur-test-").tempdir().expect("/tmp is there");
        // Mailbox owners and delivery commands must pass through.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::create_dir(directory.path().join("conf")).expect("it was just made");
        Site { directory, smtp, main: String::new(), master: String::new(), seen: None }
    }

    /// A folder that belongs to the mailboxes' owner.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(&path).expect("it is ours");
        let (uid, gid) = mailbox_owner();
        chown(&path, Some(uid), Some(gid)).expect("root may, and everybody may leave it as it is");
        path
    }

    /// The same site, with the files in its configuration directory as they are.
    pub fn from_files(mut site: Site) -> Site {
        site.main.clear();
        site.master.clear();
        site
    }

    /// The program and all it starts see `file` at `place` (mount_namespaces(7): only root may).
    pub fn seeing(mut self, file: &Path, place: &str) -> Site {
        self.seen = Some((file.to_owned(), place.into()));
        self
    }

    /// What [`Site::seeing`] was told.
    pub(crate) fn seen(&self) -> Option<(&Path, &Path)> {
        self.seen.as_ref().map(|(file, place)| (file.as_path(), place.as_path()))
    }

    /// Sets a parameter; a later setting takes the place of the former one.
    pub fn set(mut self, name: &str, value: &str) -> Site {
        self.change(name, value);
        self
    }

    /// The same on a site that is in use already; see [`Instance::rewrite`].
    pub fn change(&mut self, name: &str, value: &str) {
        let start = format!("{name} =");
        let kept: Vec<&str> = self.main.lines().filter(|line| !line.starts_with(&start)).collect();
        self.main = format!("{}\n{name} = {value}\n", kept.join("\n"));
    }

    /// Gives the SMTP service a certificate for `name`; the authority is [`Site::authority`].
    pub fn with_tls(self, name: &str) -> Site {
        let (authority, chain) = crate::tls::certificate(name);
        self.put("ca.pem", &authority);
        let chain = self.put("server.pem", &chain);
        self.set("smtpd_tls_chain_files", &chain.display().to_string()).set("smtpd_tls_security_level", "may")
    }

    /// The certificate of the authority behind [`Site::with_tls`].
    pub fn authority(&self) -> PathBuf {
        self.conf().join("ca.pem")
    }

    /// Adds a line to master.cf. A line with the name and type of an existing service takes its place.
    pub fn service(mut self, line: &str) -> Site {
        let columns = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
        let kept: Vec<&str> = self.master.lines().filter(|old| columns(old) != columns(line)).collect();
        self.master = format!("{}\n{line}\n", kept.join("\n"));
        self
    }

    /// Adds `-o` options to the SMTP service of the site.
    pub fn smtpd_option(mut self, option: &str) -> Site {
        let end = self.master.find('\n').expect("the SMTP service stands first");
        self.master.insert_str(end, &format!(" -o {option}"));
        self
    }

    /// Writes a file; a relative name lies in the configuration directory.
    pub fn file(self, name: &str, text: &str) -> Site {
        self.put(name, text);
        self
    }

    /// The same, by reference; gives the path.
    pub fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.conf().join(name);
        fs::create_dir_all(path.parent().expect("it has a name")).expect("it is ours");
        fs::write(&path, text).expect("it is ours");
        path
    }

    /// A program that runs `script` in the shell.
    pub fn script(&self, name: &str, script: &str) -> PathBuf {
        let path = self.put(name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        path
    }

    /// The directory of everything.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The configuration directory.
    pub fn conf(&self) -> PathBuf {
        self.path().join("conf")
    }

    /// Where it takes mail by SMTP.
    pub fn smtp(&self) -> Address {
        self.smtp
    }

    /// As a relayhost or nexthop: `[address]:port`.
    pub fn nexthop(&self) -> String {
        format!("[{}]:{}", self.smtp.ip(), self.smtp.port())
    }

    /// The Maildir of `user@box.test`, or any below the mailboxes' base.
    pub fn maildir(&self, user: &str) -> Maildir {
        Maildir::at(self.path().join("mail").join(user)).with_log(self.path().join("mail.log"))
    }

    /// Writes main.cf and master.cf. A bare site keeps what it was given as files.
    pub fn write(&self) {
        for (name, text) in [("main.cf", &self.main), ("master.cf", &self.master)] {
            if !text.is_empty() {
                self.put(name, text);
            }
        }
    }

    /// Starts it and waits until it takes mail.
    pub fn start(self) -> Instance {
        Instance::start(self)
    }
}
