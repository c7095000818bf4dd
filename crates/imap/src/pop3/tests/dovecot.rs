//! A real Dovecot that serves one Maildir by POP3.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::{Kept, neighbour};

use super::script::Script;

/// The program, where it is installed with POP3 and can be run.
pub fn installed() -> Option<PathBuf> {
    let [dovecot, _] = neighbour::installed(["dovecot", "dovecot/pop3"])?;
    neighbour::root().then_some(dovecot)
}

/// A server at work.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Ends before its directory goes.
    _process: Kept,
    directory: tempfile::TempDir,
}

/// Starts one with these settings.
pub fn start(program: &Path, settings: &[(String, String)]) -> Server {
    let directory = tempfile::Builder::new().prefix("facteur-dovecot-").tempdir().unwrap();
    let dir = directory.path();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let show = dir.display();
    let mut text = format!(
        "protocols = pop3\nlisten = 127.0.0.1\nbase_dir = {show}/run\nstate_dir = {show}/state\n\
         log_path = {show}/log\nssl = no\nmail_location = maildir:{show}/mail/%u\nmail_uid = nobody\n\
         mail_gid = nogroup\nfirst_valid_uid = 0\nfirst_valid_gid = 0\ndefault_internal_user = nobody\n\
         default_internal_group = nogroup\ndefault_login_user = nobody\ndisable_plaintext_auth = no\n\
         auth_failure_delay = 0\nservice pop3-login {{\n chroot =\n inet_listener pop3 {{\n  port = {port}\n }}\n\
         inet_listener pop3s {{\n  port = 0\n }}\n}}\nservice anvil {{\n chroot =\n}}\n\
         service stats {{\n chroot =\n}}\n\
         passdb {{\n driver = passwd-file\n args = {show}/users\n}}\n\
         userdb {{\n driver = static\n args = uid=nobody gid=nogroup home={show}/home\n}}\n",
        port = address.port(),
    );
    for (name, value) in settings {
        text += &format!("{name} = {value}\n");
    }
    fs::write(dir.join("dovecot.conf"), text).unwrap();
    fs::write(dir.join("users"), "joe:{PLAIN}secret\nann:{PLAIN}two words\n").unwrap();
    for name in ["mail", "home"] {
        fs::create_dir(dir.join(name)).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o777)).unwrap();
    }
    let child = Command::new(program)
        .args(["-F", "-c"])
        .arg(dir.join("dovecot.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(dir.join("errors")).unwrap())
        .spawn()
        .unwrap();
    let server = Server { address, _process: Kept::new(child), directory };
    for _ in 0..200 {
        if TcpStream::connect(address).is_ok() {
            return server;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let said = |name: &str| fs::read_to_string(server.directory.path().join(name)).unwrap_or_default();
    panic!("no greeting: {}{}{settings:?}", said("errors"), said("log"));
}

impl Server {
    /// The Maildir of joe.
    pub fn maildir(&self) -> PathBuf {
        self.directory.path().join("mail/joe")
    }

    /// Puts the messages of a dialogue where nothing was.
    pub fn store(&self, script: &Script) {
        let maildir = self.maildir();
        let _ = fs::remove_dir_all(&maildir);
        script.store(&maildir);
        let open = fs::Permissions::from_mode(0o777);
        for folder in ["", "cur", "new", "tmp"] {
            fs::set_permissions(maildir.join(folder), open.clone()).unwrap();
        }
        for file in super::script::files(&maildir) {
            fs::set_permissions(file, open.clone()).unwrap();
        }
    }
}
