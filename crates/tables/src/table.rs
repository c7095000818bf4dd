//! What a lookup table is: the contract every type keeps.

use std::pin::Pin;

use mail::Trouble;

use crate::files::Watched;

/// What came back from a table: found, not found, or trouble. Trouble is never "not found".
pub type Answer = Result<Option<Hit>, Trouble>;

/// A value that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// The value as the table holds it.
    pub value: Vec<u8>,
    /// `file, line N` of the rule that decided, for tables that are read as text.
    pub line: Option<u32>,
}

impl Hit {
    /// A value without a line.
    pub fn new(value: impl Into<Vec<u8>>) -> Hit {
        Hit { value: value.into(), line: None }
    }
}

/// An answer that is there, or one that has to wait for a socket, a disk or another thread.
pub enum Lookup<'a> {
    /// The answer.
    Ready(Answer),
    /// The answer, once it has come.
    Pending(Pin<Box<dyn Future<Output = Answer> + Send + 'a>>),
}

/// Which keys a table expects. A chain of both kinds may hold both (`unionmap:`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Fixed strings: partial keys (parent domains, user without extension) are looked up.
    pub fixed: bool,
    /// Patterns or a foreign server: only whole keys are looked up.
    pub pattern: bool,
}

impl Shape {
    /// `hash:`, `inline:`, `sqlite:`…
    pub const FIXED: Shape = Shape { fixed: true, pattern: false };
    /// `regexp:`, `cidr:`, `tcp:`…
    pub const PATTERN: Shape = Shape { fixed: false, pattern: true };
}

/// The rows of a table, in its own order, each a key and a value.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), Trouble>> + 'a>;

/// An open lookup table.
///
/// Keys come folded where [`Table::folds`] says so and the user of the table wants it, and never hold NUL (a
/// key that does is not found, without asking any table).
pub trait Table: Send + Sync {
    /// Looks a key up.
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a>;

    /// Which keys it expects.
    fn shape(&self) -> Shape;

    /// Are its keys fixed strings, which are folded to lower case before look-up where that is wanted?
    fn folds(&self) -> bool;

    /// The text file whose lines are its rules, for `file, line N`.
    fn source(&self) -> Option<&str> {
        None
    }

    /// For tables that others answer: whom it asks, and what, for this key.
    fn question(&self, _: &[u8]) -> Option<String> {
        None
    }

    /// The files it was read from; [`crate::Tables::refresh`] opens it anew when one has changed.
    fn watched(&self) -> &[Watched] {
        &[]
    }

    /// All rows (`postmap -s`), or `None` when the type cannot list them.
    fn rows(&self) -> Option<Rows<'_>> {
        None
    }
}
