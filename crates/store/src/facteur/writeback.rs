//! A file's bytes on their way to the disk before anybody waits for them.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::libc;

/// Begins to write these bytes to the disk, and waits for nothing. Nothing is durable by it, and what fails is told by the
/// sync that follows.
pub(super) fn begin(file: &File, offset: u64, len: u64) {
    let (Ok(offset), Ok(len)) = (offset.try_into(), len.try_into()) else { return };
    // SAFETY: the descriptor is open as long as `file` is borrowed; the call reads and writes no memory of ours.
    unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE) };
}
