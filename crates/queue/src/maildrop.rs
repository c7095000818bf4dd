//! Mail that `sendmail` left in `queue_directory/maildrop` because the program was down.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use mail::Envelope;

use crate::Failure;

/// A message in the maildrop.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// The file it is in; the reader removes it when the message is in the queue.
    pub path: PathBuf,
    /// When it was submitted.
    pub arrival: Timestamp,
    /// Owner of the file, which no submitter can forge.
    pub uid: u32,
    /// Sender and recipients as given on the command line.
    pub envelope: Envelope,
    /// Recipients are taken from the header (`sendmail -t`).
    pub extract_recipients: bool,
    /// Header and body, lines ending in LF.
    pub content: Bytes,
}

/// Writes a message into the maildrop, durably. Works for any user that may write to the directory.
pub fn write(
    _directory: &Path,
    _envelope: &Envelope,
    _extract_recipients: bool,
    _content: &[u8],
    _now: Timestamp,
) -> Result<PathBuf, Failure> {
    todo!()
}

/// The complete files in the maildrop, oldest first.
pub fn scan(_directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    todo!()
}

/// Reads one file. What is not ours (links, other types, bad checksum, too large) is an error that names it.
pub fn read(_path: &Path, _size_limit: u64) -> Result<Dropped, Failure> {
    todo!()
}
