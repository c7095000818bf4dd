//! The side that asks.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use master::{Door, Identity, wire};
use net::clock;
use queue::Body;

use super::job::{Job, What, decode_outcome};
use crate::child::ChildJob;
use crate::mailbox::frame::Content;
use crate::mailbox::{Failure, MailboxJob, OpenAs, Place, Unexplained};
use crate::privilege::Rights;

/// A lane that was not used for so long is closed: less than the deliverer waits, so that it never closes first.
const IDLE: Duration = Duration::from_secs(20);

/// Lanes that are free, with the time of their last job, the latest last.
type Free = HashMap<Identity, Vec<(UnixStream, Instant)>>;

/// Asks deliverers.
pub struct Hand {
    door: Arc<Door>,
    free: Mutex<Free>,
}

impl Hand {
    pub(super) fn new(door: Arc<Door>) -> Hand {
        Hand { door, free: Mutex::default() }
    }

    /// Has a message written into a mailbox; returns once it is on disk.
    pub fn deliver(&self, job: &MailboxJob, content: &Body) -> Result<(), Failure> {
        let who = match &job.place {
            Place::Mbox(place) => match place.open_as {
                OpenAs::User => job.rights,
                OpenAs::Group(gid) => Rights { gid, ..job.rights },
                OpenAs::Ourselves => Rights { uid: 0, gid: 0 },
            },
            Place::Maildir { .. } => job.rights,
        };
        self.ask(who, &Job::Mailbox(job.clone()), Some(content))
            .and_then(|answer| decode_outcome(&answer))
            .unwrap_or_else(|error| {
                Err(Failure::io("cannot act as the recipient", &error, Unexplained::LATER))
            })
    }

    /// The first of these `.forward` files that is there.
    pub(crate) fn find(&self, who: Rights, files: &[PathBuf]) -> io::Result<Option<usize>> {
        let answer = self.ask(who, &Job::Find(files.to_vec()), None)?;
        Ok(answer.first().map(|index| usize::from(*index)))
    }

    /// The content of a file and its owner, or what is wrong with it.
    pub(crate) fn read(
        &self,
        who: Rights,
        file: &std::path::Path,
        what: What,
    ) -> Result<(Vec<u8>, u32), String> {
        let answer = self.ask(who, &Job::Read(file.to_owned(), what), None);
        let answer = answer.map_err(|error| format!("cannot be read: {}", crate::mailbox::reason(&error)))?;
        let mut fields = wire::Reader::new(&answer);
        let mut read = || io::Result::Ok((fields.number()?, fields.small()?, fields.bytes()?));
        match read() {
            Ok((1, owner, text)) => Ok((text.to_vec(), owner)),
            Ok((_, _, why)) => Err(String::from_utf8_lossy(why).into_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Starts a program with these descriptors as its input and output. The lane gives its wait status when it
    /// ends; closing the lane ends the program.
    pub(crate) fn run(&self, job: &ChildJob, input: OwnedFd, output: OwnedFd) -> io::Result<UnixStream> {
        let mut lane = self.door.deliverer(identity(job.rights), job.chroot.as_deref())?;
        start(&lane, &Job::Run(job.clone()).encode(), 0, &[input.as_raw_fd(), output.as_raw_fd()])?;
        let answer = answer(&mut lane)?;
        match wire::Reader::new(&answer).number()? {
            0 => Ok(lane),
            error => Err(io::Error::from_raw_os_error(i32::try_from(error).unwrap_or(libc::EIO))),
        }
    }

    fn ask(&self, who: Rights, job: &Job, content: Option<&Body>) -> io::Result<Vec<u8>> {
        let who = identity(who);
        let (job, length) = (job.encode(), content.map_or(0, Body::len));
        let mut lane = match self.take(who) {
            // The deliverer may have ended meanwhile; nothing was begun then.
            Some(lane) if start(&lane, &job, length, &[]).is_ok() => lane,
            _ => {
                let lane = self.door.deliverer(who, None)?;
                start(&lane, &job, length, &[])?;
                lane
            }
        };
        if let Some(content) = content {
            Content::Queued(content).each(&mut |piece| lane.write_all(piece))?;
        }
        let answer = answer(&mut lane)?;
        self.free().entry(who).or_default().push((lane, clock::now()));
        Ok(answer)
    }

    fn take(&self, who: Identity) -> Option<UnixStream> {
        let now = clock::now();
        let mut free = self.free();
        free.retain(|_, lanes| {
            lanes.retain(|(_, since)| now.saturating_duration_since(*since) < IDLE);
            !lanes.is_empty()
        });
        free.get_mut(&who)?.pop().map(|(lane, _)| lane)
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(rights: Rights) -> Identity {
    Identity { uid: rights.uid, gid: rights.gid }
}

/// A job begins with one byte, which carries the descriptors, and two lengths.
fn start(mut lane: &UnixStream, job: &[u8], content: u64, descriptors: &[RawFd]) -> io::Result<()> {
    wire::send(lane, b"j", descriptors)?;
    let mut packet = Vec::with_capacity(job.len() + 16);
    packet.extend_from_slice(&(job.len() as u64).to_be_bytes());
    packet.extend_from_slice(&content.to_be_bytes());
    packet.extend_from_slice(job);
    lane.write_all(&packet)
}

fn answer(lane: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    lane.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u64::from_be_bytes(length)).map_err(io::Error::other)?];
    lane.read_exact(&mut answer)?;
    Ok(answer)
}
