//! Sessions kept for the next message to the same place: bounded in time and number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use net::clock;

use super::session::{Place, Session};
use super::tls::Policy;

/// Most idle sessions of one service.
const IDLE: usize = 500;
/// Deliveries that follow one another within this time are a stream, worth a kept session.
const BACK_TO_BACK: Duration = Duration::from_secs(1);

/// What two messages must have in common to share a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Host and address.
    pub place: Place,
    /// TLS level and expectations.
    pub policy: Policy,
    /// Login: next hop or sender that decides about it; empty without logins.
    pub login: String,
}

impl Key {
    /// A key; `login` as in the field.
    pub fn new(place: &Place, policy: &Policy, login: String) -> Key {
        Key { place: place.clone(), policy: policy.clone(), login }
    }
}

impl Hash for Key {
    /// The place tells nearly all keys apart.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place.hash(state);
        self.login.hash(state);
    }
}

struct Idle {
    session: Session,
    until: Instant,
}

/// The deliveries to one next hop.
#[derive(Default)]
struct Traffic {
    /// When the last one ended.
    last: Option<Instant>,
    /// How many there are now; never 0.
    under_way: usize,
}

#[derive(Default)]
struct Shelf {
    idle: HashMap<Arc<Key>, Vec<Idle>>,
    count: usize,
    traffic: HashMap<String, Traffic>,
    sweeping: bool,
}

/// The sessions of one service.
#[derive(Clone, Default)]
pub struct Cache(Arc<Mutex<Shelf>>);

/// A delivery to a next hop under way; counts until dropped.
pub struct Busy {
    cache: Cache,
    nexthop: String,
    /// Deliveries follow one another without a pause, so a kept session will be of use.
    pub in_demand: bool,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut shelf = self.cache.shelf();
        if let Entry::Occupied(mut entry) = shelf.traffic.entry(std::mem::take(&mut self.nexthop)) {
            let traffic = entry.get_mut();
            traffic.under_way -= 1;
            traffic.last = Some(clock::now());
            // As in Postfix a destination without mail is forgotten: the next message is a first one again.
            if traffic.under_way == 0 {
                entry.remove();
            }
        }
    }
}

impl Cache {
    /// A delivery to `nexthop` begins.
    pub fn busy(&self, nexthop: &str) -> Busy {
        let now = clock::now();
        let mut shelf = self.shelf();
        let traffic = shelf.traffic.entry(nexthop.to_owned()).or_default();
        traffic.under_way += 1;
        let in_demand = traffic.last.is_some_and(|last| now - last < BACK_TO_BACK);
        Busy { cache: self.clone(), nexthop: nexthop.to_owned(), in_demand }
    }

    /// A kept session, the youngest one.
    pub fn take(&self, key: &Key) -> Option<Session> {
        let now = clock::now();
        let mut shelf = self.shelf();
        let list = shelf.idle.get_mut(key)?;
        let idle = list.pop()?;
        shelf.count -= 1;
        // The server may hang up on an old one any moment; the sweeper says goodbye to the rest.
        (idle.until > now).then_some(idle.session)
    }

    /// Keeps a session for `time`. Gives it back when there are too many.
    pub fn keep(
        &self,
        key: Key,
        session: Session,
        time: Duration,
        quit: impl Fn(Session) + Send + Sync + 'static,
    ) -> Option<Session> {
        let mut shelf = self.shelf();
        if shelf.count >= IDLE {
            return Some(session);
        }
        let idle = Idle { session, until: clock::now() + time };
        match shelf.idle.entry(Arc::new(key)) {
            Entry::Occupied(mut entry) => entry.get_mut().push(idle),
            Entry::Vacant(entry) => drop(entry.insert(vec![idle])),
        }
        shelf.count += 1;
        if !std::mem::replace(&mut shelf.sweeping, true) {
            let cache = self.clone();
            tokio::spawn(async move { cache.sweep(time, quit).await });
        }
        None
    }

    /// Ends sessions whose time is over, until none is left.
    async fn sweep(self, time: Duration, quit: impl Fn(Session)) {
        loop {
            tokio::time::sleep((time / 4).clamp(Duration::from_millis(100), Duration::from_secs(1))).await;
            let (over, empty) = self.expire(clock::now());
            over.into_iter().for_each(&quit);
            if empty {
                return;
            }
        }
    }

    fn expire(&self, now: Instant) -> (Vec<Session>, bool) {
        let mut over = Vec::new();
        let mut shelf = self.shelf();
        shelf.idle.retain(|_, list| {
            let late = list.iter().take_while(|idle| idle.until <= now).count();
            over.extend(list.drain(..late).map(|idle| idle.session));
            !list.is_empty()
        });
        shelf.count -= over.len();
        let empty = shelf.count == 0;
        shelf.sweeping = !empty;
        (over, empty)
    }

    /// Gives out all sessions: the program stops.
    pub fn drain(&self) -> Vec<Session> {
        let mut shelf = self.shelf();
        shelf.count = 0;
        shelf.idle.drain().flat_map(|(_, list)| list).map(|idle| idle.session).collect()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stream_without_a_pause_is_worth_a_kept_session() {
        let cache = Cache::default();
        let first = cache.busy("a");
        assert!(!first.in_demand);
        let second = cache.busy("a");
        assert!(!second.in_demand, "two at once are no stream yet");
        drop(first);
        assert!(cache.busy("a").in_demand, "one has ended while another goes on");
        assert!(!cache.busy("b").in_demand);
        drop(second);
        assert!(!cache.busy("a").in_demand, "a pause");
        assert!(cache.shelf().traffic.is_empty());
    }
}
