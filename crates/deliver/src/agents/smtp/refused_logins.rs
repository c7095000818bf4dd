//! Logins that servers refused (`smtp_sasl_auth_cache_name`): the same one is not tried over and over, which would have
//! the account locked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::smtp::reply::Received;

/// Most logins that are remembered; then all are forgotten.
const MOST: usize = 10_000;

/// What servers said, by server, name and password.
#[derive(Debug, Default)]
pub struct RefusedLogins(Mutex<HashMap<[String; 3], (Instant, Received)>>);

impl RefusedLogins {
    /// The server's answer to the same login, when it is not older than `keep`.
    pub fn find(&self, login: &[String; 3], keep: Duration, now: Instant) -> Option<Received> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, reply) = known.get(login)?;
        (now.saturating_duration_since(*when) < keep).then(|| reply.clone())
    }

    /// Remembers an answer.
    pub fn remember(&self, login: [String; 3], reply: Received, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(login, (now, reply));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_remembered_for_its_time() {
        let (logins, now) = (RefusedLogins::default(), net::clock::now());
        let login = |password: &str| ["mx.test".to_owned(), "joe".to_owned(), password.to_owned()];
        let reply = Received { code: 535, status: None, lines: vec!["535 no".to_owned()] };
        logins.remember(login("old"), reply.clone(), now);
        let (day, hour) = (Duration::from_secs(86400), Duration::from_secs(3600));
        assert_eq!(logins.find(&login("old"), day, now + hour), Some(reply));
        assert_eq!(logins.find(&login("new"), day, now + hour), None, "another password is tried");
        assert_eq!(logins.find(&login("old"), hour, now + day), None);
    }
}
