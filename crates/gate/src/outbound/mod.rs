//! Limits of mail that accounts send out: how much in a time span, and how much more than they use to.
//!
//! An account that suddenly sends far above its habit has probably lost its password. What it sends from then on is
//! accepted and held, until somebody has had a look ([`Verdict::Held`]).

mod memory;
mod settings;
#[cfg(test)]
mod tests;

pub use memory::{FILE, Memory};
pub use settings::{Limits, Settings};

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The name it logged in with.
    pub account: &'a str,
    /// MAIL FROM: its domain counts where the account has none.
    pub address: &'a str,
}

/// What comes of one more message or recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go.
    Fine,
    /// It is too much for now, and why: `recipient limit of account joe exceeded: 101 in 3600 seconds`.
    TooMuch(String),
    /// The account's mail is held. `first` is true when that was decided just now, with what it sent, and what is usual.
    Held {
        /// Decided just now.
        first: Option<(u32, u32)>,
    },
}
