//! The program's end.

use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use mail::QueueId;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use super::client::{read_frame, write_frame};
use super::perform::{Policy, perform};
use super::{Alteration, Answer, Request};
use crate::{Queue, Selection};

/// So long a tool may be silent, or not read.
const PATIENCE: Duration = Duration::from_secs(60);

/// Largest request.
const LIMIT: usize = 64 << 10;

/// Serves one tool until it has no more requests. Blocks: run it on a thread for blocking work.
///
/// # Errors
/// The connection, and requests that are none.
pub fn serve(queue: &Queue, policy: &dyn Policy, stream: UnixStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // The kernel says who it is: nothing a tool sends could.
    let uid = getsockopt(&stream, PeerCredentials)?.uid();
    let mut from = BufReader::new(stream.try_clone()?);
    let mut to = BufWriter::with_capacity(1 << 16, stream);
    while let Some(frame) = read_frame(&mut from, LIMIT)? {
        let request = Request::decode(&frame).ok_or(io::ErrorKind::InvalidData)?;
        let alteration = match &request {
            Request::Alter(alteration, selection) => Some((*alteration, selection.clone())),
            _ => None,
        };
        perform(queue, policy, uid, request, &mut |answer: Answer| {
            if let (Some((alteration, selection)), Answer::Altered(ids)) = (&alteration, &answer) {
                note(*alteration, selection, ids);
            }
            write_frame(&mut to, &answer.encode())
        })?;
        to.flush()?;
    }
    Ok(())
}

/// What an administrator did goes into the log, as postsuper(1) writes it: message by message, or how many.
fn note(alteration: Alteration, selection: &Selection, ids: &[QueueId]) {
    let (one, all) = match alteration {
        Alteration::Delete => ("removed", "Deleted"),
        Alteration::Hold => ("placed on hold", "Placed on hold"),
        Alteration::Release => ("released from hold", "Released from hold"),
        Alteration::Requeue => ("requeued", "Requeued"),
        Alteration::Expire => ("expired", "Force-expired"),
    };
    match (selection, ids.len()) {
        (Selection::One(..) | Selection::These(..), _) => {
            ids.iter().for_each(|id| log::info!(target: "postsuper", "{id}: {one}"))
        }
        (Selection::All(_), 1) => log::info!(target: "postsuper", "{all}: 1 message"),
        (Selection::All(_), count) => log::info!(target: "postsuper", "{all}: {count} messages"),
    }
}
