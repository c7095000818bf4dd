//! The servers by which people read their mail: IMAP and POP3.

pub mod accounts;
pub mod grammar;
pub mod params;
pub mod tls;
