//! fcntl(2) and flock(2) locks on a file.
//!
//! Record locks are taken as *open file description* locks: they exclude other programs' record locks just the
//! same, but also our own threads from each other, and closing another descriptor of the file does not lose them.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

/// A record lock over the whole file, shared or exclusive; waits at most `wait`.
pub fn fcntl_lock(file: &File, exclusive: bool, wait: Duration) -> io::Result<()> {
    let kind = if exclusive { nix::libc::F_WRLCK } else { nix::libc::F_RDLCK };
    patiently(wait, || match set(file, kind) {
        Ok(()) => Ok(true),
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    })
}

/// Gives a record lock up.
pub fn fcntl_unlock(file: &File) {
    if let Err(error) = set(file, nix::libc::F_UNLCK) {
        log::warn!("unlock a mailbox: {error}");
    }
}

/// A flock(2) lock, shared or exclusive; waits at most `wait`. Ends by [`File::unlock`].
pub fn flock(file: &File, exclusive: bool, wait: Duration) -> io::Result<()> {
    patiently(wait, || match if exclusive { file.try_lock() } else { file.try_lock_shared() } {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    })
}

fn set(file: &File, kind: i32) -> nix::Result<()> {
    let whole = nix::libc::flock {
        l_type: kind as i16,
        l_whence: nix::libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&whole)).map(|_| ())
}

fn patiently(wait: Duration, mut attempt: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(1);
    while !attempt()? {
        if waited >= wait {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "another program holds the lock"));
        }
        std::thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_together_writers_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let (one, other) = (open(), open());
        let soon = Duration::from_millis(5);
        for lock in [fcntl_lock, flock] {
            lock(&one, false, soon).unwrap();
            lock(&other, false, soon).unwrap();
            assert!(lock(&one, true, soon).is_err());
            fcntl_unlock(&other);
            other.unlock().unwrap();
            lock(&one, true, soon).unwrap();
            assert!(lock(&other, false, soon).is_err());
            fcntl_unlock(&one);
            one.unlock().unwrap();
        }
    }
}
