//! Who passed which test, and until when: `postscreen_cache_map`, in memory; and who is connected.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Most clients remembered; beyond that those whose time is over are forgotten, and new ones are tested each time.
const REMEMBERED: usize = 100_000;

/// What a client can pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// It waits for its greeting.
    Greet,
    /// DNS lists think well enough of it.
    Lists,
    /// It waits for replies.
    Pipelining,
    /// It speaks SMTP.
    NonSmtp,
    /// It ends its lines with CR LF.
    BareNewline,
}

#[derive(Debug, Default)]
struct Shelf {
    passed: HashMap<IpAddr, [Option<Instant>; 5]>,
    connected: HashMap<IpAddr, u32>,
}

/// The memory of all postscreen services. It outlives configurations, not the program.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Shelf>);

/// A connection, as long as it is kept.
#[derive(Debug)]
pub(super) struct Connected {
    memory: Arc<Memory>,
    ip: IpAddr,
    /// How many the client has, this one included.
    pub count: u32,
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut shelf = self.memory.shelf();
        if let Some(count) = shelf.connected.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                shelf.connected.remove(&self.ip);
            }
        }
    }
}

impl Memory {
    /// A client connects.
    pub(super) fn connect(self: &Arc<Memory>, ip: IpAddr) -> Connected {
        let mut shelf = self.shelf();
        let count = shelf.connected.entry(ip).or_default();
        *count += 1;
        Connected { count: *count, ip, memory: self.clone() }
    }

    /// Which of `tests` are due; and was the client here before?
    pub(super) fn due(&self, ip: IpAddr, tests: &[Test], now: Instant) -> (Vec<Test>, bool) {
        let shelf = self.shelf();
        let Some(passed) = shelf.passed.get(&ip) else { return (tests.to_vec(), false) };
        let is_due = |test: &&Test| passed[**test as usize].is_none_or(|until| until <= now);
        (tests.iter().filter(is_due).copied().collect(), true)
    }

    /// The client passed a test, which counts until then.
    pub(super) fn remember(&self, ip: IpAddr, passed: &[(Test, Instant)], now: Instant) {
        let mut shelf = self.shelf();
        if shelf.passed.len() >= REMEMBERED && !shelf.passed.contains_key(&ip) {
            shelf.passed.retain(|_, times| times.iter().flatten().any(|until| *until > now));
            if shelf.passed.len() >= REMEMBERED {
                return;
            }
        }
        let times = shelf.passed.entry(ip).or_default();
        for (test, until) in passed {
            times[*test as usize] = Some(*until);
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_test_is_due_again_when_its_time_is_over() {
        let (memory, now, ip) = (Memory::default(), net::clock::now(), IpAddr::from([192, 0, 2, 1]));
        let tests = [Test::Greet, Test::BareNewline];
        assert_eq!(memory.due(ip, &tests, now), (tests.to_vec(), false));
        let (soon, later) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
        memory.remember(ip, &[(Test::Greet, soon), (Test::BareNewline, later)], now);
        assert_eq!(memory.due(ip, &tests, now), (Vec::new(), true));
        assert_eq!(memory.due(ip, &tests, soon), (vec![Test::Greet], true));
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let (memory, ip) = (Arc::new(Memory::default()), IpAddr::from([192, 0, 2, 1]));
        let one = memory.connect(ip);
        let two = memory.connect(ip);
        assert_eq!((one.count, two.count), (1, 2));
        drop(two);
        assert_eq!(memory.connect(ip).count, 2);
        drop(one);
        assert!(memory.shelf().connected.is_empty());
    }
}
