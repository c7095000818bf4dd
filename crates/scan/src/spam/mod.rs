//! Is it spam? Words and senders as they were learned, readable rules, and what others say of it; each finding has its
//! points and its sentence.
//!
//! [`Sample`] is what is looked at of a message; [`Statistics`] remembers what was learned; [`Rules`] are written by
//! people; a [`Verdict`] adds up the [`Finding`]s and words them for the header.

mod chance;
mod reputation;
pub(crate) mod rspamd;
mod rules;
mod sample;
pub(crate) mod spamd;
mod statistics;
mod tokens;
mod verdict;

pub use chance::{Chance, points};
pub use reputation::Standing;
pub use rules::Rules;
pub use sample::Sample;
pub use statistics::{Changed, Class, Counts, Limits, Owner, Statistics};
pub use verdict::{Finding, Verdict, is_ours, sender_of};

#[cfg(test)]
mod remote_tests;
#[cfg(test)]
mod tests;
