//! What goes over the wire in place of the queued content, when it may not go as it is.

mod quoted;
mod rewrite;

use bytes::Bytes;
use mail::{BodyType, Refusal, Trouble};

use super::service::Service;
use super::session::Session;
use crate::Request;
use rewrite::Rewrite;

/// Command lines and content of one transaction.
pub struct Outgoing {
    /// After `MAIL FROM:`.
    pub mail: String,
    /// After each `RCPT TO:`.
    pub recipients: Vec<String>,
    /// The content, where it is not the queued one.
    pub content: Option<Bytes>,
}

/// A server without 8BITMIME gets 7-bit mail, unless the mail is said to be that already.
pub fn is_converted(service: &Service, session: &Session, request: &Request) -> bool {
    !session.extensions.eight_bit_mime
        && !service.client.disable_mime_output_conversion
        && request.body_type != BodyType::SevenBit
}

/// The content to send to this server; `None` for the queued one as it is.
pub async fn content(
    service: &Service,
    session: &Session,
    request: &Request,
) -> Result<Option<Bytes>, Refusal> {
    let downgrade = is_converted(service, session, request);
    if !downgrade && service.generic.is_empty() && service.checks.is_empty() {
        return Ok(None);
    }
    let text = match request.content.in_memory() {
        Some(bytes) => bytes.clone(),
        None => {
            let content = request.content.clone();
            let read = tokio::task::spawn_blocking(move || content.bytes()).await;
            let failed = |error| Trouble::from_error("read the queued content", error);
            read.map_err(|error| Trouble::from_error("read the queued content", error))?.map_err(failed)?
        }
    };
    // Mail that was declared to be 8-bit may say so in its header, too.
    let plain = text.is_ascii() && request.body_type != BodyType::EightBitMime;
    if service.generic.is_empty() && service.checks.is_empty() && plain {
        return Ok(None);
    }
    let out = Rewrite::new(service, request.id.as_str(), &session.name, downgrade).run(&text).await?;
    Ok(Some(Bytes::from(out)))
}
