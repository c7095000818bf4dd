//! Locks that other mail programs respect.

pub mod dot;
pub mod record;

pub use dot::{Dotlock, Patience};
