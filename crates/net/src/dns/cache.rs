//! Answers that are still good. Bounded, and never a reason to believe a temporary failure.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Answer, Kind, Missing};

/// Longest stay, whatever the record says: a site that moves its mail host must not wait for a day.
const MOST_TTL: u32 = 3600;

type Kept = Result<Answer, Missing>;

#[derive(Debug)]
pub(super) struct Cache {
    entries: Mutex<HashMap<(String, Kind), (Instant, Kept)>>,
    most: usize,
}

impl Cache {
    pub(super) fn new(most: usize) -> Cache {
        Cache { entries: Mutex::new(HashMap::new()), most }
    }

    pub(super) fn get(&self, name: &str, kind: Kind, now: Instant) -> Option<Kept> {
        let entries = self.entries.lock().expect("nobody panics while holding it");
        let (until, kept) = entries.get(&(name.to_owned(), kind))?;
        (*until > now).then(|| kept.clone())
    }

    pub(super) fn put(&self, name: &str, kind: Kind, kept: &Kept, ttl: u32, now: Instant) {
        if ttl == 0 || self.most == 0 {
            return;
        }
        let mut entries = self.entries.lock().expect("nobody panics while holding it");
        if entries.len() >= self.most {
            entries.retain(|_, (until, _)| *until > now);
        }
        if entries.len() >= self.most {
            // Nothing has expired: half of them go, as chance (the hash) will have it.
            let mut keep = false;
            entries.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        let until = now + Duration::from_secs(u64::from(ttl.min(MOST_TTL)));
        entries.insert((name.to_owned(), kind), (until, kept.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_good_and_no_more_than_it_may() {
        let (cache, now) = (Cache::new(10), crate::clock::now());
        for n in 0..100 {
            cache.put(&n.to_string(), Kind::A, &Err(Missing::NoSuchName), 60, now);
        }
        assert!(cache.entries.lock().unwrap().len() <= 10);
        assert_eq!(cache.get("99", Kind::A, now), Some(Err(Missing::NoSuchName)));
        assert_eq!(cache.get("99", Kind::Mx, now), None);
        assert_eq!(cache.get("99", Kind::A, now + Duration::from_secs(60)), None);
        cache.put("zero", Kind::A, &Err(Missing::NoSuchName), 0, now);
        assert_eq!(cache.get("zero", Kind::A, now), None);
    }
}
