//! One program at a time: two that write the same journal would destroy it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::{Failure, Kind};

/// Held while the queue is open.
#[derive(Debug)]
pub(crate) struct QueueLock {
    /// The lock goes with the process, however it ends.
    _file: Flock<File>,
}

impl QueueLock {
    /// Takes the lock, or names the process that holds it.
    pub(crate) fn take(path: &Path) -> Result<QueueLock, Failure> {
        let failed = |error| Failure::from_io(format!("open lock file {}", path.display()), error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let queue = path.parent().and_then(Path::parent).unwrap_or(path).display();
                let what =
                    format!("the queue in {queue} is in use by process {}; stop it first", holder.trim());
                return Err(Failure::new(Kind::Locked, what));
            }
            Err((_, error)) => return Err(failed(error.into())),
        };
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(QueueLock { _file: file })
    }
}

/// The process that has the queue open, if any. Does not wait and leaves no trace.
pub(crate) fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::errno::Errno::EWOULDBLOCK)))
}
