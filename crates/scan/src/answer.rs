//! The head of an answer: lines up to an empty one, within bounds, as spamd and HTTP servers give it.

use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Bytes of a head.
const HEAD: usize = 64 << 10;

/// What an answer begins with, and what of its body came along.
#[derive(Debug)]
pub(crate) struct Head {
    lines: Vec<String>,
    body: Vec<u8>,
}

impl Head {
    /// Reads it. `who` is named when that fails; the whole of it may take `limit`.
    pub(crate) async fn read<S: AsyncRead + Unpin>(
        stream: &mut S,
        who: &str,
        limit: Duration,
    ) -> Result<Head, Trouble> {
        let mut text = Vec::new();
        let reading = async {
            let mut piece = [0; 4096];
            loop {
                if let Some((end, len)) = end_of(&text) {
                    let lines = String::from_utf8_lossy(&text[..end]).lines().map(str::to_owned).collect();
                    return Ok(Head { lines, body: text[len..].to_vec() });
                }
                if text.len() > HEAD {
                    return Err(Trouble::new(format!("{who} answers without end")));
                }
                let len =
                    stream.read(&mut piece).await.map_err(|error| Trouble::new(format!("{who}: {error}")))?;
                if len == 0 {
                    return Err(Trouble::new(format!("{who} went away before its answer was whole")));
                }
                text.extend_from_slice(&piece[..len]);
            }
        };
        timeout(limit, reading).await.unwrap_or_else(|_| Err(Trouble::new(format!("{who} does not answer"))))
    }

    /// The first line.
    pub(crate) fn status(&self) -> &str {
        self.lines.first().map_or("", String::as_str)
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The beginning of the body, up to `most` bytes or its end: a head of HTTP is all that is wanted.
    pub(crate) async fn some_body<S: AsyncRead + Unpin>(
        self,
        stream: &mut S,
        who: &str,
        limit: Duration,
        most: usize,
    ) -> Result<Vec<u8>, Trouble> {
        let enough = |body: &[u8]| body.len() >= most || end_of(body).is_some();
        let mut body = self.body;
        fill(&mut body, stream, who, limit, enough).await?;
        body.truncate(most);
        Ok(body)
    }

    /// The body: as long as the head says, or up to the end; at most `most` bytes.
    pub(crate) async fn body<S: AsyncRead + Unpin>(
        self,
        stream: &mut S,
        who: &str,
        limit: Duration,
        most: usize,
    ) -> Result<Vec<u8>, Trouble> {
        let said = self.field("content-length").and_then(|text| text.parse::<usize>().ok());
        let enough = |body: &[u8]| body.len() > most || said.is_some_and(|len| body.len() >= len);
        let mut body = self.body;
        fill(&mut body, stream, who, limit, enough).await?;
        match said {
            Some(len) if body.len() >= len => body.truncate(len),
            _ if body.len() > most => {
                return Err(Trouble::new(format!("{who} answers more than {most} bytes")));
            }
            Some(_) => return Err(Trouble::new(format!("{who} went away before its answer was whole"))),
            None => {}
        }
        Ok(body)
    }
}

/// Reads on until there is enough, or no more.
async fn fill<S: AsyncRead + Unpin>(
    body: &mut Vec<u8>,
    stream: &mut S,
    who: &str,
    limit: Duration,
    enough: impl Fn(&[u8]) -> bool,
) -> Result<(), Trouble> {
    let reading = async {
        let mut piece = [0; 4096];
        while !enough(body) {
            let len = stream.read(&mut piece).await?;
            if len == 0 {
                break;
            }
            body.extend_from_slice(&piece[..len]);
        }
        Ok::<(), std::io::Error>(())
    };
    match timeout(limit, reading).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Trouble::new(format!("{who}: {error}"))),
        Err(_) => Err(Trouble::new(format!("{who} does not answer"))),
    }
}

/// Where the lines end, and where the body begins.
fn end_of(text: &[u8]) -> Option<(usize, usize)> {
    let crlf = text.windows(4).position(|four| four == b"\r\n\r\n").map(|at| (at, at + 4));
    let lf = text.windows(2).position(|two| two == b"\n\n").map(|at| (at, at + 2));
    crlf.into_iter().chain(lf).min()
}
