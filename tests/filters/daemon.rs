//! Programs of others that run beside a test.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::User;
use testbed::{Address, Kept, wait};

/// Programs in Perl take their time, above all on a busy machine.
const START: Duration = Duration::from_secs(120);

/// Starts a program, without any input; what it prints is not kept.
pub fn start(command: &mut Command) -> Kept {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Kept::new(quiet.spawn().expect("it starts"))
}

/// The same with one that will listen there.
pub fn start_at(command: &mut Command, at: Address) -> Kept {
    let kept = start(command);
    let up = wait::within(START, || TcpStream::connect((at.ip(), at.port())).ok());
    assert!(up.is_some(), "{command:?} does not start");
    kept
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
