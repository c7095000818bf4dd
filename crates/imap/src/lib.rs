//! The servers by which people read their mail: IMAP and POP3.
//!
//! An IMAP session is four things apart: the [`grammar`] turns bytes into values; a [`session::Session`] is the
//! conversation, without a socket; [`commands`] say what each command does; [`service`] drives sessions over
//! connections. Mail is in the `store` room, who may log in is for the `people` room to say.

pub mod accounts;
mod binary;
mod catenate;
pub mod commands;
pub mod grammar;
pub mod handover;
pub mod live;
pub mod login;
pub mod params;
pub mod pop3;
pub mod quirks;
pub mod respond;
pub mod service;
pub mod session;
pub mod settings;
pub mod tls;

pub use service::{Counts, Imapd, check, session_id};
