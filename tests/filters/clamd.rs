//! The real clamd, with one signature of our own.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use testbed::{Kept, wait};

use super::{EICAR, Folder, start};

/// A clamd that knows `Own.Eicar` alone.
pub struct Clamd {
    folder: Folder,
    _daemon: Kept,
}

impl Clamd {
    /// Starts it.
    pub fn start(program: &Path) -> Clamd {
        let folder = Folder::new();
        let signatures = folder.folder("signatures", None, 0o755);
        let hex: String = EICAR.concat().bytes().map(|byte| format!("{byte:02x}")).collect();
        folder.file("signatures/own.ndb", &format!("Own.Eicar:0:*:{hex}\n"));
        let socket = folder.path("socket");
        let settings = folder.file(
            "clamd.conf",
            &format!(
                "DatabaseDirectory {signatures}\nLocalSocket {socket}\nForeground yes\nLocalSocketMode 666\n"
            ),
        );
        let daemon = start(Command::new(program).args(["-c", &settings]));
        wait::until("clamd", || UnixStream::connect(&socket).ok());
        Clamd { folder, _daemon: daemon }
    }

    /// Its socket.
    pub fn socket(&self) -> String {
        self.folder.path("socket")
    }
}
