//! Waking those who wait for a change, from threads that know nothing of async.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

/// Counts changes and wakes whoever awaits the next one.
///
/// A session remembers the count it has seen; [`Watch::changed`] returns at once when there were changes since,
/// so none is missed between looking and waiting.
#[derive(Debug, Default)]
pub struct Watch {
    count: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Watch {
    /// Nothing has happened yet.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// How many changes there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Something changed: wakes all who wait.
    pub fn ring(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        let woken = std::mem::take(&mut self.lock().wakers);
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Waits until there were more than `seen` changes; gives their count. Works under any executor.
    pub async fn changed(&self, seen: u64) -> u64 {
        let mut place = Place { watch: self, id: None };
        poll_fn(move |context| {
            if self.count() != seen {
                return Poll::Ready(self.count());
            }
            place.wait(context.waker());
            // A ring between the look and the registration would be missed without a second look.
            if self.count() != seen { Poll::Ready(self.count()) } else { Poll::Pending }
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one waiter; given up when its future is dropped.
struct Place<'a> {
    watch: &'a Watch,
    id: Option<u64>,
}

impl Place<'_> {
    fn wait(&mut self, waker: &Waker) {
        let mut waiting = self.watch.lock();
        let known = self.id.and_then(|id| waiting.wakers.iter().position(|(other, _)| *other == id));
        match known {
            Some(at) => waiting.wakers[at].1.clone_from(waker),
            None => {
                let id = waiting.next;
                waiting.next += 1;
                waiting.wakers.push((id, waker.clone()));
                self.id = Some(id);
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.watch.lock().wakers.retain(|(other, _)| *other != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Wake};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicU64);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_ring_wakes_those_who_wait_and_is_not_missed_by_those_who_come_late() {
        let (watch, woken) = (Watch::new(), Arc::new(Counting::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        {
            let mut waits = pin!(watch.changed(0));
            assert!(waits.as_mut().poll(&mut context).is_pending());
            assert!(waits.as_mut().poll(&mut context).is_pending());
            watch.ring();
            assert_eq!(woken.0.load(Ordering::Relaxed), 1);
            assert_eq!(waits.as_mut().poll(&mut context), Poll::Ready(1));
        }
        assert_eq!(pin!(watch.changed(0)).poll(&mut context), Poll::Ready(1));
    }

    #[test]
    fn who_gives_up_leaves_nothing_behind() {
        let watch = Watch::new();
        assert!(pin!(watch.changed(0)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(watch.lock().wakers.is_empty());
    }
}
