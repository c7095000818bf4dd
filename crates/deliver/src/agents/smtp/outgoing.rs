//! What goes over the wire in place of the queued content, when it may not go as it is.

use bytes::Bytes;
use mail::Refusal;

use super::service::Service;
use super::session::Session;
use crate::Request;

/// Command lines and content of one transaction.
pub struct Outgoing {
    /// After `MAIL FROM:`.
    pub mail: String,
    /// After each `RCPT TO:`.
    pub recipients: Vec<String>,
    /// The content, where it is not the queued one.
    pub content: Option<Bytes>,
}

/// The content to send to this server; `None` for the queued one as it is.
pub async fn content(
    _service: &Service,
    _session: &Session,
    _request: &Request,
) -> Result<Option<Bytes>, Refusal> {
    Ok(None)
}
