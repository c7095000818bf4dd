//! The pool of deliverers: one process for each user that gets mail, kept while it has work; and one that checks logins.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::Pid;

use crate::parent::Staff;
use crate::promises;
use crate::rules::Identity;
use crate::{Lanes, sys, wire};

/// Most deliverers at a time: as many users' mail can be under way at once.
const MOST: usize = 200;
/// How often a deliverer that was told to end looks whether its lanes have.
const LAST_LANES: Duration = Duration::from_millis(100);

/// What a process of the pool is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Post {
    /// Deliveries with these rights, in this root directory.
    User(Identity, Option<PathBuf>),
    /// Logins checked by PAM and programs, with root's rights.
    Checks,
}

struct Deliverer {
    pid: Pid,
    control: UnixStream,
}

/// The deliverers that run.
#[derive(Default)]
pub(crate) struct Deliverers {
    running: HashMap<Post, Deliverer>,
}

impl Deliverers {
    /// A lane to the process of `post`, which is started when it is not there. It closes `doors`, the parent's
    /// ends of those of others.
    pub(crate) fn lane(
        &mut self,
        post: &Post,
        staff: &dyn Staff,
        doors: &[BorrowedFd<'_>],
    ) -> io::Result<OwnedFd> {
        if let Some(deliverer) = self.running.get(post) {
            // One that has ended meanwhile takes no more; a new one does.
            if let Ok(lane) = deliverer.lane() {
                return Ok(lane);
            }
            self.running.remove(post);
        }
        if self.running.len() >= MOST {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "too many users get mail at once"));
        }
        let deliverer = self.start(post, staff, doors)?;
        let lane = deliverer.lane()?;
        self.running.insert(post.clone(), deliverer);
        Ok(lane)
    }

    fn start(&self, post: &Post, staff: &dyn Staff, doors: &[BorrowedFd<'_>]) -> io::Result<Deliverer> {
        let (control, theirs) = UnixStream::pair()?;
        // One that does not take its lanes must not hold us.
        control.set_nonblocking(true)?;
        let mut others = self.controls();
        others.push(control.as_fd());
        others.extend(doors);
        let pid = sys::fork(&others, || {
            let lanes = Lanes::new(theirs);
            match post {
                Post::User(who, root) => {
                    if let Err(error) = promises::deliverer(*who, root.as_deref()) {
                        log::error!(target: "master", "cannot act as user {}: {error}", who.uid);
                        return 1;
                    }
                    staff.deliver(*who, &lanes);
                }
                Post::Checks => staff.check(&lanes),
            }
            // Deliveries that are under way are finished.
            while lanes.busy() {
                std::thread::sleep(LAST_LANES);
            }
            0
        })?;
        Ok(Deliverer { pid, control })
    }

    /// The parent's ends of all of them: no child keeps them.
    pub(crate) fn controls(&self) -> Vec<BorrowedFd<'_>> {
        self.running.values().map(|deliverer| deliverer.control.as_fd()).collect()
    }

    /// A child has ended.
    pub(crate) fn ended(&mut self, pid: Pid) {
        self.running.retain(|_, deliverer| deliverer.pid != pid);
    }

    /// Configuration has changed: those that run finish their lanes, new ones get the new rules.
    pub(crate) fn renew(&mut self) {
        self.running.clear();
    }
}

impl Deliverer {
    fn lane(&self) -> io::Result<OwnedFd> {
        let (ours, theirs) = UnixStream::pair()?;
        wire::send(&self.control, b"l", &[theirs.as_raw_fd()])?;
        Ok(ours.into())
    }
}
