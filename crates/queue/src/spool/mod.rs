//! The queue files of a stopped Postfix, for those who come from it and those who go back.
//!
//! A queue file is a sequence of records: a type byte, a length (seven bits a byte, lowest first) and that many
//! bytes. The envelope comes first, then the content, then what cleanup(8) took out of the headers. Recipients
//! that are done have another type than those that are not. Why the others wait stands in a text file of the same
//! name in `defer`, and for whom a notice of failure is owed in `bounce`.

mod attributes;
mod files;
mod notes;
mod read;
mod records;
mod write;

pub use files::{Place, is_in_use, notes_files, scan};
pub use notes::{Note, parse_notes, write_notes};
pub use read::{Letter, Wrong, read};
pub use write::{Written, write};

#[cfg(test)]
mod tests;
