//! Work that may wait for a disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};

/// So many sessions may work where they are; each costs the runtime a thread until it is done, and tokio has 512.
const IN_PLACE: usize = 128;

static WORKING: AtomicUsize = AtomicUsize::new(0);

/// Counts those who work until it is dropped.
struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        WORKING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has something done to `state` that may block.
///
/// It is done on this thread, while another one goes on with the runtime's work: so nobody has to be woken before the
/// client has its answer. Where many work already, or there is no other thread, it goes to one for such work.
///
/// # Errors
/// The work panicked; `state` is lost.
pub async fn blocking<T: Send + 'static>(
    mut state: T,
    work: impl FnOnce(&mut T) + Send + 'static,
) -> Result<T, String> {
    let place = (WORKING.fetch_add(1, Ordering::Relaxed) < IN_PLACE, Place);
    if place.0 && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        let done = tokio::task::block_in_place(|| catch_unwind(AssertUnwindSafe(|| work(&mut state))));
        return done.map(|()| state).map_err(|_| "a panic".to_owned());
    }
    let done = tokio::task::spawn_blocking(move || {
        work(&mut state);
        state
    });
    done.await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn works_and_panics() {
        assert_eq!(blocking(1, |number| *number += 1).await, Ok(2));
        assert!(blocking(1, |_| panic!("on purpose")).await.is_err());
        assert_eq!(WORKING.load(Ordering::Relaxed), 0);
    }

    /// One after the other: they share a count.
    #[test]
    fn whatever_the_runtime() {
        let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
        one.block_on(works_and_panics());
        let many = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        many.block_on(async { tokio::spawn(works_and_panics()).await.unwrap() });
        WORKING.fetch_add(IN_PLACE, Ordering::Relaxed);
        many.block_on(async { assert_eq!(blocking(1, |number| *number += 1).await, Ok(2)) });
        WORKING.fetch_sub(IN_PLACE, Ordering::Relaxed);
    }
}
