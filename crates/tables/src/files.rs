//! The files tables are read from and compiled into: when they changed, and replacing one in one step.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A file a table was read from, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The file.
    pub path: PathBuf,
    stamp: Option<Stamp>,
}

/// What tells two states of a file apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Watched {
    /// The file as it is now. Take it before reading the file.
    pub fn now(path: impl Into<PathBuf>) -> Watched {
        let path = path.into();
        let stamp = std::fs::metadata(&path).ok().map(|meta| Stamp {
            inode: meta.ino(),
            size: meta.len(),
            seconds: meta.mtime(),
            nanoseconds: meta.mtime_nsec(),
        });
        Watched { path, stamp }
    }

    /// Is it another file, or the same one changed, appeared or gone?
    pub fn has_changed(&self) -> bool {
        Watched::now(&self.path) != *self
    }
}

/// Was `source` changed after `compiled` was made?
pub fn is_stale(source: &Metadata, compiled: &Metadata) -> bool {
    (source.mtime(), source.mtime_nsec()) > (compiled.mtime(), compiled.mtime_nsec())
}

/// `path` with a suffix added to its whole name: `virtual.cf` and `.lmdb` give `virtual.cf.lmdb`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A new file that takes the place of `path` in one step, or vanishes.
pub struct Replacement {
    path: PathBuf,
    temporary: PathBuf,
    done: bool,
}

static SERIAL: AtomicU32 = AtomicU32::new(0);

impl Replacement {
    /// Creates the new file under a name of its own in the same directory.
    ///
    /// `model` gives it owner (when we may) and permission; without one they are ours and 0644.
    pub fn create(path: &Path, model: Option<&Metadata>) -> io::Result<(Replacement, File)> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let temporary = with_suffix(path, &format!(".{}-{serial}.tmp", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&temporary)?;
        let replacement = Replacement { path: path.to_owned(), temporary, done: false };
        let mode = model.map_or(0o644, |meta| meta.permissions().mode() & 0o666 | 0o600);
        if let Some(meta) = model {
            // Only root may give files away; for others the file stays theirs.
            let _ = std::os::unix::fs::fchown(&file, Some(meta.uid()), Some(meta.gid()));
        }
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        Ok((replacement, file))
    }

    /// Puts it in place.
    pub fn commit(mut self) -> io::Result<()> {
        std::fs::rename(&self.temporary, &self.path)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.done {
            // Nothing is left to do if even this fails.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_in_one_step_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "old").unwrap();
        let before = Watched::now(&path);
        let (replacement, _) = Replacement::create(&path, None).unwrap();
        drop(replacement);
        assert!(!before.has_changed());
        let (replacement, file) = Replacement::create(&path, None).unwrap();
        io::Write::write_all(&mut &file, b"new").unwrap();
        replacement.commit().unwrap();
        assert!(before.has_changed());
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
