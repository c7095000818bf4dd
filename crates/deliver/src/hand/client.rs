//! The side that asks.

use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use master::{Door, Identity, wire};
use net::clock;
use queue::Body;

use super::job::{Job, ONE, PARCELS, PIECE, SEVERAL, What, decode_outcome, with_length};
use crate::cellar::{Parcel, Put};
use crate::child::ChildJob;
use crate::mailbox::crew::Order;
use crate::mailbox::frame::Content;
use crate::mailbox::{Failure, MailboxJob, OpenAs, Place, Unexplained};
use crate::porters::Load;
use crate::privilege::Rights;

/// A lane that was not used for so long is closed: less than the deliverer waits, so that it never closes first.
const IDLE: Duration = Duration::from_secs(20);

/// Lanes that are free, with the time of their last job, the latest last.
type Free = HashMap<Identity, Vec<(UnixStream, Instant)>>;

/// Asks deliverers.
pub struct Hand {
    door: Arc<Door>,
    free: Mutex<Free>,
    /// Lanes to the keeper of all mailboxes that are free.
    to_keeper: Mutex<Vec<UnixStream>>,
    /// Those to the keepers of single users.
    to_keepers: Mutex<Free>,
}

/// Whose keeper is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The one of all mailboxes.
    All,
    /// This user's.
    User(Identity),
}

impl Hand {
    pub(super) fn new(door: Arc<Door>) -> Hand {
        Hand { door, free: Mutex::default(), to_keeper: Mutex::default(), to_keepers: Mutex::default() }
    }

    /// Has messages written into mailboxes; returns once they are on disk, with what became of each.
    pub fn deliver(&self, who: Rights, orders: &[Order]) -> Vec<Result<(), Failure>> {
        let failed =
            |error: &io::Error| Err(Failure::io("cannot act as the recipient", error, Unexplained::LATER));
        let mut lane = match self.order(identity(who), orders) {
            Ok(lane) => lane,
            // Nothing was shown yet, and the message that cannot be read is one of several.
            Err(_) if orders.len() > 1 => {
                return orders.chunks(1).flat_map(|one| self.deliver(who, one)).collect();
            }
            Err(error) => return vec![failed(&error)],
        };
        let mut lost = None;
        let outcomes = orders.iter().map(|_| {
            if let Some(error) = &lost {
                return failed(error);
            }
            match answer(&mut lane).and_then(|answer| decode_outcome(&answer)) {
                Ok(outcome) => outcome,
                Err(error) => failed(lost.insert(error)),
            }
        });
        let outcomes = outcomes.collect();
        if lost.is_none() {
            put_back(&self.free, identity(who), lane);
        }
        outcomes
    }

    /// Hands over orders, all of them or none.
    fn order(&self, who: Identity, orders: &[Order]) -> io::Result<UnixStream> {
        // The deliverer of a lane that was free may have ended meanwhile; nothing was begun then.
        if let Some(lane) = take(&self.free, who)
            && hand_over(&lane, orders).is_ok()
        {
            return Ok(lane);
        }
        let lane = self.door.deliverer(who, None)?;
        hand_over(&lane, orders)?;
        Ok(lane)
    }

    /// Has a keeper of mailboxes put a message into one; returns once it is on disk.
    pub fn keep(&self, parcel: &Parcel, content: &Body, whose: Whose) -> Put {
        let put = self.ask_keeper(&[(parcel, content)], whose).map(|mut puts| puts.pop());
        let put = put.and_then(|put| put.ok_or_else(|| io::ErrorKind::InvalidData.into()));
        put.unwrap_or_else(|error| Put::Trouble(format!("ask the keeper of mailboxes: {error}")))
    }

    /// Has the keeper of all mailboxes put several messages into them, all of which have names of their own; returns
    /// once they are on disk, with what became of each.
    pub(crate) fn keep_all(&self, loads: &[Load]) -> Vec<Put> {
        let parcels: Vec<_> = loads.iter().map(|load| (&load.parcel, &load.content)).collect();
        match self.ask_keeper(&parcels, Whose::All) {
            Ok(puts) => puts,
            // One that cannot be read is one of several. What the keeper has already is found by its name.
            Err(_) => {
                parcels.iter().map(|(parcel, content)| self.keep(parcel, content, Whose::All)).collect()
            }
        }
    }

    fn ask_keeper(&self, parcels: &[(&Parcel, &Body)], whose: Whose) -> io::Result<Vec<Put>> {
        let free = match whose {
            Whose::All => self.to_keeper.lock().unwrap_or_else(PoisonError::into_inner).pop(),
            Whose::User(who) => take(&self.to_keepers, who),
        };
        let lane = match free {
            // The keeper may have been started anew; nothing was acknowledged then.
            Some(lane) if hand_parcels(&lane, parcels).is_ok() => lane,
            _ => {
                let lane = match whose {
                    Whose::All => self.door.keeper()?,
                    Whose::User(who) => self.door.mailboxes(who)?,
                };
                hand_parcels(&lane, parcels)?;
                lane
            }
        };
        let mut answers = BufReader::new(&lane);
        let puts = parcels.iter().map(|_| Put::decode(&answer(&mut answers)?)).collect::<io::Result<_>>()?;
        match whose {
            Whose::All => self.to_keeper.lock().unwrap_or_else(PoisonError::into_inner).push(lane),
            Whose::User(who) => put_back(&self.to_keepers, who, lane),
        }
        Ok(puts)
    }

