//! Who is here: sessions by user and address, and mailboxes that a session has to itself (`pop3_lock_session`).

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::service::{Counted, Counts};

/// Sessions of POP3 by user and address; they outlive configurations.
static SESSIONS: LazyLock<Arc<Counts>> = LazyLock::new(Arc::default);
static LOCKED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a session; `None` when there are `most` already (0 is no limit).
pub fn enter(user: &str, address: Option<IpAddr>, most: usize) -> Option<Counted> {
    SESSIONS.enter("pop3", user, address, most)
}

/// A mailbox that one session has to itself, until this is dropped.
#[derive(Debug)]
pub struct Locked(String);

impl Locked {
    /// `None` when another session has it.
    pub fn take(user: &str) -> Option<Locked> {
        hold(&LOCKED).insert(user.to_owned()).then(|| Locked(user.to_owned()))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        hold(&LOCKED).remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_given_back() {
        let locked = Locked::take("lock-test");
        assert!(locked.is_some() && Locked::take("lock-test").is_none());
        drop(locked);
        assert!(Locked::take("lock-test").is_some());
    }
}
