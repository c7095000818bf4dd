//! The durable queue and its scheduler.
//!
//! [`Queue`] is the disk: a journal of checksummed records in `queue_directory`, written by one committer that
//! syncs once for all who wait. [`scheduler`] is the queue manager's head: a pure machine that decides what is
//! delivered next, with Postfix's parameters. Neither knows the other.
//!
//! # On disk
//! - `journal/0000000001…`: segments, appended to and never changed; `frame.rs` and `record.rs` say what is in them.
//! - `journal/body/ID`: content too large for a segment; durable before the record that names it.
//! - `journal/draft/`: content still coming in.
//! - `corrupt/`: damaged records, set aside.
//! - `maildrop/`: what `sendmail` left while the program was down.

pub mod body;
pub mod change;
pub mod control;
pub mod disk;
pub mod failure;
pub mod maildrop;
pub mod message;
pub mod params;
pub mod queue;
pub mod scheduler;
pub mod settings;
pub mod spool;
pub mod submission;

mod admin;
mod committer;
mod frame;
mod fresh;
mod id;
mod index;
mod janitor;
mod layout;
mod load;
mod lock;
mod record;
mod replay;
mod scan;
mod segment;
mod shared;
mod wire;

pub use body::{Body, Draft};
pub use change::{Change, Commit, Flush, Selection};
pub use failure::{Failure, Kind};
pub use message::{Action, Brief, Entry, Fate, Left, Report, Settlement, State, Stored, Summary, Waiting};
pub use queue::Queue;
pub use settings::{Damage, Recovered, Settings};
pub use submission::{Open, Submission};

#[cfg(test)]
pub(crate) mod tests;
