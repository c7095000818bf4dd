//! The name of a message in the queue.

use std::fmt;

/// A queue id: letters and digits only, as in Postfix's logs; unique while the message exists, and with
/// `enable_long_queue_ids` for ever.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(Box<str>);

impl QueueId {
    /// Longest id accepted from a command line or a journal.
    pub const MAX: usize = 100;

    /// Accepts ASCII letters and digits only: an id is also a file name.
    pub fn parse(text: &str) -> Option<QueueId> {
        let fits =
            !text.is_empty() && text.len() <= Self::MAX && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| QueueId(text.into()))
    }

    /// The id as it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
