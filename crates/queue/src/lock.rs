//! One program at a time: two that write the same journal would destroy it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::{Failure, Kind};

/// A process that was killed a moment ago holds its lock until its last thread has ended, which may wait for the disk:
/// whoever starts right after it asks so often, with a pause in between.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

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
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut tries = 1;
        let mut file = loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(locked) => break locked,
                Err((file, nix::errno::Errno::EWOULDBLOCK)) if tries < TRIES => file,
                Err((file, nix::errno::Errno::EWOULDBLOCK)) => return Err(in_use(path, file)),
                Err((_, error)) => return Err(failed(error.into())),
            };
            std::thread::sleep(PAUSE);
            tries += 1;
        };
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(QueueLock { _file: file })
    }
}

fn in_use(path: &Path, mut file: File) -> Failure {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    let queue = path.parent().and_then(Path::parent).unwrap_or(path).display();
    let what = format!("the queue in {queue} is in use by process {}; stop it first", holder.trim());
    Failure::new(Kind::Locked, what)
}

/// The process that has the queue open, if any. Does not wait and leaves no trace.
pub(crate) fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::errno::Errno::EWOULDBLOCK)))
}
