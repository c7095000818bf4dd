//! Several files made durable with one call.
//!
//! To sync a new file, some file systems write its data, its inode and its directory one after the other and flush the
//! disk's cache each time. syncfs(2) does that once for all files, but also for what others have written: it is used
//! only while that is little.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use net::clock;
use store::syncfs;

/// From so many files on, one call is less work than one each.
const FEWEST: usize = 3;
/// How long an answer of the kernel about what waits to be written is good for.
const GOOD_FOR: Duration = Duration::from_millis(50);

/// Syncs the file systems on which many of `files` lie; the numbers of the devices that are done. Files elsewhere, and
/// all of them after a failure, are to be synced one by one: that tells which one failed.
pub fn sync<'a>(files: impl Iterator<Item = (u64, &'a File)>) -> Vec<u64> {
    let mut devices: HashMap<u64, (usize, &File)> = HashMap::new();
    for (device, file) in files {
        devices.entry(device).or_insert((0, file)).0 += 1;
    }
    devices.retain(|_, (count, _)| *count >= FEWEST);
    if devices.is_empty() || !syncfs::tells_failures() || !little_waits() {
        return Vec::new();
    }
    let done = devices.into_iter().filter(|(_, (_, file))| nix::unistd::syncfs(file).is_ok());
    done.map(|(device, _)| device).collect()
}

fn little_waits() -> bool {
    static LAST: Mutex<Option<(Instant, bool)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let now = clock::now();
    if let Some((at, little)) = *last
        && now.saturating_duration_since(at) < GOOD_FOR
    {
        return little;
    }
    let little = syncfs::little_waits();
    *last = Some((now, little));
    little
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_few_files_are_synced_one_by_one() {
        let file = tempfile::tempfile().expect("a file");
        let device = file.metadata().expect("metadata").dev();
        assert!(sync([(device, &file); FEWEST - 1].into_iter()).is_empty());
    }
}
