//! Accounts that are open in this process: one for each place, shared by all who ask for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use crate::backends::BACKENDS;
use crate::{Account, Error, Location, Owner, Place, Result, Settings};

/// How many accounts stay open after the last session has left: the next session or delivery finds them warm.
const KEPT: usize = 1024;

static OPEN: LazyLock<Open> = LazyLock::new(Open::default);

/// Opens the account of `owner`, or gives the one that is open.
///
/// Whoever opens it first decides about its quota and settings, until it has been closed.
///
/// # Errors
/// When the place cannot be named ([`Location::place`]) or the store there cannot be opened.
pub fn open_account(
    settings: &Arc<Settings>,
    location: &Location,
    owner: &Owner,
) -> Result<Arc<dyn Account>> {
    let place = location.place(owner)?;
    let slot = {
        let mut slots = lock(&OPEN.slots);
        if slots.len() > 2 * KEPT && !slots.contains_key(&place) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || lock(slot).strong_count() > 0);
        }
        Arc::clone(slots.entry(place.clone()).or_default())
    };
    // Two who come at once must not open it twice.
    let mut known = lock(&slot);
    if let Some(open) = known.0.as_ref().and_then(Weak::upgrade) {
        OPEN.keep(&open);
        return Ok(open);
    }
    let backend = BACKENDS
        .iter()
        .find(|backend| backend.kind == place.kind)
        .ok_or(Error::Unsupported("this kind of mail_location"))?;
    let open = (backend.open)(settings, &place, owner)?;
    known.0 = Some(Arc::downgrade(&open));
    OPEN.keep(&open);
    Ok(open)
}

/// The account of `owner`, if it is open: without a look at the disk.
pub fn opened(location: &Location, owner: &Owner) -> Option<Arc<dyn Account>> {
    let place = location.place(owner).ok()?;
    let slot = Arc::clone(lock(&OPEN.slots).get(&place)?);
    // Where it is locked, somebody opens it now.
    let open = slot.try_lock().ok()?.0.as_ref().and_then(Weak::upgrade)?;
    OPEN.keep(&open);
    Some(open)
}

/// Closes accounts that nobody uses, as before the program ends or files are moved.
pub fn close_idle() {
    let kept = std::mem::take(&mut *lock(&OPEN.kept));
    drop(kept);
}

/// What one place has open.
#[derive(Default)]
struct Slot(Option<Weak<dyn Account>>);

impl Slot {
    fn strong_count(&self) -> usize {
        self.0.as_ref().map_or(0, Weak::strong_count)
    }
}

#[derive(Default)]
struct Open {
    slots: Mutex<HashMap<Place, Arc<Mutex<Slot>>>>,
    kept: Mutex<VecDeque<Arc<dyn Account>>>,
}

impl Open {
    /// Keeps an account open for a while; it is the youngest now.
    fn keep(&self, account: &Arc<dyn Account>) {
        let mut kept = lock(&self.kept);
        if let Some(at) = kept.iter().position(|known| Arc::ptr_eq(known, account)) {
            kept.remove(at);
        }
        kept.push_back(Arc::clone(account));
        let oldest = if kept.len() > KEPT { kept.pop_front() } else { None };
        drop(kept);
        // Closing may wait for the disk; not under the lock.
        drop(oldest);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
