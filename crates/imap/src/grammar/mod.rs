//! The words of IMAP: commands come in as bytes and leave as values. No I/O, no state, no policy.
//!
//! [`Framer`] puts commands together within limits; each command's arguments are read by the functions here, over the
//! bytes as they came. RFC 9051, and RFC 3501 for what it left behind.

mod cursor;
pub mod dates;
pub mod fetch;
mod frame;
pub mod fuzz;
pub mod mailbox;
pub mod notify;
pub mod search;
pub mod set;

pub use cursor::{Bad, Cursor, Parsed};
pub use frame::{Frame, Framer, Limits, Piece, Why, tag};
