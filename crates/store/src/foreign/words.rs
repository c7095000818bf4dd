//! The keywords of a mailbox and their bits.

use std::sync::Arc;

use crate::{LONGEST_KEYWORD, MOST_KEYWORDS};

/// Names of keywords; the place of a name is its bit and does not change.
#[derive(Clone, Debug, Default)]
pub struct Words(Vec<Arc<str>>);

impl Words {
    /// From names in the order of their bits.
    pub fn new(names: &[String]) -> Words {
        Words(names.iter().map(|name| name.as_str().into()).collect())
    }

    /// The bit of a name, whatever its case; a new one where it has none. `None` where it cannot have one: it is too
    /// long, or all are taken.
    pub fn bit(&mut self, name: &str) -> Option<u64> {
        if let Some(bit) = self.0.iter().position(|known| known.eq_ignore_ascii_case(name)) {
            return Some(1 << bit);
        }
        let fits = !name.is_empty() && name.len() <= LONGEST_KEYWORD && !name.contains(char::is_whitespace);
        (fits && self.0.len() < MOST_KEYWORDS).then(|| {
            self.0.push(name.into());
            1 << (self.0.len() - 1)
        })
    }

    /// The names of bits.
    pub fn names(&self, bits: u64) -> impl Iterator<Item = &str> {
        self.0.iter().enumerate().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| &**name)
    }

    /// All names.
    pub fn all(&self) -> &[Arc<str>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_stay() {
        let mut words = Words::new(&["$Junk".to_owned()]);
        assert_eq!((words.bit("Foo"), words.bit("$junk"), words.bit("foo")), (Some(2), Some(1), Some(2)));
        assert_eq!(words.names(3).collect::<Vec<_>>(), ["$Junk", "Foo"]);
        assert_eq!(words.bit("two words"), None);
        for n in 2..64 {
            assert_eq!(words.bit(&format!("k{n}")), Some(1 << n));
        }
        assert_eq!(words.bit("one more"), None);
    }
}
