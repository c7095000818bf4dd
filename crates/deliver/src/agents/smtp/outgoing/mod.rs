//! What goes over the wire in place of the queued content, when it may not go as it is.

mod quoted;
mod rewrite;

use bytes::Bytes;
use mail::{BodyType, Refusal};

use super::service::Service;
use super::session::Session;
use crate::Request;
pub use rewrite::Rewrite;

/// Command lines and content of one transaction.
pub struct Outgoing {
    /// After `MAIL FROM:`.
    pub mail: String,
    /// After each `RCPT TO:`.
    pub recipients: Vec<String>,
    /// The content.
    pub content: Content,
}

/// The content as it goes out.
pub enum Content {
    /// As it is queued.
    Queued,
    /// This.
    Rewritten(Bytes),
    /// Too large to be rewritten beforehand: what is queued is rewritten on its way.
    OnTheWay,
}

/// A server without 8BITMIME gets 7-bit mail, unless the mail is said to be that already.
pub fn is_converted(service: &Service, session: &Session, request: &Request) -> bool {
    !session.extensions.eight_bit_mime
        && !service.client.disable_mime_output_conversion
        && request.body_type != BodyType::SevenBit
}

/// What is sent to this server.
pub async fn content(service: &Service, session: &Session, request: &Request) -> Result<Content, Refusal> {
    let downgrade = is_converted(service, session, request);
    if !downgrade && service.generic.is_empty() && service.checks.is_empty() {
        return Ok(Content::Queued);
    }
    let Some(text) = request.content.in_memory() else { return Ok(Content::OnTheWay) };
    // Mail that was declared to be 8-bit may say so in its header, too.
    let plain = text.is_ascii() && request.body_type != BodyType::EightBitMime;
    if service.generic.is_empty() && service.checks.is_empty() && plain {
        return Ok(Content::Queued);
    }
    let out = rewrite(service, session, request).feed(text, true).await?;
    Ok(Content::Rewritten(Bytes::from(out)))
}

/// Rewrites the content for this server.
pub fn rewrite<'a>(service: &'a Service, session: &Session, request: &Request) -> Rewrite<'a> {
    let downgrade = is_converted(service, session, request);
    Rewrite::new(service, request.id.as_str(), &session.name, downgrade)
}
