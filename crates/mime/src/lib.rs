//! The inside of a message: its parts and where they lie, addresses and dates as IMAP wants them, and text a person can read or search.
//!
//! Pure: bytes in, values out, under a budget of parts, depth and header fields, so that no message costs more than its share.
//!
//! [`parse`] makes a [`Structure`] of a stored message (LF or CRLF lines); [`imap`] words it for IMAP; [`crlf`] turns
//! stored lines into those of the wire.

pub mod address;
pub mod charset;
mod codec;
pub mod crlf;
pub mod date;
mod envelope;
mod fields;
pub mod fold;
pub mod fuzz;
mod header;
pub mod html;
pub mod ids;
pub mod imap;
mod lexer;
mod limits;
mod params;
mod parse;
pub mod section;
mod structure;
pub mod subject;
pub mod text;
pub mod transfer;
pub mod words;

pub use address::Address;
pub use date::SentDate;
pub use envelope::Envelope;
pub use limits::Limits;
pub use params::{Parameters, get as parameter};
pub use parse::parse;
pub use section::{Section, UnknownEncoding, What};
pub use structure::{Kind, Mime, Part, Size, Structure};

#[cfg(test)]
mod dovecot_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod text_tests;
