//! The keepers of users' mailboxes: one process for each user who reads or gets mail, started when it is asked for.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lanes::Purpose;
use crate::rules::Identity;
use crate::{grants, wire};

/// A process that keeps mailboxes: our ends of its door, and of the way to its lanes.
pub(crate) struct Keeper {
    pub pid: Pid,
    pub door: OwnedFd,
    pub lanes: UnixStream,
    /// Lanes that it was given.
    sent: u64,
    /// Lock files that it holds.
    locks: Vec<PathBuf>,
}

impl Keeper {
    pub(crate) fn new(pid: Pid, door: OwnedFd, lanes: UnixStream) -> Keeper {
        Keeper { pid, door, lanes, sent: 0, locks: Vec::new() }
    }

    pub(crate) fn lane(&mut self, purpose: Purpose) -> io::Result<OwnedFd> {
        let (ours, theirs) = UnixStream::pair()?;
        wire::send(&self.lanes, &[purpose.byte()], &[theirs.as_raw_fd()])?;
        self.sent += 1;
        Ok(ours.into())
    }

    pub(crate) fn ends(&self) -> [BorrowedFd<'_>; 2] {
        [self.door.as_fd(), self.lanes.as_fd()]
    }
}

/// The keepers of users that run.
#[derive(Default)]
pub(crate) struct Keepers {
    running: HashMap<Identity, Keeper>,
}

impl Keepers {
    pub(crate) fn get(&self, who: Identity) -> Option<&Keeper> {
        self.running.get(&who)
    }

    pub(crate) fn get_mut(&mut self, who: Identity) -> Option<&mut Keeper> {
        self.running.get_mut(&who)
    }

    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn insert(&mut self, who: Identity, keeper: Keeper) {
        self.running.insert(who, keeper);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Identity, &Keeper)> {
        self.running.iter()
    }

    /// One that says it has nothing to do may end, unless it was given a lane that it has not seen yet. It sees its door
    /// closed then.
    pub(crate) fn idle(&mut self, who: Identity, received: u64) {
        if self.running.get(&who).is_some_and(|keeper| keeper.sent == received) {
            self.running.remove(&who);
        }
    }

    /// A child has ended; was it one of these? Locks that it held are nobody's now.
    pub(crate) fn ended(&mut self, pid: Pid) -> bool {
        let Some(who) = self.running.iter().find(|(_, keeper)| keeper.pid == pid).map(|(who, _)| *who) else {
            return false;
        };
        if let Some(keeper) = self.running.remove(&who) {
            for lock in keeper.locks {
                // Somebody else may have found it left behind.
                let _ = grants::unlock(&lock, who);
            }
        }
        true
    }

    pub(crate) fn pass_on(&self, signal: Signal) {
        for keeper in self.running.values() {
            // It may just have ended; then we are told.
            let _ = kill(keeper.pid, signal);
        }
    }

    /// Makes a lock file in the mail spool, which its directory's group may do and the keeper may not.
    pub(crate) fn lock(&mut self, who: Identity, lock: &Path) -> io::Result<OwnedFd> {
        let made = grants::lock(lock, who)?;
        if let Some(keeper) = self.running.get_mut(&who) {
            keeper.locks.push(lock.to_owned());
        }
        Ok(made)
    }

    /// Takes one away again.
    pub(crate) fn unlock(&mut self, who: Identity, lock: &Path) -> io::Result<()> {
        if let Some(keeper) = self.running.get_mut(&who) {
            keeper.locks.retain(|held| held != lock);
        }
        grants::unlock(lock, who)
    }
}