    /// The first of these `.forward` files that is there.
    pub(crate) fn find(&self, who: Rights, files: &[PathBuf]) -> io::Result<Option<usize>> {
        let answer = self.ask(who, &Job::Find(files.to_vec()))?;
        Ok(answer.first().map(|index| usize::from(*index)))
    }

    /// The content of a file and its owner, or what is wrong with it.
    pub(crate) fn read(
        &self,
        who: Rights,
        file: &std::path::Path,
        what: What,
    ) -> Result<(Vec<u8>, u32), String> {
        let answer = self.ask(who, &Job::Read(file.to_owned(), what));
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
        start(&lane, &Job::Run(job.clone()), &[input.as_raw_fd(), output.as_raw_fd()])?;
        let answer = answer(&mut lane)?;
        match wire::Reader::new(&answer).number()? {
            0 => Ok(lane),
            error => Err(io::Error::from_raw_os_error(i32::try_from(error).unwrap_or(libc::EIO))),
        }
    }

    fn ask(&self, who: Rights, job: &Job) -> io::Result<Vec<u8>> {
        let who = identity(who);
        let mut lane = match take(&self.free, who) {
            // The deliverer may have ended meanwhile; nothing was begun then.
            Some(lane) if start(&lane, job, &[]).is_ok() => lane,
            _ => {
                let lane = self.door.deliverer(who, None)?;
                start(&lane, job, &[])?;
                lane
            }
        };
        let answer = answer(&mut lane)?;
        put_back(&self.free, who, lane);
        Ok(answer)
    }
}

/// For the next who needs it.
fn put_back(free: &Mutex<Free>, who: Identity, lane: UnixStream) {
    let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
    free.entry(who).or_default().push((lane, clock::now()));
}

/// A free lane; those that were not used for long are closed.
fn take(free: &Mutex<Free>, who: Identity) -> Option<UnixStream> {
    let now = clock::now();
    let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
    free.retain(|_, lanes| {
        lanes.retain(|(_, since)| now.saturating_duration_since(*since) < IDLE);
        !lanes.is_empty()
    });
    free.get_mut(&who)?.pop().map(|(lane, _)| lane)
}

fn identity(rights: Rights) -> Identity {
    Identity { uid: rights.uid, gid: rights.gid }
}

/// Whose deliverer writes this mailbox.
pub fn who(job: &MailboxJob) -> Rights {
    match &job.place {
        Place::Mbox(place) => match place.open_as {
            OpenAs::User => job.rights,
            OpenAs::Group(gid) => Rights { gid, ..job.rights },
            OpenAs::Ourselves => Rights { uid: 0, gid: 0 },
        },
        Place::Maildir(_) => job.rights,
    }
}

/// One byte, which carries the descriptors, and the job.
fn start(mut lane: &UnixStream, job: &Job, descriptors: &[RawFd]) -> io::Result<()> {
    wire::send(lane, &[ONE], descriptors)?;
    lane.write_all(&with_length(&job.encode()))
}

/// One byte, how many, and each with its content.
fn hand_over(lane: &UnixStream, orders: &[Order]) -> io::Result<()> {
    let mut lane = BufWriter::with_capacity(PIECE, lane);
    lane.write_all(&[SEVERAL])?;
    lane.write_all(&(orders.len() as u64).to_be_bytes())?;
    for Order { job, content } in orders {
        lane.write_all(&with_length(&Job::Mailbox(job.clone()).encode()))?;
        lane.write_all(&content.len().to_be_bytes())?;
        Content::Queued(content).each(&mut |piece| lane.write_all(piece))?;
    }
    lane.flush()
}

fn hand_parcels(lane: &UnixStream, parcels: &[(&Parcel, &Body)]) -> io::Result<()> {
    let mut lane = BufWriter::with_capacity(PIECE, lane);
    lane.write_all(&[PARCELS])?;
    lane.write_all(&(parcels.len() as u64).to_be_bytes())?;
    for (parcel, content) in parcels {
        lane.write_all(&with_length(&parcel.encode()))?;
        lane.write_all(&content.len().to_be_bytes())?;
        Content::Queued(content).each(&mut |piece| lane.write_all(piece))?;
    }
    lane.flush()
}

fn answer(lane: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    lane.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u64::from_be_bytes(length)).map_err(io::Error::other)?];
    lane.read_exact(&mut answer)?;
    Ok(answer)
}
