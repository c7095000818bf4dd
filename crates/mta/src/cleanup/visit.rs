//! Those who look at a message while it passes: header_checks, body_checks and their kind are visitors.

use std::sync::Arc;

use filter::checks::Checks;
pub use filter::checks::{Action, Part, Visit};

/// Somebody who looks at a message while it passes. Called in message order, for one message only.
///
/// May assume: a header is whole, its folding included; nothing is rewritten yet. A table that fails is
/// [`mail::Trouble`], and then the message is refused for now.
pub trait Visitor: Send + Sync {
    /// A header field without its last line end.
    fn header<'a>(&'a mut self, part: Part, field: &'a [u8]) -> Visit<'a>;

    /// Lines at this offset in the body of their part, and behind it, are not shown. When no visitor wants lines,
    /// the body passes uncopied.
    fn body_limit(&self) -> u64 {
        0
    }

    /// A body line without its line end, at `offset` bytes in the body of its part (`body_checks_size_limit`).
    fn line<'a>(&'a mut self, offset: u64, line: &'a [u8]) -> Visit<'a>;
}

impl Visitor for Arc<Checks> {
    fn header<'a>(&'a mut self, part: Part, field: &'a [u8]) -> Visit<'a> {
        Checks::header(self, part, field)
    }

    fn body_limit(&self) -> u64 {
        Checks::body_limit(self)
    }

    fn line<'a>(&'a mut self, offset: u64, line: &'a [u8]) -> Visit<'a> {
        Checks::line(self, offset, line)
    }
}
