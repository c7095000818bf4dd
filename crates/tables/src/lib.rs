//! Lookup tables (`type:name`) and chains of them, with Postfix's query semantics.
//!
//! [`Tables`] opens and shares tables; [`Maps`] is a chain as it stands in a parameter value; [`List`] is a
//! match list (`mynetworks`, `mydestination`); [`compile()`] makes indexed files from text, as `postmap` does.
//! What a key means is the caller's business. A table that fails is [`mail::Trouble`]: never "not found".
#![deny(unsafe_code)]

mod address;
mod aliases;
pub mod bdb;
mod blocking;
mod cached;
mod cdb;
mod chain;
mod client;
mod compile;
mod files;
mod fold;
pub mod http;
mod indexed;
pub mod ldap;
mod lines;
mod list;
mod lmdb;
mod maps;
mod network;
pub mod params;
mod parents;
mod rules;
mod source;
mod spec;
pub mod sql;
pub mod sync;
mod table;
mod tables;
mod template;
mod trust;
pub mod types;

pub use address::AddressSearch;
pub use compile::{Compiled, Format, Options, Repeats, SourceFormat, add, compile, remove};
pub use files::Watched;
pub use list::List;
pub use maps::{Found, Maps};
pub use network::Network;
pub use parents::{Parents, domain_keys};
pub use spec::{Fault, Spec, divide};
pub use table::{Answer, Hit, Lookup, Rows, Shape, Table};
pub use tables::{Databases, Keys, MainCf, Settings, Single, Tables};

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
