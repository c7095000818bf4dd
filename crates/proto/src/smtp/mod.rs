//! SMTP, ESMTP and LMTP: grammar of commands and replies, and the two machines.

pub mod client;
pub mod command;
pub mod params;
pub mod path;
pub mod reply;
pub mod server;
pub mod xtext;

pub use command::{Command, Token, Verb};
pub use reply::{Received, Reply};
