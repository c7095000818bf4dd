//! Where things are in a spool, and whether somebody works there.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// Deepest `hash_queue_depth` that is looked into.
const DEPTH: usize = 16;

/// A file in a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `incoming`, `active`, `deferred`, `hold`, `maildrop`.
    pub queue: &'static str,
    /// The file's name: its queue id.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Whoever wrote it has finished: others were never acknowledged.
    pub complete: bool,
}

/// The directories that hold messages.
const QUEUES: [&str; 5] = ["hold", "incoming", "active", "deferred", "maildrop"];

/// The lock that Postfix's master(8) holds while it runs.
const LOCK: &str = "pid/master.pid";

/// Does a Postfix run on this spool? Its process id, when it says so.
pub fn is_in_use(spool: &Path) -> Option<String> {
    let path = spool.join(LOCK);
    let file = File::options().read(true).write(true).open(&path).or_else(|_| File::open(&path)).ok()?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_) => None,
        Err(_) => Some(fs::read_to_string(&path).unwrap_or_default().trim().to_owned()),
    }
}

/// All message files of a spool, by queue and name.
///
/// # Errors
/// A directory that is there cannot be read.
pub fn scan(spool: &Path) -> io::Result<Vec<Place>> {
    let mut found = Vec::new();
    for queue in QUEUES {
        let from = found.len();
        files(&spool.join(queue), DEPTH, &mut |path, name| {
            let mode = fs::symlink_metadata(&path)?.permissions().mode();
            found.push(Place { queue, name, path, complete: mode & 0o100 != 0 });
            Ok(())
        })?;
        found[from..].sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(found)
}

/// The text files in `defer`, `bounce` or `trace`, by queue id.
///
/// # Errors
/// A directory that is there cannot be read.
pub fn notes_files(spool: &Path, directory: &str) -> io::Result<HashMap<String, PathBuf>> {
    let mut found = HashMap::new();
    files(&spool.join(directory), DEPTH, &mut |path, name| {
        found.insert(name, path);
        Ok(())
    })?;
    Ok(found)
}

fn files(
    directory: &Path,
    depth: usize,
    tell: &mut dyn FnMut(PathBuf, String) -> io::Result<()>,
) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", directory.display()))),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() && depth > 0 {
            files(&entry.path(), depth - 1, tell)?;
        } else if kind.is_file() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            tell(entry.path(), name)?;
        }
    }
    Ok(())
}
