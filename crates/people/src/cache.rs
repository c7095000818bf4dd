//! What databases said of a name and a password, kept for a while. Off by default.
//!
//! The key is a digest over every input of the decision: names, password, mechanism, and all of the session that a
//! query may ask for. No password is kept, nor a digest of one that could be guessed without our key.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::chain::{Found, No};
use crate::databases::{Clock, Password, Request};
use crate::{Why, random};

/// The cache.
pub struct Cache {
    /// `auth_cache_size`, bytes.
    size: u64,
    /// `auth_cache_ttl`, seconds.
    positive: u64,
    /// `auth_cache_negative_ttl`, seconds.
    negative: u64,
    /// Is the client's port an input, too?
    ports: bool,
    secret: [u8; 32],
    clock: Clock,
    state: Mutex<State>,
}

/// A digest over all inputs.
pub type Key = [u8; 32];

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: u64,
}

struct Entry {
    until: u64,
    bytes: u64,
    answer: Result<Found, No>,
}

/// What an entry takes besides its texts, bytes.
const ENTRY: u64 = 256;

impl Cache {
    /// A cache, unless its size is 0. `ports`: a query asks for the client's port.
    pub fn new(
        size: u64,
        positive: Duration,
        negative: Duration,
        ports: bool,
        clock: Clock,
    ) -> Option<Cache> {
        let (positive, negative) = (positive.as_secs(), negative.as_secs());
        let (secret, state) = (random::bytes(), Mutex::default());
        (size > 0).then_some(Cache { size, positive, negative, ports, secret, clock, state })
    }

    /// The key of a login.
    pub fn key(&self, request: &Request<'_>, password: &Password) -> Key {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("a key of any length");
        let facts = request.facts;
        let mut add = |text: &str| {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        };
        for text in [request.user, request.original, request.login.unwrap_or("\n"), request.mechanism] {
            add(text);
        }
        add(password.text());
        add(&facts.service);
        let port = facts.remote_port.filter(|_| self.ports);
        let rest = (
            (facts.local, facts.local_port, facts.remote, port),
            (facts.tls, facts.trusted, &facts.certificate_name, facts.password_only),
        );
        add(&format!("{rest:?}"));
        mac.finalize().into_bytes().into()
    }

    /// What was said, if that still holds.
    pub fn find(&self, key: &Key) -> Option<Result<Found, No>> {
        let now = (self.clock)();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.entries.get(key).filter(|entry| now < entry.until).map(|entry| entry.answer.clone())
    }

    /// Keeps an answer. A failure of a database is none.
    pub fn keep(&self, key: Key, answer: &Result<Found, No>) {
        let (seconds, texts) = match answer {
            Ok(found) => {
                let texts: usize = found.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
                (self.positive, texts + found.user.len())
            }
            Err(no) if no.why == Why::Temporary => return,
            Err(no) => (self.negative, no.log.len()),
        };
        let bytes = ENTRY + texts as u64;
        if seconds == 0 || bytes > self.size {
            return;
        }
        let entry = Entry { until: (self.clock)() + seconds, bytes, answer: answer.clone() };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = state.entries.insert(key, entry) {
            state.bytes -= old.bytes;
        } else {
            state.order.push_back(key);
        }
        state.bytes += bytes;
        while state.bytes > self.size {
            let Some(oldest) = state.order.pop_front() else { break };
            if let Some(old) = state.entries.remove(&oldest) {
                state.bytes -= old.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, Fields};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn every_input_counts_and_nothing_lasts() {
        let now = Arc::new(AtomicU64::new(1000));
        let clock = now.clone();
        let hour = Duration::from_secs(3600);
        let clock: Clock = Arc::new(move || clock.load(Ordering::Relaxed));
        let cache = Cache::new(1500, hour, Duration::ZERO, false, clock).unwrap();
        let (facts, fields) = (Facts::of("imap"), Fields::default());
        let request = Request::plain("joe", &facts, &fields);
        let password = Password::new("secret").unwrap();
        let key = cache.key(&request, &password);
        cache.keep(key, &Ok(Found { user: "joe".into(), ..Found::default() }));
        assert!(cache.find(&key).is_some_and(|answer| answer.is_ok()));
        let other = Facts { tls: true, ..facts.clone() };
        for changed in [
            cache.key(&Request { user: "ann", ..request.clone() }, &password),
            cache.key(&Request { original: "Joe", ..request.clone() }, &password),
            cache.key(&Request { login: Some("x"), ..request.clone() }, &password),
            cache.key(&Request { mechanism: "LOGIN", ..request.clone() }, &password),
            cache.key(&Request { facts: &other, ..request.clone() }, &password),
            cache.key(&request, &Password::new("Secret").unwrap()),
        ] {
            assert!(cache.find(&changed).is_none());
        }
        let port = Facts { remote_port: Some(7), ..facts.clone() };
        assert_eq!(cache.key(&Request { facts: &port, ..request.clone() }, &password), key);
        // No is not kept where its time is 0, trouble never.
        for why in [Why::Credentials, Why::Temporary] {
            cache.keep([1; 32], &Err(No { why, log: "x".into() }));
            assert!(cache.find(&[1; 32]).is_none());
        }
        for n in 2..9 {
            cache.keep([n; 32], &Ok(Found::default()));
        }
        assert!(cache.find(&key).is_none(), "the oldest gave way");
        assert!(cache.find(&[8; 32]).is_some());
        now.store(1000 + 3600, Ordering::Relaxed);
        assert!(cache.find(&[8; 32]).is_none());
    }
}
