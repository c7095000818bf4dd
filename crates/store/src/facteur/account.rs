//! An account: what is open of it in this process.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::bodies::{Bodies, Entered};
use super::catalogue::Catalogue;
use super::disk::{Disk, RealDisk};
use super::heads::Heads;
use super::inside::{Inside, Names};
use super::shared::Shared;
use crate::{Account, Limits, Owner, Place, Result, Settings, Usage, Watch};

/// Catalogues that are open at a time. An account that sleeps costs no file and no cache.
const OPEN: usize = if cfg!(test) { 24 } else { 192 };

/// Those whose catalogue is open, the oldest first.
static AWAKE: Mutex<Vec<Weak<FacteurAccount>>> = Mutex::new(Vec::new());

/// An account of our own kind.
pub(crate) struct FacteurAccount {
    pub(super) me: Weak<FacteurAccount>,
    pub(super) owner: Owner,
    pub(super) settings: Arc<Settings>,
    pub(super) root: PathBuf,
    pub(super) bodies: Bodies,
    pub(super) state: Mutex<State>,
    pub(super) watch: Watch,
    pub(super) heads: Heads,
}

/// What changes while it is open.
#[derive(Default)]
pub(super) struct State {
    pub(super) catalogue: Option<Catalogue>,
    /// Mailboxes that somebody has open, or had.
    pub(super) open: HashMap<i64, Arc<Shared>>,
    /// Mailboxes that were looked up lately.
    pub(super) names: Names,
    /// Up to where everything is entered.
    pub(super) entered: Option<Entered>,
    /// Deliveries that may not be entered yet.
    pub(super) waiting: u32,
    /// How the files of the catalogue looked when it was closed.
    asleep: Option<[Option<Look>; 2]>,
}

/// Inode, length, and time of the last change of a file.
type Look = (u64, u64, i64, i64);

/// Opens the account at a place. Nothing is read before it is needed.
pub(crate) fn open(settings: &Arc<Settings>, place: &Place, owner: &Owner) -> Result<Arc<dyn Account>> {
    Ok(FacteurAccount::new(settings, &place.root, owner, Arc::new(RealDisk)))
}

impl FacteurAccount {
    pub(super) fn new(
        settings: &Arc<Settings>,
        root: &Path,
        owner: &Owner,
        disk: Arc<dyn Disk>,
    ) -> Arc<FacteurAccount> {
        Arc::new_cyclic(|me| FacteurAccount {
            me: me.clone(),
            owner: owner.clone(),
            settings: Arc::clone(settings),
            root: root.to_owned(),
            bodies: Bodies::new(root, disk),
            state: Mutex::default(),
            watch: Watch::new(),
            heads: Heads::default(),
        })
    }

    /// Looks into the account: its catalogue is open, and everything delivered is entered.
    pub(super) fn enter(&self) -> Result<Inside<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let woken = state.catalogue.is_none();
        if woken {
            self.stay_awake();
            state.catalogue = Some(Catalogue::open(&self.root, &self.settings)?);
            state.names = Names::default();
        }
        let mut inside = Inside { account: self, state };
        inside.catch_up(woken)?;
        Ok(inside)
    }

    /// Is the catalogue closed, and nothing has happened since? Then there is no need to open it for a look.
    pub(super) fn is_asleep(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.catalogue.is_none()
            && state.asleep.is_some_and(|asleep| asleep == self.look())
            && self.bodies.is_entered(state.entered)
    }

    /// Can it be looked into without waiting, and is there nothing new? Gives what is known then.
    pub(super) fn at_hand(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.state.try_lock().ok()?;
        let current = state.catalogue.as_ref().is_some_and(Catalogue::is_as_seen);
        (current && self.bodies.is_entered(state.entered)).then_some(state)
    }

    fn look(&self) -> [Option<Look>; 2] {
        ["catalogue", "catalogue-wal"].map(|name| {
            let meta = std::fs::metadata(self.root.join(name)).ok()?;
            Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
        })
    }

    /// Opens the catalogue alone, without entering what was delivered: a repair does that in its own way.
    pub(super) fn enter_anew(&self) -> Result<Inside<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.catalogue = Some(Catalogue::open(&self.root, &self.settings)?);
        state.names = Names::default();
        Ok(Inside { account: self, state })
    }

    /// Makes this one the youngest of those awake, and puts the oldest to sleep.
    fn stay_awake(&self) {
        let mut awake = AWAKE.lock().unwrap_or_else(PoisonError::into_inner);
        awake.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&self.me));
        awake.push(self.me.clone());
        let mut sleepy = Vec::new();
        while awake.len() > OPEN {
            sleepy.extend(awake.remove(0).upgrade());
        }
        drop(awake);
        for account in sleepy {
            if let Ok(mut state) = account.state.try_lock() {
                state.catalogue = None;
                state.asleep = Some(account.look());
                account.bodies.close();
            } else {
                AWAKE.lock().unwrap_or_else(PoisonError::into_inner).push(account.me.clone());
            }
        }
    }

    /// What it may hold at most.
    pub(super) fn quota(&self) -> Limits {
        self.owner.limits.unwrap_or(self.settings.limits)
    }

    /// Logs that a share of the quota was reached.
    pub(super) fn warn_of_quota(&self, before: Usage, after: Usage) {
        if let Some(share) = self.quota().reached(before, after, &self.settings.warn_at) {
            let user = mail::logline::printable(&self.owner.user);
            log::warn!(target: "store", "quota of {user}: {share}% reached");
        }
    }
}
