//! Headers of messages that were fetched lately: clients ask for those of the newest messages again and again.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Bytes of headers that are kept, of all accounts together.
const KEPT: usize = 16 << 20;
/// A longer header is not kept, in bytes.
const LONGEST: usize = 16 << 10;
/// What one takes besides its text, in bytes.
const BESIDES: usize = 128;

static ALL: Mutex<Option<All>> = Mutex::new(None);
static NEXT: AtomicU64 = AtomicU64::new(0);

#[derive(Default)]
struct All {
    texts: HashMap<(u64, u64), Bytes>,
    /// The oldest first.
    order: VecDeque<(u64, u64)>,
    bytes: usize,
}

/// The headers of one account.
#[derive(Debug)]
pub(super) struct Heads(AtomicU64);

impl Default for Heads {
    fn default() -> Heads {
        Heads(AtomicU64::new(NEXT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Heads {
    /// Those of all bodies, in order, if all are kept.
    pub(super) fn all(&self, bodies: impl Iterator<Item = u64>) -> Option<Vec<Bytes>> {
        let number = self.0.load(Ordering::Relaxed);
        let all = lock();
        let texts = &all.as_ref()?.texts;
        bodies.map(|body| texts.get(&(number, body)).cloned()).collect()
    }

    /// Are those of all bodies kept?
    pub(super) fn has(&self, mut bodies: impl Iterator<Item = u64>) -> bool {
        let number = self.0.load(Ordering::Relaxed);
        let all = lock();
        bodies.all(|body| all.as_ref().is_some_and(|all| all.texts.contains_key(&(number, body))))
    }

    /// Keeps one for a while.
    pub(super) fn keep(&self, body: u64, text: &Bytes) {
        if text.len() > LONGEST {
            return;
        }
        let key = (self.0.load(Ordering::Relaxed), body);
        let mut all = lock();
        let all = all.get_or_insert_default();
        if all.texts.insert(key, text.clone()).is_none() {
            all.order.push_back(key);
            all.bytes += text.len() + BESIDES;
        }
        while all.bytes > KEPT {
            let Some(oldest) = all.order.pop_front() else { break };
            let text = all.texts.remove(&oldest);
            all.bytes -= text.map_or(0, |text| text.len() + BESIDES);
        }
    }

    /// The numbers of bodies may have another meaning now. What was kept is forgotten by and by.
    pub(super) fn forget(&self) {
        self.0.store(NEXT.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }
}

fn lock() -> MutexGuard<'static, Option<All>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_no_more_than_that() {
        let (heads, others) = (Heads::default(), Heads::default());
        let text = Bytes::from(vec![b'x'; LONGEST]);
        let count = 2 * (KEPT / LONGEST) as u64;
        (0..count).for_each(|body| heads.keep(body, &text));
        assert!(heads.has([count - 1, count - 2].into_iter()) && !heads.has([0, count - 1].into_iter()));
        assert_eq!(heads.all([count - 1].into_iter()), Some(vec![text]));
        assert!(!others.has([count - 1].into_iter()) && others.has(std::iter::empty()));
        heads.keep(count, &Bytes::from(vec![b'x'; LONGEST + 1]));
        assert!(!heads.has([count].into_iter()));
        heads.forget();
        assert!(!heads.has([count - 1].into_iter()));
        assert!(lock().as_ref().unwrap().bytes <= KEPT);
    }
}
