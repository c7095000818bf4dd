//! Which messages have a header already: it is asked for with every recipient, and one is enough.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// So many of the last messages are remembered.
const MESSAGES: usize = 200;

/// The last messages, by the name that policy clients give them (`instance`).
#[derive(Debug, Default)]
pub struct Messages(Mutex<VecDeque<String>>);

impl Messages {
    /// True for a message's first question only. One without a name is always new.
    pub fn is_first(&self, instance: &str) -> bool {
        if instance.is_empty() {
            return true;
        }
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.iter().any(|known| known == instance) {
            return false;
        }
        messages.truncate(MESSAGES - 1);
        messages.push_front(instance.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_new_once_and_only_the_last_are_known() {
        let messages = Messages::default();
        assert!(messages.is_first("a") && !messages.is_first("a"));
        assert!(messages.is_first("") && messages.is_first(""));
        (0..MESSAGES).for_each(|n| assert!(messages.is_first(&n.to_string())));
        assert!(messages.is_first("a"));
    }
}
