//! The real Dovecot, on a port of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testbed::Kept;

/// A running Dovecot; it ends when dropped.
pub struct Dovecot {
    pub address: SocketAddr,
    _process: Kept,
    _home: TempDir,
}

impl Dovecot {
    /// Starts it; `None` where it is not installed, or cannot be started by this user.
    pub fn start() -> Option<Dovecot> {
        let [program] = testbed::neighbour::installed(["dovecot"])?;
        if !testbed::neighbour::root() {
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = home.path().join("dovecot.conf");
        std::fs::write(&config, settings(&home.path().display().to_string(), port)).unwrap();
        // Mail belongs to a user who is not root.
        let mail = home.path().join("mail");
        std::fs::create_dir(&mail).unwrap();
        std::os::unix::fs::chown(&mail, Some(1000), Some(1000)).unwrap();
        std::os::unix::fs::chown(home.path(), Some(0), Some(0)).unwrap();
        let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(home.path(), open).unwrap();
        let child =
            Command::new(program).arg("-F").arg("-c").arg(&config).stdout(Stdio::null()).spawn().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Dovecot { address, _process: Kept::new(child), _home: home })
    }
}

fn settings(home: &str, port: u16) -> String {
    format!(
        "base_dir = {home}/run\nstate_dir = {home}/state\nprotocols = imap\nlisten = 127.0.0.1\nssl = no\n\
         disable_plaintext_auth = no\nauth_failure_delay = 0\nlog_path = {home}/log\n\
         mail_plugins = acl\nprotocol imap {{\n mail_plugins = acl imap_acl\n}}\nplugin {{\n acl = vfile\n}}\n\
         mail_location = sdbox:{home}/mail/%u\nfirst_valid_uid = 1000\nmail_max_userip_connections = 0\n\
         default_internal_user = dovecot\ndefault_login_user = dovenull\nimap_client_workarounds =\n\
         namespace inbox {{\n inbox = yes\n separator = /\n mailbox Sent {{\n special_use = \\Sent\n }}\n}}\n\
         passdb {{\n driver = static\n args = password=pw\n}}\n\
         userdb {{\n driver = static\n args = uid=1000 gid=1000 home={home}/mail/%u\n}}\n\
         service imap-login {{\n service_count = 0\n client_limit = 1000\n inet_listener imap {{\n port = {port}\n }}\n \
         inet_listener imaps {{\n port = 0\n }}\n chroot =\n}}\n\
         service anvil {{\n chroot =\n}}\nservice imap {{\n service_count = 256\n}}\n\
         service stats {{\n chroot =\n}}\n"
    )
}
