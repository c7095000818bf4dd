//! The chain of visitors a message passes: header_checks, body_checks and their kind are visitors.

use std::future::Future;
use std::pin::Pin;

use mail::{Refusal, Trouble};

/// Where a header stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The message's own header: `header_checks`.
    Primary,
    /// Headers of a MIME part, and the primary ones that are about MIME: `mime_header_checks`.
    Mime,
    /// Headers of an attached message: `nested_header_checks`.
    Nested,
}

/// What a visitor says of a header or body line.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// Keep it.
    Keep,
    /// Leave it out (IGNORE, STRIP).
    Drop,
    /// Put other text in its place (REPLACE), without line end.
    Replace(Vec<u8>),
    /// Put a line before it (PREPEND), without line end.
    Prepend(Vec<u8>),
    /// Hold the message.
    Hold,
    /// Say yes to the client and forget the message.
    Discard,
    /// Route the message to this `transport:destination`.
    Filter(String),
    /// Send it to this recipient instead.
    Redirect(String),
    /// Send a copy to this recipient.
    Bcc(String),
    /// No more visits for this message (PASS).
    Pass,
    /// Refuse the message.
    Refuse(Refusal),
}

/// The future of a visit.
pub type Visits<'a> = Pin<Box<dyn Future<Output = Result<Judgement, Trouble>> + Send + 'a>>;

/// Somebody who looks at a message while it passes. Called in message order, one message only.
pub trait Visitor: Send {
    /// A whole header field as it came in, folding included, without its last line end.
    fn header<'a>(&'a mut self, part: Part, field: &'a [u8]) -> Visits<'a>;

    /// Whether `line` is to be called; when no visitor of a message wants lines, its body passes uncopied.
    fn wants_body(&self) -> bool {
        false
    }

    /// One body line without its line end.
    fn line<'a>(&'a mut self, line: &'a [u8]) -> Visits<'a>;
}
