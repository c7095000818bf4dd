//! The rounds: the agents that take a message to where it goes.
//!
//! Each agent is a file or a folder under [`agents`] and a line in [`AGENTS`], named as the command of a master.cf
//! service: `smtp`, `lmtp`, `virtual`, `store`, `local`, `pipe`, `error`, `discard`. An agent is given a
//! [`Request`] and answers with a [`Report`]; it knows nothing of queues, scheduling or bounces. [`spawn`] is no agent: it
//! runs a program on a connection, with the same rights and the same checks as `pipe`.

mod agent;
pub mod agents;
mod cellar;
mod child;
mod command;
mod environment;
pub mod errand;
pub mod hand;
mod looping;
pub mod mailbox;
mod office;
pub mod params;
mod porters;
pub mod privilege;
mod request;
pub mod spawn;
mod sysexits;
#[cfg(test)]
mod testing;

pub use agent::{Agent, Boxed};
pub use agents::smtp::{destination, tlsrpt};
pub use agents::{AGENTS, AgentKind, Setup};
pub use office::{Letter, Pass, Reinject};
pub use request::{Delivered, Feedback, Purpose, Report, Request, Target, Transcript};
