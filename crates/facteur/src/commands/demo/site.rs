//! The demo's directory: configuration, certificate, users.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::certificate;

/// The demo's users; their domain is [`DOMAIN`].
pub const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// Their passwords. The demo listens on this machine alone.
pub const PASSWORDS: [&str; 3] = ["alice-demo", "bob-demo", "carol-demo"];

/// The demo's domain (RFC 2606 keeps `.test` out of the real DNS).
pub const DOMAIN: &str = "demo.test";

/// Ports are at most so far above the base.
pub const PORT_SPAN: u16 = 999;

/// A prepared directory.
pub struct Site {
    /// Everything is in here.
    pub directory: PathBuf,
    /// `base + 25`.
    pub smtp_port: u16,
    /// `base + 87`: STARTTLS is mandatory.
    pub submission_port: u16,
    /// `base + 143`
    pub imap_port: u16,
    /// `base + 110`
    pub pop3_port: u16,
    /// `base + 493`: 993 as seen from the ports of a site without root.
    pub imaps_port: u16,
    /// `base + 495`: 995, likewise.
    pub pop3s_port: u16,
    /// `base + 24`
    pub lmtp_port: u16,
}

impl Site {
    /// Makes the directory, or takes up the one of a former start.
    pub fn prepare(directory: &Path, base_port: u16) -> Result<Site, String> {
        private(directory)?;
        for name in ["conf", "queue", "data", "mail", "tls"] {
            private(&directory.join(name))?;
        }
        certificate::prepare(&directory.join("tls"))?;
        let site = Site {
            directory: directory.to_owned(),
            smtp_port: base_port + 25,
            submission_port: base_port + 87,
            imap_port: base_port + 143,
            pop3_port: base_port + 110,
            imaps_port: base_port + 493,
            pop3s_port: base_port + 495,
            lmtp_port: base_port + 24,
        };
        let owner = mailbox_owner();
        if nix::unistd::getuid().is_root() {
            let mail = directory.join("mail");
            let (uid, gid) = (nix::unistd::Uid::from_raw(owner.0), nix::unistd::Gid::from_raw(owner.1));
            nix::unistd::chown(&mail, Some(uid), Some(gid))
                .map_err(|error| format!("{}: {error}", mail.display()))?;
            // The mailboxes' owner must pass through to its directory.
            let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o711);
            fs::set_permissions(directory, open)
                .map_err(|error| format!("{}: {error}", directory.display()))?;
        }
        site.write_users(owner)?;
        site.write("conf/main.cf", &site.main_cf(owner))?;
        site.write("conf/master.cf", &site.master_cf())?;
        Ok(site)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// The file of accounts, in Dovecot's form: it is the owner's alone.
    fn write_users(&self, (uid, gid): (u32, u32)) -> Result<(), String> {
        let mut text = String::new();
        for (user, password) in USERS.iter().zip(PASSWORDS) {
            let home = self.directory.join("mail").join(user);
            let _ = writeln!(text, "{user}@{DOMAIN}:{{PLAIN}}{password}:{uid}:{gid}::{}::", home.display());
        }
        self.write("conf/users", &text)
    }

    fn main_cf(&self, (uid, gid): (u32, u32)) -> String {
        let dir = self.directory.display();
        let boxes: Vec<String> = USERS.iter().map(|user| format!("{{{user}@{DOMAIN} = {user}/}}")).collect();
        format!(
            "# Written anew by every 'facteur demo' in this directory.\n\
             compatibility_level = 3.6\n\
             myhostname = mail.{DOMAIN}\n\
             mydomain = {DOMAIN}\n\
             myorigin = $mydomain\n\
             inet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\n\
             \n\
             # Nobody may send to other sites through here without logging in, this machine included.\n\
             mynetworks =\n\
             smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination\n\
             smtpd_sasl_type = facteur\n\
             \n\
             # Three users with a Maildir each, and the addresses every site must have.\n\
             mydestination =\n\
             local_recipient_maps =\n\
             alias_maps =\n\
             alias_database =\n\
             virtual_mailbox_domains = {DOMAIN}\n\
             virtual_mailbox_base = {dir}/mail\n\
             virtual_mailbox_maps = inline:{{ {} }}\n\
             virtual_alias_maps = inline:{{ {{postmaster@{DOMAIN} = alice@{DOMAIN}}} {{abuse@{DOMAIN} = alice@{DOMAIN}}} }}\n\
             virtual_minimum_uid = 1\n\
             virtual_uid_maps = static:{uid}\n\
             virtual_gid_maps = static:{gid}\n\
             recipient_delimiter = +\n\
             \n\
             # They read it by IMAP and POP3, under these names.\n\
             passdb = passwd-file:{dir}/conf/users\n\
             userdb = passwd-file:{dir}/conf/users\n\
             mail_location = maildir:{dir}/mail/%n\n\
             mail_uid = {uid}\n\
             mail_gid = {gid}\n\
             \n\
             smtpd_tls_chain_files = {dir}/tls/server.pem\n\
             smtpd_tls_security_level = may\n\
             \n\
             queue_directory = {dir}/queue\n\
             data_directory = {dir}/data\n\
             maillog_file = {dir}/mail.log\n\
             maillog_file_prefixes = {dir}\n",
            boxes.join(" ")
        )
    }

