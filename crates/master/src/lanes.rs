//! A deliverer's end of its work: each lane is a stream to the worker, on which jobs come one after the other.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crate::{sys, wire};

/// A deliverer without work for so long ends.
const IDLE: Duration = Duration::from_secs(30);

/// Lanes as they are opened.
#[derive(Debug)]
pub struct Lanes {
    pub(crate) control: UnixStream,
    /// One clone goes with each lane.
    open: Arc<()>,
    /// How long to wait for a lane; `None` is for ever.
    idle: Option<Duration>,
}

impl Lanes {
    pub(crate) fn new(control: UnixStream) -> Lanes {
        Lanes { control, open: Arc::new(()), idle: Some(IDLE) }
    }

    /// Of a process that does not end because nobody needs it.
    pub(crate) fn lasting(control: UnixStream) -> Lanes {
        Lanes { idle: None, ..Lanes::new(control) }
    }

    /// The next lane, and what to drop when it has ended. `None` when this process should end: nobody has needed
    /// it for a while, or the parent wants new ones.
    pub fn next(&self) -> Option<(UnixStream, Arc<()>)> {
        loop {
            let [ready] = sys::readable([Some(std::os::fd::AsFd::as_fd(&self.control))], self.idle).ok()?;
            if ready {
                let (_, mut sockets) = wire::receive(&self.control).ok()??;
                return Some((UnixStream::from(sockets.pop()?), self.open.clone()));
            }
            if !self.busy() {
                return None;
            }
        }
    }

    /// Is there a lane that has not ended?
    pub fn busy(&self) -> bool {
        Arc::strong_count(&self.open) > 1
    }
}
