//! What the integration tests stand on: the real program in a directory of its own, sinks that answer as a script
//! says, and a client that says what it is told. Everything is on 127.0.0.0/8 and blocks; nothing here is async,
//! so that a test reads from top to bottom.
//!
//! It fails by panicking, with what was expected and what came: there is nobody to hand an error to.

mod address;
mod client;
mod crowd;
pub mod database;
mod instance;
pub mod kept;
mod maildir;
mod name_server;
pub mod neighbour;
mod program;
mod random;
mod secrets;
mod sink;
mod site;
pub mod tls;
pub mod wait;

pub use address::{Address, address};
pub use client::{Client, Reply, crlf};
pub use crowd::{Crowd, Exchange, connect_from};
pub use database::Database;
pub use instance::{Instance, Spoken};
pub use kept::Kept;
pub use maildir::Maildir;
pub use name_server::NameServer;
pub use program::{command, program};
pub use random::Random;
pub use sink::{Answer, Sink, Taken};
pub use site::{Site, mailbox_owner};
