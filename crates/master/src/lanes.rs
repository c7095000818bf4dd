//! A deliverer's end of its work: each lane is a stream to the worker, on which jobs come one after the other.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{sys, wire};

/// A deliverer without work for so long ends.
const IDLE: Duration = Duration::from_secs(30);

/// What a lane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Deliveries.
    Mail,
    /// A session of somebody who has logged in.
    Session,
}

impl Purpose {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Purpose::Mail => b'l',
            Purpose::Session => b's',
        }
    }
}

/// What a process that waits for lanes hears.
#[derive(Debug)]
pub enum Heard {
    /// A lane, and what to drop when it has ended.
    Lane(Purpose, UnixStream, Arc<()>),
    /// Nobody has needed this process for a while.
    Nothing,
    /// The parent gives no more.
    End,
}

/// Lanes as they are opened.
#[derive(Debug)]
pub struct Lanes {
    pub(crate) control: UnixStream,
    /// One clone goes with each lane.
    open: Arc<()>,
    /// How long to wait for a lane; `None` is for ever.
    idle: Option<Duration>,
    received: AtomicU64,
}

impl Lanes {
    pub(crate) fn new(control: UnixStream) -> Lanes {
        Lanes { control, open: Arc::new(()), idle: Some(IDLE), received: AtomicU64::new(0) }
    }

    /// Of a process that does not end because nobody needs it.
    pub(crate) fn lasting(control: UnixStream) -> Lanes {
        Lanes { idle: None, ..Lanes::new(control) }
    }

    /// The next lane, and what to drop when it has ended. `None` when this process should end: nobody has needed
    /// it for a while, or the parent wants new ones.
    pub fn next(&self) -> Option<(UnixStream, Arc<()>)> {
        match self.wait(self.idle) {
            Heard::Lane(_, lane, open) => Some((lane, open)),
            Heard::Nothing | Heard::End => None,
        }
    }

    /// The next lane; after `idle` without any, or without an end, that there is none.
    pub fn wait(&self, idle: Option<Duration>) -> Heard {
        loop {
            let Ok(ready) = sys::readable(&[Some(self.control.as_fd())], idle) else { return Heard::End };
            if ready.contains(&true) {
                return self.take().unwrap_or(Heard::End);
            }
            if !self.busy() {
                return Heard::Nothing;
            }
        }
    }

    fn take(&self) -> Option<Heard> {
        let (packet, mut sockets) = wire::receive_some(&self.control, 1).ok()??;
        self.received.fetch_add(1, Ordering::Relaxed);
        let purpose = if packet == [Purpose::Session.byte()] { Purpose::Session } else { Purpose::Mail };
        Some(Heard::Lane(purpose, UnixStream::from(sockets.pop()?), self.open.clone()))
    }

    /// How many there were.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Is there a lane that has not ended?
    pub fn busy(&self) -> bool {
        Arc::strong_count(&self.open) > 1
    }
}
