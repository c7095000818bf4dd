//! What is inside a message: files, spam, viruses.
//!
//! Never: what becomes of a message with one, and where messages are kept.

mod answer;
pub mod attachments;
mod clamd;
mod endpoint;
mod icap;
pub mod params;
mod settings;
pub mod spam;
mod spam_settings;
mod training;

pub use clamd::Found;
pub use settings::{Conversation, OnFailure, OnVirus, Scanner};
pub use spam_settings::{Asked, Judge, Letter, Own, Remote, Showing, SpamCheck, Thresholds};
pub use training::Training;
