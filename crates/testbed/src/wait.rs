//! Waiting for what another process does.

use std::time::{Duration, Instant};

/// How long anything may take that usually takes a moment: generous, because the machine may be busy, and never
/// waited for in full when all is well.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Asks `look` until it has found something; panics with `what` when [`LIMIT`] is over.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, look).unwrap_or_else(|| panic!("waited {LIMIT:?} for {what}"))
}

/// Asks `look` until it has found something; `None` when `limit` is over.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = now() + limit;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if now() >= end {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// The monotonic clock.
pub fn now() -> Instant {
    net::clock::now()
}
