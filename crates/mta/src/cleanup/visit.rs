//! The chain of visitors a message passes: header_checks, body_checks and their kind are visitors.

use std::future::Future;
use std::pin::Pin;

use mail::Trouble;

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

/// What a visitor wants done with a header or body line, in the words of header_checks(5). The text behind an
/// action is logged with it, and may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// OK, DUNNO: keep the line, look on.
    Keep,
    /// WARN: keep the line and log a warning.
    Warn(String),
    /// INFO: keep the line and log it.
    Info(String),
    /// IGNORE: leave the line out.
    Ignore,
    /// STRIP: leave the line out and log it.
    Strip(String),
    /// REPLACE the line with this one, without line end.
    Replace(String),
    /// PREPEND this line, without line end.
    Prepend(String),
    /// HOLD the message.
    Hold(String),
    /// DISCARD: say yes to the client and forget the message.
    Discard(String),
    /// FILTER: route the message to this `transport:destination`.
    Filter(String),
    /// REDIRECT: send the message to this address instead.
    Redirect(String),
    /// BCC: send a copy to this address.
    Bcc(String),
    /// PASS: no more visits for this message.
    Pass(String),
    /// REJECT, with an optional status and text: `5.7.1 no such thing`.
    Reject(String),
}

/// The future of a visit.
pub type Visit<'a> = Pin<Box<dyn Future<Output = Result<Action, Trouble>> + Send + 'a>>;

/// Somebody who looks at a message while it passes. Called in message order, for one message only.
///
/// May assume: a header is whole, its folding included; nothing is rewritten yet. A table that fails is
/// [`Trouble`], and then the message is refused for now.
pub trait Visitor: Send + Sync {
    /// A header field without its last line end.
    fn header<'a>(&'a mut self, part: Part, field: &'a [u8]) -> Visit<'a>;

    /// Whether [`Visitor::line`] is to be called; when no visitor wants lines, the body passes uncopied.
    fn wants_body(&self) -> bool {
        false
    }

    /// A body line without its line end, at `offset` bytes in the body of its part (`body_checks_size_limit`).
    fn line<'a>(&'a mut self, offset: u64, line: &'a [u8]) -> Visit<'a>;
}
