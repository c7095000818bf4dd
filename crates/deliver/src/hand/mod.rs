//! Deliveries carried out by another process, which has the user's rights: the *deliverer*.
//!
//! A process without privileges [hires](hire) it at start; from then on mailboxes are written, programs run and
//! `.forward` files read over *lanes* (see [`master`]). [`serve`] is the deliverer's side, which checks
//! every job against a [`Policy`] of its own.

mod client;
mod job;
mod keep;
mod policy;
mod serve;

use std::sync::OnceLock;

use master::{Door, Identity};

pub use crate::cellar::{Cellar, Keeps, Parcel, Put};
pub use client::{Hand, Whose, who};
pub(crate) use job::What;
pub use keep::{keep, keep_lane};
pub use policy::{Policy, named_rights};
pub use serve::serve;

static HIRED: OnceLock<Hand> = OnceLock::new();

/// From now on this process delivers through others that `door` leads to. Only the first call counts.
pub fn hire(door: std::sync::Arc<Door>) {
    let _ = HIRED.set(Hand::new(door));
}

/// The rights of this process: those of accounts that say nothing of theirs.
pub fn own() -> Identity {
    Identity { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
}

/// Whoever delivers for this process, if it does not itself.
pub fn hired() -> Option<&'static Hand> {
    HIRED.get()
}
