//! Who is who: accounts and where they are kept, how a password is checked, and the conversations that carry one.
//!
//! [`People`] is a snapshot built from parameters. Services ask it three things: is this login right
//! ([`People::begin`] for a SASL conversation, [`People::authenticate`] for a name and a password at hand), who is
//! this user ([`People::lookup`]), and who is there ([`People::users`]). Password and user databases
//! (`passdb`, `userdb`) form ordered chains with Dovecot's rules. A database that fails is [`mail::Trouble`]: never
//! "no such user". Hashes are computed on threads of their own, and only so many logins wait for them.
#![deny(unsafe_code)]

mod account;
mod cache;
mod chain;
pub mod cyrus;
pub mod databases;
pub mod directory;
mod expand;
mod facts;
mod fields;
mod listed;
mod oauth2;
mod open;
pub mod outside;
pub mod params;
mod people;
mod random;
pub mod sasl;
pub mod schemes;
pub mod server;
mod username;
mod verdict;
mod workers;

pub use account::Account;
pub use facts::{Binding, Facts};
pub use fields::Fields;
pub use people::{Parts, People};
pub use sasl::{Exchange, Progress};
pub use verdict::{Failure, Verdict, Why};

/// A future of a trait's method.
pub type Boxed<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
