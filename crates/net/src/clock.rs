//! The one place that asks what time it is.

use std::time::{Instant, SystemTime};

/// Monotonic time, for deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the clock everybody else is told to use")]
pub fn now() -> Instant {
    Instant::now()
}

/// Time of day, for stamps. `jiff::Timestamp::try_from(wall())` gives the type of `mail::date`.
#[expect(clippy::disallowed_methods, reason = "this is the clock everybody else is told to use")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
