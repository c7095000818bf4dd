//! Several files made durable with one call.
//!
//! To sync a new file, some file systems write its data, its inode and its directory one after the other and flush the
//! disk's cache each time. syncfs(2) does that once for all files, but also for what others have written: it is used
//! only while that is little.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use net::clock;

/// From so many files on, one call is less work than one each.
const FEWEST: usize = 3;
/// What may wait to be written on the whole machine, in KiB: a slow disk writes it in a moment.
const LITTLE: u64 = 64 * 1024;
/// How long an answer of the kernel about that is good for.
const GOOD_FOR: Duration = Duration::from_millis(50);

/// Syncs the file systems on which many of `files` lie; the numbers of the devices that are done. Files elsewhere, and
/// all of them after a failure, are to be synced one by one: that tells which one failed.
pub fn sync<'a>(files: impl Iterator<Item = (u64, &'a File)>) -> Vec<u64> {
    let mut devices: HashMap<u64, (usize, &File)> = HashMap::new();
    for (device, file) in files {
        devices.entry(device).or_insert((0, file)).0 += 1;
    }
    devices.retain(|_, (count, _)| *count >= FEWEST);
    if devices.is_empty() || !tells_failures() || !little_waits() {
        return Vec::new();
    }
    let done = devices.into_iter().filter(|(_, (_, file))| nix::unistd::syncfs(file).is_ok());
    done.map(|(device, _)| device).collect()
}

/// Older kernels than Linux 5.8 do not say that something could not be written.
fn tells_failures() -> bool {
    static TELLS: OnceLock<bool> = OnceLock::new();
    *TELLS.get_or_init(|| {
        let name = nix::sys::utsname::uname();
        name.is_ok_and(|name| name.release().to_str().and_then(version).is_some_and(|found| found >= (5, 8)))
    })
}

/// `6.1.0-18-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
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
    let waits = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| waiting(&text));
    let little = waits.is_some_and(|waits| waits <= LITTLE);
    *last = Some((now, little));
    little
}

/// In KiB.
fn waiting(meminfo: &str) -> Option<u64> {
    let value = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some(value("Dirty:")? + value("Writeback:")?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn what_the_kernel_says() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.10+"), Some((5, 10)));
        assert_eq!(version("unknown"), None);
        let text = "MemTotal:  24684096 kB\nDirty:    100 kB\nWriteback:   7 kB\nWritebackTmp:  0 kB\n";
        assert_eq!(waiting(text), Some(107));
        assert_eq!(waiting("MemTotal: 1 kB\n"), None);
        assert!(waiting(&std::fs::read_to_string("/proc/meminfo").expect("Linux")).is_some());
    }

    #[test]
    fn a_few_files_are_synced_one_by_one() {
        let file = tempfile::tempfile().expect("a file");
        let device = file.metadata().expect("metadata").dev();
        assert!(sync([(device, &file); FEWEST - 1].into_iter()).is_empty());
    }
}
