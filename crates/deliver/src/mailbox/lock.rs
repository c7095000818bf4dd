//! Locks that other mail programs respect: `file.lock`, fcntl(2), flock(2).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::{Failure, Unexplained};
use crate::agents::open::Opener;
use crate::params::Mailbox;

/// A kind of lock (`mailbox_delivery_lock`, `virtual_mailbox_lock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// `file.lock`.
    Dotlock,
    /// fcntl(2) record lock.
    Fcntl,
    /// flock(2).
    Flock,
}

impl Lock {
    /// `dotlock`, `fcntl`, `flock`.
    pub fn parse(name: &str) -> Option<Lock> {
        match name {
            "dotlock" => Some(Lock::Dotlock),
            "fcntl" => Some(Lock::Fcntl),
            "flock" => Some(Lock::Flock),
            _ => None,
        }
    }
}

/// How a mailbox is locked.
#[derive(Clone, Debug)]
pub struct Locking {
    /// The kinds used, all of them.
    pub kinds: Vec<Lock>,
    /// `deliver_lock_attempts`.
    pub attempts: u32,
    /// `deliver_lock_delay`.
    pub delay: Duration,
    /// `stale_lock_time`.
    pub stale: Duration,
    /// Is a `file.lock` that cannot be made left out (files named in aliases)?
    pub dotlock_may_fail: bool,
}

/// A `file.lock` that is removed when this ends.
pub struct Dotlock(PathBuf);

impl Drop for Dotlock {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            log::warn!("remove {}: {error}", self.0.display());
        }
    }
}

/// A locked file.
///
/// Closing the file would not be enough: a program that is being started shares all open files with us for a
/// moment, and with them the locks.
pub struct Locked<'f>(&'f File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // What was not locked needs no unlocking; what cannot be unlocked ends with the file.
        let _ = fcntl_lock(self.0, libc::F_UNLCK);
        let _ = self.0.unlock();
    }
}

impl Locking {
    /// Reads the kinds of locks named by `parameter`.
    pub(crate) fn read(
        open: &mut Opener<'_>,
        parameter: &str,
        names: &[String],
        mailbox: &Mailbox,
    ) -> Locking {
        let mut kinds = Vec::new();
        for name in names {
            match Lock::parse(name) {
                Some(kind) => kinds.push(kind),
                None => open.complain(
                    parameter,
                    format!("unknown lock type {name:?}: there are fcntl, flock and dotlock"),
                ),
            }
        }
        Locking {
            kinds,
            attempts: u32::try_from(mailbox.deliver_lock_attempts).unwrap_or(u32::MAX),
            delay: mailbox.deliver_lock_delay,
            stale: mailbox.stale_lock_time,
            dotlock_may_fail: false,
        }
    }

    /// Makes `path.lock`, when it is to be used. `now` gives seconds since 1970.
    pub fn dotlock(
        &self,
        path: &Path,
        now: &dyn Fn() -> u64,
        kind: Unexplained,
    ) -> Result<Option<Dotlock>, Failure> {
        if !self.kinds.contains(&Lock::Dotlock) {
            return Ok(None);
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        match self.make_dotlock(&lock, now) {
            Ok(()) => Ok(Some(Dotlock(lock))),
            Err(error) => {
                let failure =
                    Failure::io(format!("unable to create lock file {}", lock.display()), &error, kind);
                if self.dotlock_may_fail && error.kind() != io::ErrorKind::AlreadyExists {
                    return Ok(None);
                }
                Err(match error.kind() {
                    io::ErrorKind::AlreadyExists => Failure { class: mail::Class::Later, ..failure },
                    _ => failure,
                })
            }
        }
    }

    fn make_dotlock(&self, lock: &Path, now: &dyn Fn() -> u64) -> io::Result<()> {
        let mut attempt = 1;
        loop {
            let error = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(lock) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if error.kind() != io::ErrorKind::AlreadyExists || attempt >= self.attempts {
                return Err(error);
            }
            match std::fs::symlink_metadata(lock) {
                Ok(meta)
                    if now().saturating_sub(u64::try_from(meta.ctime()).unwrap_or(0))
                        > self.stale.as_secs() =>
                {
                    match std::fs::remove_file(lock) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
                Ok(_) => std::thread::sleep(self.delay),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            attempt += 1;
        }
    }

    /// Locks the open file until the guard goes.
    pub fn lock<'f>(&self, file: &'f File) -> io::Result<Locked<'f>> {
        let locked = Locked(file);
        for kind in &self.kinds {
            match kind {
                Lock::Dotlock => {}
                Lock::Fcntl => self.try_often(|| fcntl_lock(file, libc::F_WRLCK))?,
                Lock::Flock => self.try_often(|| flock(file))?,
            }
        }
        Ok(locked)
    }

    fn try_often(&self, mut lock: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let mut attempt = 1;
        loop {
            match lock() {
                Err(error) if is_taken(&error) && attempt < self.attempts => std::thread::sleep(self.delay),
                other => return other,
            }
            attempt += 1;
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES | libc::EINTR))
}

/// A POSIX lock belongs to the process: two of our threads would both get it. One of the open file description
/// conflicts with those of other programs as well as with our own.
fn fcntl_lock(file: &File, kind: libc::c_int) -> io::Result<()> {
    let whole = libc::flock {
        l_type: libc::c_short::try_from(kind).unwrap_or_default(),
        l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole)).map_err(io::Error::from)?;
    Ok(())
}

fn flock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => io::Error::from_raw_os_error(libc::EAGAIN),
        std::fs::TryLockError::Error(error) => error,
    })
}
