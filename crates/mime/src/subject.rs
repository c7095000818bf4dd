//! The base subject (RFC 5256 2.1): what two subjects of one conversation have in common.

use crate::words;

/// A subject without `Re:`, `Fwd:` and list tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The base subject, in its own case.
    pub text: String,
    /// Something said that it is a reply or was forwarded.
    pub is_reply: bool,
}

/// The base of a Subject field's value.
pub fn base(subject: &[u8]) -> Base {
    let decoded = words::decode(subject);
    let flat =
        decoded.split(char::is_whitespace).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut text = flat.as_str();
    let mut is_reply = false;
    loop {
        text = trailers(text, &mut is_reply);
        text = leaders(text, &mut is_reply);
        let Some(inner) = forwarded(text) else { break };
        is_reply = true;
        text = inner;
    }
    Base { text: text.to_owned(), is_reply }
}

/// `text` without a word at its start, whatever its case.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let start = text.get(..word.len())?;
    start.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

fn trailers<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        text = text.trim_end();
        let Some(at) = text.len().checked_sub(5) else { return text };
        match text.get(at..) {
            Some(end) if end.eq_ignore_ascii_case("(fwd)") => text = &text[..at],
            _ => return text,
        }
        *is_reply = true;
    }
}

fn leaders<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        text = text.trim_start();
        let mut plain = text;
        while let Some(rest) = blob(plain) {
            plain = rest;
        }
        if let Some(rest) = refwd(plain) {
            *is_reply = true;
            text = rest;
            continue;
        }
        match blob(text) {
            Some(rest) if !rest.is_empty() => text = rest,
            _ => return text,
        }
    }
}

/// Behind `[tag]` and blanks.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    Some(inner[end..].strip_prefix(']')?.trim_start())
}

/// Behind `Re:`, `Fw:`, `Fwd:`, each perhaps with a tag before the colon.
fn refwd(text: &str) -> Option<&str> {
    let rest = after(text, "re").or_else(|| after(text, "fwd")).or_else(|| after(text, "fw"))?.trim_start();
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// Within `[Fwd: …]`.
fn forwarded(text: &str) -> Option<&str> {
    after(text, "[fwd:")?.strip_suffix(']')
}
