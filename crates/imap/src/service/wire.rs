//! A connection that may be compressed. RFC 4978.
//!
//! A silent session holds no buffer: what is read passes through one scratch buffer a thread.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use net::Stream;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

/// Bytes taken by one read, and given by one step of decompression.
const READ: usize = 32 * 1024;

/// Bytes taken by one read from a client who has not logged in: what he makes us hold stays small.
pub const READ_BEFORE_LOGIN: usize = 4 * 1024;

/// An output buffer is kept for the next answer up to this size.
const KEEP: usize = 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// Both directions of compression.
struct Deflate {
    inflate: Decompress,
    deflate: Compress,
    /// Compressed bytes that were read and not yet used: what they become is fed in portions.
    pending: Vec<u8>,
    /// The last step filled its buffer: there may be more without further input.
    more: bool,
}

/// A connection.
pub struct Wire {
    /// The connection underneath.
    pub stream: Stream,
    deflate: Option<Box<Deflate>>,
    /// Bytes read, as the client counts them.
    pub read: u64,
    /// Bytes written, as the client counts them.
    pub written: u64,
}

impl Wire {
    /// In clear, or under TLS.
    pub fn new(stream: Stream) -> Wire {
        Wire { stream, deflate: None, read: 0, written: 0 }
    }

    /// From here on both directions are compressed; `waiting` was read already.
    pub fn compress(&mut self, waiting: Vec<u8>) {
        self.deflate = Some(Box::new(Deflate {
            inflate: Decompress::new(false),
            deflate: Compress::new(Compression::fast(), false),
            pending: waiting,
            more: true,
        }));
    }

    /// Reads once, `most` bytes at most, and gives the bytes to `feed`; 0 is the end.
    ///
    /// # Errors
    /// The connection broke, or what came is not compressed as it should be.
    pub async fn read(&mut self, most: usize, feed: &mut (dyn FnMut(&[u8]) + Send)) -> io::Result<usize> {
        loop {
            if let Some(deflate) = &mut self.deflate {
                let count = deflate.step(feed)?;
                if count > 0 {
                    self.read += count as u64;
                    return Ok(count);
                }
            }
            let (stream, deflate) = (&mut self.stream, &mut self.deflate);
            let count = poll_fn(|cx| {
                SCRATCH.with_borrow_mut(|scratch| {
                    let mut buffer = ReadBuf::new(&mut scratch[..most.min(READ)]);
                    ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
                    match deflate {
                        Some(deflate) => deflate.pending.extend_from_slice(buffer.filled()),
                        None => feed(buffer.filled()),
                    }
                    Poll::Ready(io::Result::Ok(buffer.filled().len()))
                })
            })
            .await?;
            if count == 0 || self.deflate.is_none() {
                self.read += count as u64;
                return Ok(count);
            }
        }
    }

    /// Writes `output` and empties it.
    ///
    /// # Errors
    /// The connection broke, or took too long.
    pub async fn write(&mut self, output: &mut Vec<u8>, timeout: Duration) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        self.written += output.len() as u64;
        if let Some(deflate) = &mut self.deflate {
            *output = deflate.pack(output)?;
        }
        let work = async {
            self.stream.write_all(output).await?;
            if self.stream.is_tls() { self.stream.flush().await } else { Ok(()) }
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
}

impl Deflate {
    /// Unpacks a portion; 0 where more input is needed.
    fn step(&mut self, feed: &mut (dyn FnMut(&[u8]) + Send)) -> io::Result<usize> {
        if self.pending.is_empty() && !self.more {
            return Ok(0);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(&self.pending, scratch, FlushDecompress::Sync)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let used = (self.inflate.total_in() - before_in) as usize;
            let made = (self.inflate.total_out() - before_out) as usize;
            self.pending.drain(..used);
            self.more = made == scratch.len();
            if status == Status::StreamEnd && made == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            feed(&scratch[..made]);
            Ok(made)
        })
    }

    fn pack(&mut self, output: &[u8]) -> io::Result<Vec<u8>> {
        let mut packed = Vec::with_capacity(output.len() / 2 + 64);
        let start = self.deflate.total_in();
        loop {
            let used = (self.deflate.total_in() - start) as usize;
            let before = packed.len();
            packed.reserve(4096);
            self.deflate
                .compress_vec(&output[used..], &mut packed, FlushCompress::Sync)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let done = (self.deflate.total_in() - start) as usize == output.len();
            // A flush is complete when it leaves room.
            if done && packed.len() < packed.capacity() {
                return Ok(packed);
            }
            if packed.len() == before && done {
                return Ok(packed);
            }
        }
    }
}
