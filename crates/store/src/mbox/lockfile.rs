//! Locking an mbox file as every program on the system does: a lock file beside it, fcntl(2), flock(2), in an order that
//! all must share.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::lock::{Dotlock, Patience, record};
use crate::{Error, Result};

/// A kind of lock, by the names of `mbox_read_locks` and `mbox_write_locks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `dotlock`: `file.lock`; where it cannot be made, the mailbox is not touched.
    Dotlock,
    /// `dotlock_try`: left out where the directory may not be written.
    DotlockTry,
    /// `fcntl`
    Fcntl,
    /// `flock`
    Flock,
}

/// How mailboxes are locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locks {
    /// For reading, in this order.
    pub read: Vec<Kind>,
    /// For writing, in this order.
    pub write: Vec<Kind>,
    /// How long is waited.
    pub patience: Patience,
}

impl Default for Locks {
    /// Dovecot's: fcntl to read, a lock file and fcntl to write; five minutes at most, and a lock file counts as
    /// left behind after two.
    fn default() -> Locks {
        Locks {
            read: vec![Kind::Fcntl],
            write: vec![Kind::Dotlock, Kind::Fcntl],
            patience: Patience { wait: Duration::from_secs(300), stale: Duration::from_secs(120) },
        }
    }
}

impl Kind {
    /// By its name.
    pub fn parse(name: &str) -> Option<Kind> {
        Some(match name {
            "dotlock" => Kind::Dotlock,
            "dotlock_try" => Kind::DotlockTry,
            "fcntl" => Kind::Fcntl,
            "flock" => Kind::Flock,
            _ => return None,
        })
    }
}

/// A mailbox file that is locked.
#[derive(Debug)]
pub struct Held {
    /// Open for reading, and for writing where it was locked for it.
    pub file: File,
    kinds: Vec<Kind>,
    /// Given up last.
    dotlock: Option<Dotlock>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing would not be enough while a child that was just started still has it open.
        for kind in &self.kinds {
            match kind {
                Kind::Fcntl => record::fcntl_unlock(&self.file),
                Kind::Flock => {
                    if let Err(error) = self.file.unlock() {
                        log::warn!("unlock a mailbox: {error}");
                    }
                }
                Kind::Dotlock | Kind::DotlockTry => {}
            }
        }
        self.dotlock = None;
    }
}

impl Locks {
    /// Locks a file; `None` where there is none. `now`: seconds since 1970.
    ///
    /// Programs disagree about the order (mail(1) has fcntl first, procmail the lock file), so nobody may wait long
    /// for a second lock while holding the first: all are given up then, and taken anew.
    pub fn take(&self, path: &Path, write: bool, now: i64) -> Result<Option<Held>> {
        let mut waited = Duration::ZERO;
        let mut pause = SECOND;
        loop {
            let now = u64::try_from(now).unwrap_or(0) + waited.as_secs();
            match self.attempt(path, write, now)? {
                Attempt::Done(held) => return Ok(held),
                Attempt::Busy if waited >= self.patience.wait => {
                    let late = io::Error::new(io::ErrorKind::TimedOut, "another program holds a lock");
                    return Err(Error::io("lock", path, late));
                }
                Attempt::Busy => {
                    std::thread::sleep(pause);
                    waited += SECOND + pause;
                    // Two who give way in step would meet again.
                    pause = Duration::from_millis(
                        5 + (u64::from(std::process::id()) + waited.as_millis() as u64) % 50,
                    );
                }
            }
        }
    }

    fn attempt(&self, path: &Path, write: bool, now: u64) -> Result<Attempt> {
        let kinds = if write { &self.write } else { &self.read };
        let file = match File::options().read(true).write(write).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Attempt::Done(None)),
            Err(error) => return Err(Error::io("open", path, error)),
        };
        let mut held = Held { file, kinds: Vec::new(), dotlock: None };
        for kind in kinds {
            let locked = match kind {
                Kind::Fcntl => record::fcntl_lock(&held.file, write, SECOND),
                Kind::Flock => record::flock(&held.file, write, SECOND),
                Kind::Dotlock | Kind::DotlockTry => {
                    // A link is another name of the file; its lock file is where the file is.
                    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
                    match Dotlock::attempt(&real, Patience { wait: SECOND, ..self.patience }, now) {
                        Ok(Some(taken)) => held.dotlock = Some(taken),
                        Ok(None) => return Ok(Attempt::Busy),
                        Err(_) if *kind == Kind::DotlockTry && !real.parent().is_some_and(may_write) => {}
                        Err(error) => return Err(error),
                    }
                    continue;
                }
            };
            match locked {
                Ok(()) => held.kinds.push(*kind),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(Attempt::Busy),
                Err(error) => return Err(Error::io("lock", path, error)),
            }
        }
        // It may have been replaced before it was locked.
        let same = |meta: std::fs::Metadata| held.file.metadata().is_ok_and(|own| own.ino() == meta.ino());
        match std::fs::metadata(path).is_ok_and(same) {
            true => Ok(Attempt::Done(Some(held))),
            false => Ok(Attempt::Busy),
        }
    }
}

/// How long one lock is waited for while another may be held.
const SECOND: Duration = Duration::from_millis(50);

enum Attempt {
    Done(Option<Held>),
    Busy,
}

fn may_write(directory: &Path) -> bool {
    nix::unistd::access(directory, nix::unistd::AccessFlags::W_OK).is_ok()
}
