//! A real Postfix in a directory of its own, for tests that need one on the other side.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use testbed::{Client, Kept, Site, address, wait};

/// A Postfix of our own in a temporary directory.
pub struct Postfix {
    master: Kept,
    /// Its directory and address.
    pub site: Site,
}

impl Postfix {
    /// Starts it; mail for `box.test` stays there, the rest goes to `relayhost`. `more` is added to its main.cf.
    pub fn start(master: PathBuf, relayhost: &str, more: &str) -> Postfix {
        Postfix::launch(master, Postfix::prepare(relayhost, more))
    }

    /// Its configuration and spool, as its start script would leave them.
    pub fn prepare(relayhost: &str, more: &str) -> Site {
        let smtp = address();
        let site = Site::bare(smtp);
        let dir = site.path().display().to_string();
        for folder in ["data", "log"] {
            fs::create_dir(site.path().join(folder)).expect("it is ours");
        }
        let postfix =
            nix::unistd::User::from_name("postfix").expect("users can be asked for").expect("its package is");
        chown(site.path().join("data"), Some(postfix.uid.as_raw()), None).expect("root may");
        site.folder("mail");
        let queue = site.path().join("queue");
        let group = nix::unistd::Group::from_name("postdrop")
            .expect("groups can be asked for")
            .expect("its package is");
        // What its start script would make; the program itself does not.
        for (folder, mode, gid) in [
            ("pid", 0o755, None),
            ("active", 0o700, Some(0)),
            ("bounce", 0o700, Some(0)),
            ("corrupt", 0o700, Some(0)),
            ("defer", 0o700, Some(0)),
            ("deferred", 0o700, Some(0)),
            ("flush", 0o700, Some(0)),
            ("hold", 0o700, Some(0)),
            ("incoming", 0o700, Some(0)),
            ("private", 0o700, Some(0)),
            ("saved", 0o700, Some(0)),
            ("trace", 0o700, Some(0)),
            ("maildrop", 0o1730, Some(group.gid.as_raw())),
            ("public", 0o2710, Some(group.gid.as_raw())),
        ] {
            let path = queue.join(folder);
            fs::create_dir_all(&path).expect("it is ours");
            if gid.is_some() {
                chown(&path, Some(postfix.uid.as_raw()), gid).expect("root may");
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        site.put(
            "main.cf",
            &format!(
                "compatibility_level = 3.6\nqueue_directory = {dir}/queue\ndata_directory = {dir}/data\n\
                 maillog_file = {dir}/mail.log\nmaillog_file_prefixes = {dir}\nmyhostname = real.test\n\
                 mydestination =\nmynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
                 smtp_dns_support_level = disabled\nsmtpd_peername_lookup = no\nalias_maps =\nalias_database =\n\
                 local_recipient_maps =\nrelayhost = {relayhost}\nvirtual_mailbox_domains = box.test\n\
                 virtual_mailbox_base = {dir}/mail\nvirtual_mailbox_maps = inline:{{bob@box.test=bob/}}\n\
                 virtual_minimum_uid = 1\nvirtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n{more}"
            ),
        );
        let mut master_cf = format!("{}:{} inet n - n - - smtpd\n", smtp.ip(), smtp.port());
        for line in [
            "pickup unix n - n 60 1 pickup",
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite",
            "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce",
            "verify unix - - n - 1 verify",
            "proxymap unix - - n - - proxymap",
            "smtp unix - - n - - smtp",
            "lmtp unix - - n - - lmtp",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            "local unix - n n - - local",
            "virtual unix - n n - - virtual",
            "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache",
            "postlog unix-dgram n - n - 1 postlogd",
        ] {
            master_cf.push_str(line);
            master_cf.push('\n');
        }
        site.put("master.cf", &master_cf);
        site
    }

    /// Starts what was prepared.
    pub fn launch(master: PathBuf, site: Site) -> Postfix {
        let smtp = site.smtp();
        // Its master must lead a session of its own, and closes every descriptor that it might have.
        let child = Command::new("setsid")
            .args(["--wait", "/bin/sh", "-c", "ulimit -n 1024; exec \"$@\"", "sh"])
            .args([master.as_os_str(), "-c".as_ref(), site.conf().as_os_str(), "-s".as_ref()])
            .current_dir(site.path())
            .env("MAIL_CONFIG", site.conf())
            .stdin(Stdio::null())
            .stdout(fs::File::create(site.path().join("output")).expect("it is ours"))
            .stderr(fs::File::create(site.path().join("errors")).expect("it is ours"))
            .spawn()
            .expect("it starts");
        let postfix = Postfix { master: Kept::new(child), site };
        let up = wait::within(wait::LIMIT, || Client::connect(smtp).ok());
        assert!(up.is_some(), "{}", postfix.log());
        postfix
    }

    /// Ends it in good order; its spool stays.
    pub fn stop(mut self) -> Site {
        self.end();
        let empty = Site::bare(self.site.smtp());
        std::mem::replace(&mut self.site, empty)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        let files = ["errors", "mail.log"].map(|name| self.site.path().join(name));
        files.map(|file| fs::read_to_string(file).unwrap_or_default()).concat()
    }
}

impl Postfix {
    fn end(&mut self) {
        // Its master ends its children when it is told to; killed, it would leave them.
        let file = self.site.path().join("queue/pid/master.pid");
        if let Some(pid) = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        self.master.wait();
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.end();
    }
}
