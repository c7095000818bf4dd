//! A message shown to spamd (SPAMC/1.5, command SYMBOLS): the score, and the names of the tests that hit.

use std::time::Duration;

use mail::Trouble;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::verdict::{Finding, Verdict};
use crate::answer::Head;

/// Bytes of the list of tests.
const SYMBOLS: usize = 64 << 10;

/// What spamd is told beside the message.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The user whose settings and statistics count, when there is one.
    pub user: Option<&'a str>,
    /// Bytes of the message as it will be shown, with CRLF line ends.
    pub size: u64,
}

/// Begins; the message follows, then [`finish`].
pub(crate) async fn begin<S: AsyncWrite + Unpin>(
    stream: &mut S,
    ask: Ask<'_>,
    limit: Duration,
) -> Result<(), Trouble> {
    let user = ask.user.filter(|user| user.bytes().all(|byte| byte.is_ascii_graphic()));
    let user = user.map_or(String::new(), |user| format!("User: {user}\r\n"));
    let head = format!("SYMBOLS SPAMC/1.5\r\nContent-length: {}\r\n{user}\r\n", ask.size);
    write(stream, head.as_bytes(), "spamd", limit).await
}

/// Its verdict.
pub(crate) async fn finish<S: AsyncRead + Unpin>(
    stream: &mut S,
    limit: Duration,
    required: f64,
) -> Result<Verdict, Trouble> {
    let head = Head::read(stream, "spamd", limit).await?;
    let mut words = head.status().split_whitespace();
    let (name, code) = (words.next().unwrap_or_default(), words.next());
    if !name.starts_with("SPAMD/") || code != Some("0") {
        return Err(Trouble::new(format!("spamd says: {}", mail::logline::printable(head.status()))));
    }
    let score = head.field("spam").and_then(score).ok_or_else(|| Trouble::new("spamd gives no score"))?;
    let body = head.body(stream, "spamd", limit, SYMBOLS).await?;
    let text = String::from_utf8_lossy(&body);
    let names = text.split([',', '\r', '\n']).map(str::trim).filter(|name| !name.is_empty());
    let plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let findings = names.filter(plain).map(|name| Finding::new(name, 0.0, "")).collect();
    let mut verdict = Verdict::new(findings, required, None);
    verdict.given = Some(score);
    Ok(verdict)
}

/// `True ; 15.2 / 5.0`
fn score(text: &str) -> Option<f64> {
    let (_, numbers) = text.split_once(';')?;
    let (score, _) = numbers.split_once('/')?;
    score.trim().parse().ok().filter(|score: &f64| score.is_finite())
}

/// Writes, within `limit`.
pub(crate) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
    who: &str,
    limit: Duration,
) -> Result<(), Trouble> {
    match timeout(limit, stream.write_all(bytes)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Trouble::new(format!("{who}: {error}"))),
        Err(_) => Err(Trouble::new(format!("{who} does not read what it is shown"))),
    }
}
