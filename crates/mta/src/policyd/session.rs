//! One client of the policy server: requests and answers in turn.

use gate::policy::{self, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::Service;

/// Answers until the client is gone, is silent for too long, or makes no sense.
pub(super) async fn run(service: &Service, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut bytes = Vec::new();
    loop {
        while let Some(at) = policy::end(&bytes) {
            let request = Request::parse(&bytes[..at]);
            bytes.drain(..at);
            let answer = match request {
                Ok(request) => policy::answer(&service.answer(&request).await),
                // Postfix takes its own default action when we hang up.
                Err(why) => return log::warn!(target: "policyd", "request is not understood: {why}"),
            };
            let sent = timeout(service.timeout, async {
                stream.write_all(answer.as_bytes()).await?;
                stream.flush().await
            });
            if !matches!(sent.await, Ok(Ok(()))) {
                return;
            }
        }
        if bytes.len() >= policy::LONGEST {
            return log::warn!(target: "policyd", "request is longer than {} bytes", policy::LONGEST);
        }
        match timeout(service.timeout, stream.read_buf(&mut bytes)).await {
            Ok(Ok(count)) if count > 0 => {}
            _ => return,
        }
    }
}
