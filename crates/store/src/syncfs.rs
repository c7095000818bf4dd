//! When one syncfs(2) may stand for a sync of each of several files.
//!
//! It also waits for what others have written, so that must be little; and it must tell of failures.

use std::sync::OnceLock;

/// What may wait to be written on the whole machine, in KiB: a slow disk writes it in a moment.
const LITTLE: u64 = 64 * 1024;

/// Older kernels than Linux 5.8 do not say that something could not be written.
pub fn tells_failures() -> bool {
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

/// Is little waiting to be written on this machine? Asks the kernel.
pub fn little_waits() -> bool {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok();
    meminfo.and_then(|text| waiting(&text)).is_some_and(|waiting| waiting <= LITTLE)
}

/// What waits to be written, in KiB, as `/proc/meminfo` says.
fn waiting(meminfo: &str) -> Option<u64> {
    let value = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some(value("Dirty:")? + value("Writeback:")?)
}

#[cfg(test)]
mod tests {
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
}
