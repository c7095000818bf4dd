//! Flags and keywords of a message.

use std::ops::{BitAnd, BitOr, Not};

/// The system flags of IMAP but `\Recent`, which belongs to a session ([`crate::Mailbox::claim_recent`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// None.
    pub const NONE: Flags = Flags(0);
    /// `\Seen`
    pub const SEEN: Flags = Flags(1);
    /// `\Answered`
    pub const ANSWERED: Flags = Flags(2);
    /// `\Flagged`
    pub const FLAGGED: Flags = Flags(4);
    /// `\Deleted`
    pub const DELETED: Flags = Flags(8);
    /// `\Draft`
    pub const DRAFT: Flags = Flags(16);
    /// All of them.
    pub const ALL: Flags = Flags(31);

    /// Each flag with its name in IMAP.
    pub const NAMES: [(Flags, &str); 5] = [
        (Flags::ANSWERED, "\\Answered"),
        (Flags::FLAGGED, "\\Flagged"),
        (Flags::DELETED, "\\Deleted"),
        (Flags::SEEN, "\\Seen"),
        (Flags::DRAFT, "\\Draft"),
    ];

    /// Are all flags of `other` set?
    pub fn has(self, other: Flags) -> bool {
        self & other == other
    }

    /// The flag of this name (`\seen`), whatever its case.
    pub fn from_name(name: &str) -> Option<Flags> {
        Flags::NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(flag, _)| *flag)
    }

    /// The names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Flags::NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitAnd for Flags {
    type Output = Flags;
    fn bitand(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Flags;
    fn not(self) -> Flags {
        Flags(!self.0 & Flags::ALL.0)
    }
}

/// Most keywords a mailbox may have: each is one bit of [`crate::Entry::keywords`].
pub const MOST_KEYWORDS: usize = 64;

/// Longest keyword, in bytes.
pub const LONGEST_KEYWORD: usize = 255;

/// What to do to the flags named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`: those not named are cleared.
    Replace,
}

/// A change of flags, by name.
#[derive(Clone, Debug)]
pub struct FlagChange {
    /// How.
    pub mode: Mode,
    /// System flags.
    pub flags: Flags,
    /// Keywords; case is kept and does not matter.
    pub keywords: Vec<String>,
    /// Messages changed after this MODSEQ are left alone (`UNCHANGEDSINCE`).
    pub unchanged_since: Option<u64>,
}

impl FlagChange {
    /// A change without keywords and conditions.
    pub fn new(mode: Mode, flags: Flags) -> FlagChange {
        FlagChange { mode, flags, keywords: Vec::new(), unchanged_since: None }
    }

    /// The flags and keyword bits of a message after the change; `mask` are the bits of the keywords named.
    pub fn apply(&self, flags: Flags, keywords: u64, mask: u64) -> (Flags, u64) {
        match self.mode {
            Mode::Add => (flags | self.flags, keywords | mask),
            Mode::Remove => (flags & !self.flags, keywords & !mask),
            Mode::Replace => (self.flags, mask),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_adds_removes_or_replaces() {
        let both = Flags::SEEN | Flags::FLAGGED;
        let apply = |mode| FlagChange::new(mode, Flags::SEEN).apply(both, 0b11, 0b10);
        assert_eq!(apply(Mode::Add), (both, 0b11));
        assert_eq!(apply(Mode::Remove), (Flags::FLAGGED, 0b01));
        assert_eq!(apply(Mode::Replace), (Flags::SEEN, 0b10));
    }

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(Flags::from_name("\\seen"), Some(Flags::SEEN));
        assert_eq!(Flags::from_name("\\Recent"), None);
        assert_eq!((Flags::SEEN | Flags::DRAFT).names().collect::<Vec<_>>(), ["\\Seen", "\\Draft"]);
    }
}
