//! New names of message files.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(random() as u32 % 1_000_000));

static HOST: LazyLock<String> = LazyLock::new(|| {
    let name = nix::unistd::gethostname().unwrap_or_else(|_| "localhost".into());
    name.to_string_lossy().replace('/', "\\057").replace(':', "\\072")
});

fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// A name no other message has, with both sizes. `now`: seconds since 1970.
pub fn base(now: i64, stored: u64, wire: u64) -> Vec<u8> {
    let count = COUNT.fetch_add(1, Ordering::Relaxed) % 1_000_000;
    format!("{now}.M{count}P{}.{},S={stored},W={wire}", std::process::id(), *HOST).into_bytes()
}

/// 32 hexadecimal digits that no other mailbox has.
pub fn guid() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// The same number for the same name, to tell copies of a message.
pub fn key(base: &[u8]) -> u64 {
    // FNV-1a: it must be the same in every version of this program.
    base.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        assert_ne!(base(7, 1, 2), base(7, 1, 2));
        assert!(base(7, 1, 2).ends_with(b",S=1,W=2"));
        assert_eq!(guid().len(), 32);
        assert_eq!(key(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
