//! Threads that compute hashes, and the places of those who wait for one.
//!
//! A hash costs 10 to 200 ms of a processor by design. As many threads as processors compute; a bounded number of
//! logins waits; whoever comes then is told to come back. The threads start with the first hash and stay.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use mail::Trouble;
use tokio::sync::oneshot;

use crate::databases::Password;
use crate::schemes;

type Job = Box<dyn FnOnce() + Send>;

/// The threads and their queue. Cheap to clone.
#[derive(Clone)]
pub struct Workers(Arc<Inner>);

struct Inner {
    limit: usize,
    threads: usize,
    state: Mutex<State>,
    more: Condvar,
    /// A stored password of the kind that was checked last: what the password of an unknown user is compared with, so
    /// that the time tells nothing.
    decoy: Mutex<Option<(String, String)>>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    running: usize,
    idle: usize,
    closed: bool,
}

impl Workers {
    /// At most `limit` jobs wait.
    pub fn new(limit: usize) -> Workers {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Workers(Arc::new(Inner {
            limit,
            threads,
            state: Mutex::default(),
            more: Condvar::new(),
            decoy: Mutex::default(),
        }))
    }

    /// A stored password and its default scheme, whose check takes as long as others.
    pub fn remember(&self, stored: &str, scheme: &str) {
        *self.0.decoy.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((stored.to_owned(), scheme.to_owned()));
    }

    /// Takes as long as the check of a password does, for a user who has none.
    pub async fn pretend(&self, password: &Password) {
        let decoy = self.0.decoy.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((stored, scheme)) = decoy else { return };
        let password = password.clone();
        let _ = self.compute(move || schemes::verify(password.text(), "", &stored, &scheme)).await;
    }

    /// Computes on a thread of these.
    ///
    /// # Errors
    /// Too many wait already, or the computation died.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let (done, result) = oneshot::channel();
        // Whoever gave up waiting is not computed for.
        let job = Box::new(move || {
            if !done.is_closed() {
                let _ = done.send(work());
            }
        });
        {
            let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.jobs.len() >= self.0.limit {
                return Err(Trouble::new(format!(
                    "more than auth_hash_queue_limit = {} logins wait for their password to be hashed",
                    self.0.limit
                )));
            }
            state.jobs.push_back(job);
            if state.idle == 0 && state.running < self.0.threads {
                state.running += 1;
                let inner = self.0.clone();
                let spawned = std::thread::Builder::new().name("hash".to_owned()).spawn(move || inner.work());
                if let Err(error) = spawned {
                    state.running -= 1;
                    if state.running == 0 {
                        state.jobs.clear();
                        return Err(Trouble::from_error("thread for hashes", error));
                    }
                }
            }
        }
        self.0.more.notify_one();
        result.await.map_err(|_| Trouble::new("the hash of a password was not computed"))
    }
}

impl Inner {
    fn work(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A panic costs its login only: the sender is dropped, and the login hears of trouble.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            } else if state.closed {
                return;
            } else {
                state.idle += 1;
                state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The threads hold the rest of the references.
        if Arc::strong_count(&self.0) <= state.running + 1 {
            state.closed = true;
            self.0.more.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn too_many_are_sent_away_and_a_panic_costs_one() {
        let workers = Workers::new(1);
        assert_eq!(workers.compute(|| 7).await.unwrap(), 7);
        let died = workers.compute(|| panic!("on purpose")).await;
        assert!(died.is_err());
        // Every thread is kept busy until the gate opens; then one more may wait, and the next may not.
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let wait = |gate: Arc<(Mutex<bool>, Condvar)>| {
            move || {
                let mut open = gate.0.lock().unwrap();
                while !*open {
                    open = gate.1.wait(open).unwrap();
                }
            }
        };
        let mut busy = Vec::new();
        for _ in 0..=workers.0.threads {
            // The queue has one place: the next comes when a thread has taken the last.
            while !workers.0.state.lock().unwrap().jobs.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            let (workers, job) = (workers.clone(), wait(gate.clone()));
            busy.push(tokio::spawn(async move { workers.compute(job).await }));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let refused = workers.compute(|| ()).await.unwrap_err().to_string();
        assert!(refused.contains("auth_hash_queue_limit = 1"), "{refused}");
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        for job in busy {
            job.await.unwrap().unwrap();
        }
    }
}
