//! header_checks(5): patterns for headers and body lines, of mail that comes in and of mail that goes out.
//!
//! [`Checks`] holds the tables of one service and says what is to be done with a line ([`Action`]); whoever has the
//! message does it.

mod action;
mod tables;
#[cfg(test)]
mod tests;

pub use action::{Action, Role};
pub use tables::{Checks, Part, Visit};
