//! Programs of others that run beside a test.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use testbed::{Address, wait};

/// Programs in Perl take their time, above all on a busy machine.
const START: Duration = Duration::from_secs(120);

/// A program that is asked to end with its test, and made to when it does not.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it, without any input; what it prints is not kept.
    pub fn start(command: &mut Command) -> Daemon {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Daemon(quiet.spawn().expect("it starts"))
    }

    /// Waits until it listens there.
    pub fn listening(self, what: &str, at: Address) -> Daemon {
        let up = wait::within(START, || TcpStream::connect((at.ip(), at.port())).ok());
        assert!(up.is_some(), "{what} does not start");
        self
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(i32::MAX));
        let _ = kill(pid, Signal::SIGTERM);
        if wait::within(wait::LIMIT, || self.0.try_wait().ok().flatten()).is_none() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// A directory for such a program, that everybody may pass through.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        let folder = tempfile::Builder::new().prefix("facteur-test-").tempdir().expect("/tmp is there");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        Folder(folder)
    }

    /// The path of something in it.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Writes a file; gives its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("it is ours");
        self.path(name)
    }

    /// Makes a folder in it that belongs to a user, or to whoever runs the test.
    pub fn folder(&self, name: &str, user: Option<&User>, mode: u32) -> String {
        let path = PathBuf::from(self.path(name));
        fs::create_dir(&path).expect("it is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        if let Some(user) = user {
            chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("root may");
        }
        path.display().to_string()
    }
}
