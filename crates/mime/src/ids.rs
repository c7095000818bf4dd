//! Message ids in Message-ID, In-Reply-To and References, as THREAD compares them. RFC 5256 section 3.

/// Ids of one message; more are not looked at.
const MOST: usize = 1000;

/// The ids in a field's value: without `<>`, blanks and needless quotes. What is no id is passed over.
pub fn all(value: &[u8]) -> Vec<Vec<u8>> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some(start) = memchr::memchr(b'<', rest)
        && ids.len() < MOST
    {
        rest = &rest[start + 1..];
        let Some(end) = end(rest) else { break };
        ids.extend(id(&rest[..end]));
        rest = &rest[end..];
    }
    ids
}

/// The messages that one answers, the oldest first: of References or, where that has none, the first of In-Reply-To.
pub fn references(references: Option<&[u8]>, in_reply_to: Option<&[u8]>) -> Vec<Vec<u8>> {
    let ids = references.map(all).unwrap_or_default();
    if !ids.is_empty() {
        return ids;
    }
    let mut ids = in_reply_to.map(all).unwrap_or_default();
    ids.truncate(1);
    ids
}

/// Where the id ends: at `>` outside quotes, or at a `<` that begins another.
fn end(text: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' if quoted => {
            escaped = true;
            false
        }
        b'"' => {
            quoted = !quoted;
            false
        }
        byte => !quoted && matches!(byte, b'>' | b'<'),
    })
}

fn id(text: &[u8]) -> Option<Vec<u8>> {
    let (mut quoted, mut escaped) = (false, false);
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            _ if escaped => {
                escaped = false;
                out.push(*byte);
            }
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\t' | b'\r' | b'\n' if !quoted => {}
            byte => out.push(*byte),
        }
    }
    let at = memchr::memchr(b'@', &out)?;
    (at > 0 && at + 1 < out.len()).then_some(out)
}
