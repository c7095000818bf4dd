//! Runs a machine of `proto` over a connection: moves its bytes and keeps its deadlines.
//!
//! A silent session holds no buffer: what is read passes through one scratch buffer a thread, and what is written is
//! given back once it is gone.

mod client;
mod server;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use crate::Stream;

pub use client::Client;
pub use server::{Next, Server};

/// Bytes taken by one read.
const READ: usize = 64 * 1024;
/// Output is written when it has grown to this, even if nobody waits for it yet.
const WRITE: usize = 64 * 1024;
/// An output buffer is kept for the next reply up to this size.
const KEEP: usize = 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// Reads once, up to `most` bytes, gives them to `feed`, and says how many there were.
async fn read(stream: &mut Stream, most: usize, feed: &mut (dyn FnMut(&[u8]) + Send)) -> io::Result<usize> {
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..most.min(READ)]);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            feed(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    })
    .await
}

/// Reads until a deadline: the number of bytes, 0 when the other end hung up, `None` when time is up.
async fn read_until(
    stream: &mut Stream,
    deadline: Option<Instant>,
    most: usize,
    feed: &mut (dyn FnMut(&[u8]) + Send),
) -> Option<usize> {
    let read = async { read(stream, most, feed).await.unwrap_or(0) };
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), read).await.ok(),
        None => Some(read.await),
    }
}

/// Writes `output` and empties it.
async fn write(stream: &mut Stream, output: &mut Vec<u8>, timeout: Duration) -> io::Result<()> {
    if output.is_empty() {
        return Ok(());
    }
    let work = async {
        stream.write_all(output).await?;
        if stream.is_tls() { stream.flush().await } else { Ok(()) }
    };
    let done =
        tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    if output.capacity() > KEEP {
        *output = Vec::new();
    } else {
        output.clear();
    }
    done
}

#[cfg(test)]
mod tests;
