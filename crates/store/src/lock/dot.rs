//! Lock files beside a file: `file.lock`, which every mail program since the seventies respects.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::linkat;

use crate::{Error, Result};

/// Makes and removes lock files in directories that this process may not write to.
pub trait Maker: Send + Sync {
    /// Makes one that is not there yet, open for writing.
    ///
    /// # Errors
    /// It is there (`AlreadyExists`), or may not be made.
    fn make(&self, lock: &Path) -> io::Result<File>;
    /// Removes one.
    ///
    /// # Errors
    /// It may not be removed, or is not there.
    fn remove(&self, lock: &Path) -> io::Result<()>;
}

static LENT: OnceLock<Box<dyn Maker>> = OnceLock::new();

/// From now on `maker` makes lock files where this process may not. Only the first call counts.
pub fn lend(maker: impl Maker + 'static) {
    let _ = LENT.set(Box::new(maker));
}

/// Makes one with `text` in it.
fn make(lock: &Path, text: &str) -> io::Result<File> {
    let made = match make_whole(lock, text) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => make_and_write(lock, text),
        made => made,
    };
    match (made, LENT.get()) {
        (Err(error), Some(lent)) if error.kind() == io::ErrorKind::PermissionDenied => {
            // What is refused there, too, is told as it was here; a lock of somebody else's is none.
            let lent = lent.make(lock);
            let mut lent = lent
                .map_err(|other| if other.kind() == io::ErrorKind::AlreadyExists { other } else { error })?;
            write(&mut lent, lock, text)?;
            Ok(lent)
        }
        (made, _) => made,
    }
}

/// It names its owner from the first moment on: who dies in between leaves nothing that others must wait for. Not every
/// file system can do that.
fn make_whole(lock: &Path, text: &str) -> io::Result<File> {
    let directory = lock.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unnamed = OFlag::O_TMPFILE.bits();
    let mut file = OpenOptions::new().write(true).mode(0o600).custom_flags(unnamed).open(directory)?;
    file.write_all(text.as_bytes())?;
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(AT_FDCWD, own.as_str(), AT_FDCWD, lock, AtFlags::AT_SYMLINK_FOLLOW)?;
    Ok(file)
}

fn make_and_write(lock: &Path, text: &str) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(lock)?;
    write(&mut file, lock, text)?;
    Ok(file)
}

fn write(file: &mut File, lock: &Path, text: &str) -> io::Result<()> {
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        remove(lock);
    }
    written
}

/// How long a lock is waited for, and when one that was left behind is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long is waited at all.
    pub wait: Duration,
    /// How old a lock file must be, with nothing happening to the locked file either, to count as left behind.
    pub stale: Duration,
}

/// A lock file that is ours, removed at the end.
#[derive(Debug)]
pub struct Dotlock {
    path: PathBuf,
    made: (u64, u64),
}

/// The name of the lock file of `file`.
pub fn path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

impl Dotlock {
    /// Makes the lock file of `file`, waiting while another holds it. `now`: seconds since 1970.
    pub fn take(file: &Path, patience: Patience, now: u64) -> Result<Dotlock> {
        Dotlock::attempt(file, patience, now)?.ok_or_else(|| {
            let late = io::Error::new(io::ErrorKind::TimedOut, "another program holds it");
            Error::io("wait for lock file", &path(file), late)
        })
    }

    /// The same; `None` when another holds it for longer than is waited.
    pub fn attempt(file: &Path, patience: Patience, now: u64) -> Result<Option<Dotlock>> {
        let path = path(file);
        let text = format!("{}:{}", std::process::id(), host());
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(1);
        loop {
            match make(&path, &text) {
                Ok(made) => return Dotlock::ours(path, &made).map(Some),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create lock file", &path, error)),
            }
            if left_behind(&path, file, patience.stale, now + waited.as_secs()) {
                log::warn!("removing the lock file {}, which was left behind", path.display());
                remove(&path);
                continue;
            }
            if waited >= patience.wait {
                return Ok(None);
            }
            std::thread::sleep(pause);
            waited += pause;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    fn ours(path: PathBuf, made: &File) -> Result<Dotlock> {
        let meta = made.metadata().map_err(|error| Error::io("look at lock file", &path, error))?;
        Ok(Dotlock { path, made: (meta.dev(), meta.ino()) })
    }
}

impl Drop for Dotlock {
    fn drop(&mut self) {
        // Who was taken for dead must not remove the lock of the one who came after.
        let still = std::fs::symlink_metadata(&self.path).map(|meta| (meta.dev(), meta.ino()));
        match still {
            Ok(made) if made == self.made => remove(&self.path),
            _ => log::warn!("the lock file {} was taken away while it was held", self.path.display()),
        }
    }
}

fn remove(path: &Path) {
    let removed = match (std::fs::remove_file(path), LENT.get()) {
        (Err(error), Some(lent)) if error.kind() == io::ErrorKind::PermissionDenied => lent.remove(path),
        (removed, _) => removed,
    };
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("remove {}: {error}", path.display());
    }
}

/// Its process is gone, or it is old and nothing happens to the file it locks.
fn left_behind(lock: &Path, file: &Path, stale: Duration, now: u64) -> bool {
    let Ok(meta) = std::fs::symlink_metadata(lock) else { return false };
    if let Ok(text) = std::fs::read_to_string(lock)
        && let Some((pid, of)) = text.trim().split_once(':')
        && let Ok(pid) = pid.parse::<i32>()
        && of == host()
        && pid > 0
    {
        let gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None);
        if gone == Err(nix::errno::Errno::ESRCH) {
            return true;
        }
    }
    let changed = std::fs::metadata(file).map_or(0, |meta| meta.mtime().max(meta.ctime()));
    let last = u64::try_from(changed.max(meta.mtime())).unwrap_or(0);
    now > last.saturating_add(stale.as_secs())
}

fn host() -> String {
    nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { wait: Duration::from_millis(20), stale: Duration::from_secs(120) };

    fn now() -> u64 {
        let file = tempfile::NamedTempFile::new().unwrap();
        u64::try_from(file.as_file().metadata().unwrap().mtime()).unwrap()
    }

    #[test]
    fn one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("inbox");
        let held = Dotlock::take(&file, PATIENCE, now()).unwrap();
        assert!(Dotlock::take(&file, PATIENCE, now()).is_err());
        drop(held);
        drop(Dotlock::take(&file, PATIENCE, now()).unwrap());
        assert!(!path(&file).exists());
        // However it is made, it names its owner, and is not made twice.
        for make in [make_whole, make_and_write] {
            make(&path(&file), "1:here").unwrap();
            assert_eq!(std::fs::read_to_string(path(&file)).unwrap(), "1:here");
            assert_eq!(make(&path(&file), "2:here").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            remove(&path(&file));
        }
    }

    #[test]
    fn a_lock_of_the_dead_is_taken_away() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("inbox");
        // No process has this number: the kernel's largest is below.
        std::fs::write(path(&file), format!("{}:{}", i32::MAX, host())).unwrap();
        Dotlock::take(&file, PATIENCE, now()).unwrap();
        std::fs::write(path(&file), "0").unwrap();
        assert!(Dotlock::take(&file, PATIENCE, now()).is_err());
        Dotlock::take(&file, PATIENCE, now() + 121).unwrap();
    }
}
