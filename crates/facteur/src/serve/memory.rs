//! Memory that is free goes back to the system when there is little to do.
//!
//! An allocator keeps what was freed, and cannot shrink where pieces lie between that are held for long. So after
//! some work, in the next quiet moment, every page that is free is given back: thousands of silent IMAP sessions
//! then cost what they hold.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// How often it is looked whether there is little to do.
const PAUSE: Duration = Duration::from_secs(2);

/// CPU time of such a pause, in milliseconds, up to which it was quiet: a tenth of a processor.
const QUIET: i64 = 200;

/// CPU time after which it is worth it, in milliseconds.
const WORTH: i64 = 300;

/// Pauses without a quiet moment after which it is done all the same.
const PATIENCE: u32 = 30;

/// Does so for as long as the program runs.
pub async fn tend() {
    let (mut given, mut last, mut waited) = (used(), used(), 0);
    loop {
        tokio::time::sleep(PAUSE).await;
        let now = used();
        let quiet = now - last <= QUIET;
        last = now;
        waited += 1;
        if now - given >= WORTH && (quiet || waited >= PATIENCE) {
            // A thread of its own: it may take a while, and a panic in it would be nobody's loss.
            let _ = tokio::task::spawn_blocking(master::give_back_memory).await;
            (given, waited) = (used(), 0);
            last = given;
        }
    }
}

/// CPU time of this process, in milliseconds.
fn used() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF);
    usage.map_or(0, |usage| usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds())
}
