//! The servers by which people read their mail: IMAP and POP3.

pub mod grammar;
