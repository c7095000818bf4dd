//! What is inside a message: viruses, as clamd finds them.
//!
//! Never: what becomes of a message with one, and where messages are kept.

mod clamd;
pub mod params;
mod settings;

pub use clamd::{Conversation, Found};
pub use settings::{OnFailure, OnVirus, Scanner};
