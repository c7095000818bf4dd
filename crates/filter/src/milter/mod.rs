//! The client of milters: mail filters that follow a session, and may change a message at its end.
//!
//! [`Milters`] is what a service was told of them; [`Chain`] is one session's conversation with each, in order. An
//! event goes to one filter after the other until one has something to say; content goes through them in turn, so
//! that each sees what those before it changed.

mod chain;
mod link;
mod settings;
mod spec;

pub use chain::{Chain, Values};
pub use link::{Link, Outcome, Step};
pub use settings::{Milters, Origin};
