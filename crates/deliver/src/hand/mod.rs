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

use master::Door;

pub use crate::cellar::Cellar;
pub use client::{Hand, who};
pub(crate) use job::What;
pub use keep::keep;
pub use policy::{Policy, named_rights};
pub use serve::serve;

static HIRED: OnceLock<Hand> = OnceLock::new();

/// From now on this process delivers through others that `door` leads to. Only the first call counts.
pub fn hire(door: std::sync::Arc<Door>) {
    let _ = HIRED.set(Hand::new(door));
}

/// Whoever delivers for this process, if it does not itself.
pub fn hired() -> Option<&'static Hand> {
    HIRED.get()
}
