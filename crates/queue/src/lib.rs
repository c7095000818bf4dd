//! The durable queue and its scheduler.
//!
//! [`Queue`] is the disk: a journal of checksummed records in `queue_directory`, written by one committer that
//! syncs once for all who wait. [`scheduler`] is the queue manager's head: a pure machine that decides what is
//! delivered next, with Postfix's parameters. Neither knows the other.

pub mod body;
pub mod failure;
pub mod maildrop;
pub mod message;
pub mod params;
pub mod queue;
pub mod scheduler;

pub use body::{Body, Draft};
pub use failure::{Failure, Kind};
pub use message::{Action, Brief, Entry, Fate, Left, Report, Settlement, State, Stored, Summary, Waiting};
pub use queue::{Change, Commit, Damage, Flush, Queue, Recovered, Selection, Settings};
