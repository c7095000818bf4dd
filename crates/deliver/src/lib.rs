//! The rounds: the agents that take a message to where it goes.
//!
//! Each agent is a file or a folder and a line in a list, named as the command of a master.cf
//! service: `smtp`, `lmtp`, `virtual`, `local`, `pipe`, `error`, `discard`. An agent is given a
//! [`Request`] and answers with a [`Report`]; it knows nothing of queues, scheduling or bounces.

mod agent;
mod office;
mod request;

pub use agent::{Agent, Boxed};
pub use office::{Letter, Pass, Reinject};
pub use request::{Content, Delivered, Feedback, Purpose, Report, Request, Target};
