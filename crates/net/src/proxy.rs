//! The PROXY header before a session (`smtpd_upstream_proxy_protocol = haproxy`).

use std::time::Duration;

use proto::proxy::Header;

use crate::Stream;

/// Reads the header and not one byte more. The error is the text behind Postfix's `haproxy read: `.
pub async fn read_header(stream: &mut Stream, timeout: Duration) -> Result<Header, String> {
    let _ = (stream, timeout);
    todo!()
}
