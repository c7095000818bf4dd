//! The PROXY header before a session (`smtpd_upstream_proxy_protocol = haproxy`).

use std::time::Duration;

use proto::proxy::{Header, MOST, parse};
use tokio::io::AsyncReadExt;

use crate::Stream;

/// Bytes that tell the versions apart and that no header is shorter than.
const FIRST: usize = 12;

/// Reads the header and not one byte more. The error is the text behind Postfix's `haproxy read: `.
pub async fn read_header(stream: &mut Stream, timeout: Duration) -> Result<Header, String> {
    let read = async {
        let mut bytes = vec![0; FIRST];
        stream.read_exact(&mut bytes).await.map_err(|_| "unexpected EOF".to_owned())?;
        while bytes.len() < MOST {
            match parse(&bytes) {
                Ok(Some((header, _))) => return Ok(header),
                // Byte by byte: what follows the header is the client's and may be a handshake.
                Ok(None) => bytes.push(stream.read_u8().await.map_err(|_| "unexpected EOF".to_owned())?),
                Err(bad) => return Err(bad.0),
            }
        }
        Err("header is too long".to_owned())
    };
    tokio::time::timeout(timeout, read).await.unwrap_or_else(|_| Err("timeout error".to_owned()))
}
