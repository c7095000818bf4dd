//! Sessions of those who have logged in, in this process or handed over by it: listed, and ended from outside
//! (`doveadm who` and `kick`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What a client is told whose session is ended.
pub const FAREWELL: &str = "Server shutting down.";

static LIVE: LazyLock<Mutex<BTreeMap<u64, Arc<Live>>>> = LazyLock::new(Mutex::default);

fn live() -> MutexGuard<'static, BTreeMap<u64, Arc<Live>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Live {
    user: String,
    service: String,
    remote: Option<IpAddr>,
    process: AtomicU32,
    end: Notify,
}

/// A session as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// For [`end`]; never given again.
    pub id: u64,
    /// Who.
    pub user: String,
    /// `imap`, `pop3`.
    pub service: String,
    /// The process that serves it.
    pub process: u32,
    /// From where; `None` for a local socket.
    pub remote: Option<IpAddr>,
}

/// All sessions, the oldest first.
pub fn list() -> Vec<Listed> {
    let listed = |(id, live): (&u64, &Arc<Live>)| Listed {
        id: *id,
        user: live.user.clone(),
        service: live.service.clone(),
        process: live.process.load(Ordering::Relaxed),
        remote: live.remote,
    };
    live().iter().map(listed).collect()
}

/// Ends a session; false where it has ended already.
pub fn end(id: u64) -> bool {
    let found = live().get(&id).cloned();
    // It may be about to wait: the word is kept for it.
    found.map(|live| live.end.notify_one()).is_some()
}

/// A session in the list, until it is dropped.
pub struct Entry {
    id: u64,
    live: Arc<Live>,
}

impl Entry {
    /// Lists a session of this process.
    pub fn new(user: &str, service: &str, remote: Option<IpAddr>) -> Entry {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let found = Arc::new(Live {
            user: user.to_owned(),
            service: service.to_owned(),
            remote,
            process: AtomicU32::new(std::process::id()),
            end: Notify::new(),
        });
        live().insert(id, found.clone());
        Entry { id, live: found }
    }

    /// It goes on in that process.
    pub fn goes_on_in(&self, process: u32) {
        self.live.process.store(process, Ordering::Relaxed);
    }

    /// Whoever serves it waits for this.
    pub fn ending(&self) -> Ending {
        Ending(Some(self.live.clone()))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        live().remove(&self.id);
    }
}

/// The end of a session from outside.
#[derive(Clone, Default)]
pub struct Ending(Option<Arc<Live>>);

impl Ending {
    /// Returns when somebody ends the session; never for one that is not listed here.
    pub async fn comes(&self) {
        match &self.0 {
            Some(live) => live.end.notified().await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_are_listed_and_ended() {
        let user = "live-test@site.test";
        let mine = || list().into_iter().filter(|listed| listed.user == user).collect::<Vec<_>>();
        let entry = Entry::new(user, "imap", "192.0.2.1".parse().ok());
        entry.goes_on_in(77);
        let [listed] = mine().try_into().unwrap();
        assert_eq!((listed.service.as_str(), listed.process), ("imap", 77));
        assert!(end(listed.id), "it is there");
        // The word is kept for one that was not waiting.
        entry.ending().comes().await;
        drop(entry);
        assert!(mine().is_empty() && !end(listed.id));
    }
}
