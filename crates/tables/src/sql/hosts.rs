//! Servers that hold the same data: in what order they are tried, and which are left in peace for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Place;

/// The servers of a target.
pub(super) struct Hosts {
    servers: Vec<(Place, String)>,
    /// Until when each is not tried again.
    resting: Mutex<Vec<Option<Instant>>>,
    retry: Duration,
}

impl Hosts {
    pub fn new(servers: Vec<(Place, String)>, retry: Duration) -> Hosts {
        let resting = Mutex::new(vec![None; servers.len()]);
        Hosts { servers, resting, retry }
    }

    /// Those to be tried now: sockets before hosts, each in random order.
    pub fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut order: Vec<_> = (0..self.servers.len())
            .filter(|n| resting[*n].is_none_or(|until| until <= now))
            .map(|n| (matches!(self.servers[n].0, Place::Inet(..)), random(), n))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(.., n)| n).collect()
    }

    pub fn get(&self, n: usize) -> &(Place, String) {
        &self.servers[n]
    }

    /// All names, for messages.
    pub fn names(&self) -> String {
        self.servers.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// It did not answer: it is left in peace for a while.
    pub fn failed(&self, n: usize) {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)[n] = Some(Instant::now() + self.retry);
    }

    /// It answers.
    pub fn works(&self, n: usize) {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)[n] = None;
    }
}

/// A number nobody has to guess: it only spreads load.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