    fn master_cf(&self) -> String {
        let mut text = format!("127.0.0.1:{} inet n - n - - smtpd\n", self.smtp_port);
        let _ = writeln!(
            text,
            "127.0.0.1:{} inet n - n - - smtpd\n  -o syslog_name=postfix/submission\n  -o smtpd_tls_security_level=encrypt\n  \
             -o smtpd_sasl_auth_enable=yes\n  -o smtpd_client_restrictions=permit_sasl_authenticated,reject",
            self.submission_port
        );
        let _ = writeln!(text, "127.0.0.1:{} inet n - n - - imapd", self.imap_port);
        let _ = writeln!(text, "127.0.0.1:{} inet n - n - - pop3d", self.pop3_port);
        let _ = writeln!(
            text,
            "127.0.0.1:{} inet n - n - - imapd\n  -o imapd_tls_wrappermode=yes",
            self.imaps_port
        );
        let _ =
            writeln!(text, "127.0.0.1:{} inet n - n - - pop3d\n  -o ssl_wrappermode=yes", self.pop3s_port);
        let _ = writeln!(text, "127.0.0.1:{} inet n - n - - lmtpd", self.lmtp_port);
        for line in [
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "bounce unix - - n - 0 bounce",
            "smtp unix - - n - - smtp",
            "relay unix - - n - - smtp",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            "discard unix - - n - - discard",
            "virtual unix - n n - - virtual",
        ] {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The lines of `--env`.
    pub fn env_lines(&self) -> String {
        format!(
            "HOST=127.0.0.1\nSMTP_PORT={}\nSUBMISSION_PORT={}\nIMAP_PORT={}\nIMAPS_PORT={}\nPOP3_PORT={}\nPOP3S_PORT={}\nLMTP_PORT={}\nUSER1={}@{DOMAIN}\nUSER2={}@{DOMAIN}\n\
             USER3={}@{DOMAIN}\nPASS1={}\nPASS2={}\nPASS3={}\nCAFILE={}\nSERVER_PID={}\n",
            self.smtp_port,
            self.submission_port,
            self.imap_port,
            self.imaps_port,
            self.pop3_port,
            self.pop3s_port,
            self.lmtp_port,
            USERS[0],
            USERS[1],
            USERS[2],
            PASSWORDS[0],
            PASSWORDS[1],
            PASSWORDS[2],
            shell_word(&self.directory.join("tls/ca.pem").to_string_lossy()),
            std::process::id(),
        )
    }
}

/// Quotes a word for the shell when it needs it.
fn shell_word(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// Who owns the mailboxes: the caller, or nobody when the caller is root.
fn mailbox_owner() -> (u32, u32) {
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    if uid.is_root() { (65_534, 65_534) } else { (uid.as_raw(), gid.as_raw()) }
}

/// A directory for the caller alone. One that somebody else made (in a directory for all) is not used.
fn private(directory: &Path) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("cannot make {}: {error}", directory.display())),
    }
    let found =
        fs::symlink_metadata(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mine = found.uid() == nix::unistd::getuid().as_raw() || nix::unistd::getuid().is_root();
    if found.is_dir() && mine {
        Ok(())
    } else {
        Err(format!("{} belongs to somebody else; choose another with --dir", directory.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_reads_without_mistakes() {
        let directory = tempfile::tempdir().unwrap();
        let site = Site::prepare(directory.path(), 2500).unwrap();
        let (_, mistakes) = conf::MainCf::read(&site.directory.join("conf"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let (master, mistakes) = conf::MasterCf::read(&site.directory.join("conf"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(master.services[1].overrides.len(), 4);
        // A second start keeps the certificate.
        let before = fs::read(site.directory.join("tls/server.pem")).unwrap();
        Site::prepare(directory.path(), 2500).unwrap();
        assert_eq!(fs::read(site.directory.join("tls/server.pem")).unwrap(), before);
    }

    #[test]
    fn shell_lines_survive_odd_directories() {
        assert_eq!(shell_word("/tmp/x"), "/tmp/x");
        assert_eq!(shell_word("/tmp/it's"), "'/tmp/it'\\''s'");
    }
}
