//! The root parent: it keeps root, forks everything else, and does seven typed things for it.
//!
//! Started as root, [`run`] forks one *worker* with the rights of `mail_owner`, which meets the world, and a
//! *deliverer* for each user that gets mail, with that user's rights. Those who read mail come to the [`Front`]: the
//! *keeper* of all mailboxes with the rights of their owner, or a process that takes logins and hands sessions to a
//! keeper for each user. They ask through a [`Door`]; what is not in [`Request`] cannot be asked, and each request is
//! checked against [`Rules`] that the parent has read itself. There is one thread, no TLS, and no parser of foreign bytes
//! here.

mod deliverers;
mod door;
mod grants;
mod keepers;
mod lanes;
mod parent;
pub mod promises;
mod request;
mod rules;
mod sys;
pub mod wire;

pub use door::Door;
pub use lanes::{Heard, Lanes, Purpose};
pub use parent::{Front, Staff, run};
pub use request::Request;
pub use rules::{Identity, Keeping, Rules};
pub use sys::give_back_memory;
