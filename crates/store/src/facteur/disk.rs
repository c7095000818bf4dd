//! The few things asked of a disk for bodies, so that tests can make any one of them fail.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;

use super::writeback;
use crate::syncfs;

/// A file system, as far as bodies are written.
pub(crate) trait Disk: Send + Sync + Debug {
    /// Writes all pieces, one after the other, from `offset` on.
    fn write(&self, file: &File, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<()>;
    /// Begins to write these bytes of a file to the disk, and waits for nothing.
    fn begin(&self, file: &File, offset: u64, len: u64) {
        let _ = (file, offset, len);
    }
    /// Waits until data and length are on the disk.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Waits until everything in the file system of `file` is on the disk.
    fn sync_all(&self, file: &File) -> io::Result<()>;
    /// May [`Disk::sync_all`] be used: does it tell of failures, and not wait for the work of others?
    fn is_calm(&self) -> bool {
        true
    }
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RealDisk;

/// Up to this many bytes of small pieces are put together for one system call.
const TOGETHER: usize = 64 << 10;

impl Disk for RealDisk {
    fn write(&self, file: &File, pieces: &[IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        let mut together = Vec::new();
        for piece in pieces {
            if together.len() + piece.len() > TOGETHER {
                file.write_all_at(&together, offset)?;
                offset += together.len() as u64;
                together.clear();
            }
            if piece.len() > TOGETHER {
                file.write_all_at(piece, offset)?;
                offset += piece.len() as u64;
            } else {
                together.extend_from_slice(piece);
            }
        }
        file.write_all_at(&together, offset)
    }

    fn begin(&self, file: &File, offset: u64, len: u64) {
        writeback::begin(file, offset, len);
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_all(&self, file: &File) -> io::Result<()> {
        Ok(nix::unistd::syncfs(file)?)
    }

    fn is_calm(&self) -> bool {
        syncfs::tells_failures() && syncfs::little_waits()
    }
}
