//! The inside of a message: its parts and where they lie, addresses and dates as IMAP wants them, and text a person can read or search.
//!
//! Pure: bytes in, values out, under a budget of parts, depth and header fields, so that no message costs more than its share.
//!
//! [`parse`] makes a [`Structure`] of a stored message (LF or CRLF lines); [`imap`] words it for IMAP; [`crlf`] turns
//! stored lines into those of the wire.

pub mod address;
mod codec;
pub mod crlf;
mod envelope;
mod fields;
mod header;
pub mod imap;
mod lexer;
mod limits;
mod params;
mod parse;
mod section;
mod structure;
pub mod transfer;

pub use address::Address;
pub use envelope::Envelope;
pub use limits::Limits;
pub use params::{Parameters, get as parameter};
pub use parse::parse;
pub use section::{Section, UnknownEncoding, What};
pub use structure::{Kind, Mime, Part, Size, Structure};

#[cfg(test)]
mod tests;
