//! The deliverer's side: a thread for each lane.

use std::io::{self, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use master::wire::Writer;
use master::{Identity, Lanes, wire};

use super::job::{Job, PIECE, SEVERAL, What, encode_outcome, with_length};
use super::policy::Policy;
use crate::agents::local;
use crate::child::{self, ChildJob};
use crate::mailbox::frame::Content;
use crate::mailbox::{Batch, Failure, Unexplained};

/// A lane on which nothing is asked for so long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// Longest job, in bytes, without the content of a message.
const LONGEST: u64 = 4 << 20;

/// Delivers until nobody asks any more. `seconds` gives seconds since 1970.
pub fn serve(who: Identity, policy: &Policy, lanes: &Lanes, seconds: fn() -> u64) {
    let policy = Arc::new(policy.clone());
    while let Some((lane, open)) = lanes.next() {
        let policy = policy.clone();
        let worked = std::thread::Builder::new().name("lane".to_owned()).spawn(move || {
            // The other side sees the end of the lane, and what it means.
            let _ = work(who, &policy, lane, seconds);
            drop(open);
        });
        if let Err(error) = worked {
            log::error!(target: "local", "cannot start a thread: {error}");
        }
    }
}

fn work(who: Identity, policy: &Policy, mut lane: UnixStream, seconds: fn() -> u64) -> io::Result<()> {
    lane.set_read_timeout(Some(IDLE))?;
    while let Some((first, descriptors)) = wire::receive_some(&lane, 1)? {
        if first == [SEVERAL] {
            let outcomes = mailboxes(who, policy, &lane, seconds)?;
            let answers = outcomes.iter().flat_map(|outcome| with_length(&encode_outcome(outcome)));
            lane.write_all(&answers.collect::<Vec<u8>>())?;
            continue;
        }
        let reply = match Job::decode(&packet(&mut lane)?)? {
            // They come among several only.
            Job::Mailbox(_) => return Err(io::ErrorKind::InvalidData.into()),
            Job::Run(job) => return run(who, policy, &job, descriptors, lane),
            Job::Find(files) => {
                let there = |file: &&std::path::PathBuf| {
                    policy.is_forward(who, file) && std::fs::symlink_metadata(file).is_ok()
                };
                let found = files.iter().find(there);
                let index = found.and_then(|found| files.iter().position(|file| file == found));
                index.and_then(|index| u8::try_from(index).ok()).into_iter().collect()
            }
            Job::Read(file, what) => read(who, policy, &file, what),
        };
        answer(&mut lane, &reply)?;
    }
    Ok(())
}

/// Writes the messages that follow. The other side sends nothing else before it has the answers.
fn mailboxes(
    who: Identity,
    policy: &Policy,
    lane: &UnixStream,
    seconds: fn() -> u64,
) -> io::Result<Vec<Result<(), Failure>>> {
    let mut lane = BufReader::with_capacity(PIECE, lane);
    let mut batch = Batch::default();
    for _ in 0..number(&mut lane)? {
        let Job::Mailbox(job) = Job::decode(&packet(&mut lane)?)? else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let length = number(&mut lane)?;
        let mut body = (&mut lane).take(length);
        match policy.may_write(who, &job) {
            Ok(()) => batch.add(&job, Content::Stream(length, &mut body), &seconds),
            Err(why) => batch.refuse(Failure::plain(why, Unexplained::LATER)),
        }
        // After a failure the rest of the message is still under way.
        io::copy(&mut body, &mut io::sink())?;
    }
    Ok(batch.finish())
}

pub(super) fn number(lane: &mut impl Read) -> io::Result<u64> {
    let mut number = [0; 8];
    lane.read_exact(&mut number)?;
    Ok(u64::from_be_bytes(number))
}

pub(super) fn packet(lane: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = number(lane)?;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut packet = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    lane.read_exact(&mut packet)?;
    Ok(packet)
}

fn read(who: Identity, policy: &Policy, file: &Path, what: What) -> Vec<u8> {
    let rights = crate::privilege::Rights { uid: who.uid, gid: who.gid };
    let read = match what {
        What::Forward if policy.is_forward(who, file) => local::read_forward(file, rights),
        What::Include if policy.is_included(who, file) => local::read_list(file, None),
        _ => Err("is not named by the configuration".to_owned()),
    };
    let mut out = Writer::default();
    match read {
        Ok((text, owner)) => out.number(1).number(owner.into()).bytes(&text),
        Err(why) => out.number(0).number(0).bytes(why.as_bytes()),
    };
    out.finish()
}

/// Runs a program until it ends, or the other side closes the lane.
fn run(
    who: Identity,
    policy: &Policy,
    job: &ChildJob,
    descriptors: Vec<OwnedFd>,
    mut lane: UnixStream,
) -> io::Result<()> {
    let started = match <[OwnedFd; 2]>::try_from(descriptors) {
        Ok([input, output]) if who.uid != 0 && policy.may_run(who, job) => child::spawn(job, input, output),
        _ => {
            log::warn!(target: "local", "refused: {:?}: the configuration names no such command", job.argv);
            Err(io::ErrorKind::PermissionDenied.into())
        }
    };
    let mut out = Writer::default();
    let mut program = match started {
        Ok(program) => {
            out.number(0);
            answer(&mut lane, &out.finish())?;
            program
        }
        Err(error) => {
            out.number(u64::try_from(error.raw_os_error().unwrap_or(libc::EACCES)).unwrap_or_default());
            return answer(&mut lane, &out.finish());
        }
    };
    lane.set_read_timeout(None)?;
    let runs = Arc::new(Mutex::new(true));
    let (mut other, still) = (lane.try_clone()?, runs.clone());
    let group = child::group(&program);
    let watcher = std::thread::spawn(move || {
        // Nothing is sent here: this returns when the lane is closed by either side.
        let _ = other.read(&mut [0]);
        if *still.lock().unwrap_or_else(PoisonError::into_inner) {
            child::kill(group);
        }
    });
    child::until_it_ends(&program)?;
    *runs.lock().unwrap_or_else(PoisonError::into_inner) = false;
    let status = program.wait()?;
    lane.write_all(&status.into_raw().to_be_bytes())?;
    lane.shutdown(std::net::Shutdown::Both)?;
    watcher.join().map_err(|_| io::Error::other("the watcher died"))
}

fn answer(lane: &mut UnixStream, reply: &[u8]) -> io::Result<()> {
    lane.write_all(&with_length(reply))
}
