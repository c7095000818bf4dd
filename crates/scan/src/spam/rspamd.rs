//! A message shown to rspamd over HTTP (`POST /checkv2`): the score, and the symbols with their weights.

use std::fmt::Write as _;
use std::time::Duration;

use mail::Trouble;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use super::spamd::write;
use super::verdict::{Finding, Verdict};
use crate::answer::Head;

/// Bytes of an answer.
const ANSWER: usize = 1 << 20;

/// What rspamd is told beside the message.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Bytes of the message as it will be shown.
    pub size: u64,
    /// Fields of its HTTP interface: `IP`, `Helo`, `Hostname`, `From`, `Rcpt`, `Queue-Id`, `Password`.
    pub fields: Vec<(&'static str, String)>,
}

/// Begins; the message follows, then [`finish`].
pub(crate) async fn begin<S: AsyncWrite + Unpin>(
    stream: &mut S,
    ask: &Ask,
    limit: Duration,
) -> Result<(), Trouble> {
    let mut head = format!(
        "POST /checkv2 HTTP/1.1\r\nHost: rspamd\r\nConnection: close\r\nContent-Length: {}\r\n",
        ask.size
    );
    for (name, value) in &ask.fields {
        // What a stranger said stays on its line.
        let value: String = value.chars().filter(|c| !c.is_control()).take(1000).collect();
        if !value.is_empty() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    head.push_str("\r\n");
    write(stream, head.as_bytes(), "rspamd", limit).await
}

/// Its verdict.
pub(crate) async fn finish<S: AsyncRead + Unpin>(
    stream: &mut S,
    limit: Duration,
    required: f64,
) -> Result<Verdict, Trouble> {
    let head = Head::read(stream, "rspamd", limit).await?;
    let status = head.status();
    if !status.starts_with("HTTP/1.") || status.split_whitespace().nth(1) != Some("200") {
        return Err(Trouble::new(format!("rspamd says: {}", mail::logline::printable(status))));
    }
    let body = head.body(stream, "rspamd", limit, ANSWER).await?;
    let told: Value =
        serde_json::from_slice(&body).map_err(|_| Trouble::new("rspamd does not answer in JSON"))?;
    let mut score = told["score"].as_f64().ok_or_else(|| Trouble::new("rspamd gives no score"))?;
    match told["action"].as_str() {
        Some("soft reject") => return Err(Trouble::new("rspamd asks to try again later")),
        // By its own limits it is spam, whatever ours are.
        Some("reject" | "add header" | "rewrite subject") => score = score.max(required),
        _ => {}
    }
    let mut findings = Vec::new();
    for (name, symbol) in told["symbols"].as_object().into_iter().flatten() {
        let plain: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
        let text = symbol["description"].as_str().unwrap_or_default();
        findings.push(Finding::new(&plain, symbol["score"].as_f64().unwrap_or(0.0), text));
    }
    // What weighs most first; of equal weight by name.
    findings.sort_by(|a, b| b.points.abs().total_cmp(&a.points.abs()).then_with(|| a.name.cmp(&b.name)));
    let mut verdict = Verdict::new(findings, required, None);
    verdict.given = Some(score);
    Ok(verdict)
}
