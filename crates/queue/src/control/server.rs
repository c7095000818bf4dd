//! The program's end.

use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use super::client::{read_frame, write_frame};
use super::perform::{Policy, perform};
use super::{Answer, Request};
use crate::Queue;

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
        perform(queue, policy, uid, request, &mut |answer: Answer| write_frame(&mut to, &answer.encode()))?;
        to.flush()?;
    }
    Ok(())
}
