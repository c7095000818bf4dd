//! The tool's end.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Answer, Request, SOCKET};

/// So long the program may be silent.
const PATIENCE: Duration = Duration::from_secs(300);

/// Largest answer believed: a message with very many recipients.
const LIMIT: usize = 64 << 20;

/// A connection to the running program.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the program that runs on this queue.
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` when there is none.
    pub fn connect(queue_directory: &Path) -> io::Result<Client> {
        let stream = UnixStream::connect(queue_directory.join(SOCKET))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream: BufReader::with_capacity(1 << 16, stream) })
    }

    /// Asks, and hands every answer to `hear`, the last one included.
    ///
    /// # Errors
    /// The connection, or what `hear` says.
    pub fn ask(
        &mut self,
        request: &Request,
        hear: &mut dyn FnMut(Answer) -> io::Result<()>,
    ) -> io::Result<()> {
        write_frame(self.stream.get_mut(), &request.encode())?;
        loop {
            let frame = read_frame(&mut self.stream, LIMIT)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let answer = Answer::decode(&frame).ok_or(io::ErrorKind::InvalidData)?;
            let is_last = matches!(answer, Answer::Done | Answer::Refused(..));
            hear(answer)?;
            if is_last {
                return Ok(());
            }
        }
    }
}

/// Writes one frame.
pub(super) fn write_frame(stream: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    let len = u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    stream.write_all(&len.to_le_bytes())?;
    stream.write_all(frame)
}

/// Reads one frame; `None` at the end.
pub(super) fn read_frame(stream: &mut impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut len = [0; 4];
    if let Err(error) = stream.read_exact(&mut len) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let len = u32::from_le_bytes(len) as usize;
    if len > limit {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; len];
    stream.read_exact(&mut frame)?;
    Ok(Some(frame))
}
