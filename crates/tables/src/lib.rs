//! Lookup tables (`type:name`) and chains of them, with Postfix's query semantics.
//!
//! [`Tables`] opens and shares tables; [`Maps`] is a chain as it stands in a parameter value; [`List`] is a
//! match list (`mynetworks`, `mydestination`); [`compile()`] makes indexed files from text, as `postmap` does.
//! What a key means is the caller's business. A table that fails is [`mail::Trouble`]: never "not found".

mod address;
mod compile;
mod list;
mod maps;
pub mod params;
mod parents;
mod spec;
mod table;
mod tables;
pub mod types;

pub use address::AddressSearch;
pub use compile::{Compiled, Options, Repeats, SourceFormat, compile};
pub use list::List;
pub use maps::{Found, Maps};
pub use parents::Parents;
pub use spec::{Fault, Spec};
pub use table::{Answer, Hit, Lookup, Shape, Table};
pub use tables::{Keys, Settings, Tables};
