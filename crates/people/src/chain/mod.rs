//! Chains of databases, with Dovecot's rules of what follows from an answer.

mod pass;
mod rule;
mod user;

pub use pass::{Found, No, PassChain, PassLink, Want};
pub use rule::Rule;
pub use user::{UserChain, UserLink};
