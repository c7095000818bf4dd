//! `message_reject_characters` and `message_strip_characters`, and stray carriage returns.

use std::borrow::Cow;

/// Bytes that must not be in a message, or do not stay in it. Both are rare: without any, nothing is looked at.
#[derive(Clone, Debug, Default)]
pub struct Characters {
    reject: Vec<u8>,
    strip: Vec<u8>,
}

impl Characters {
    /// Reads both parameters, with escapes as in C.
    pub fn new(reject: &str, strip: &str) -> Characters {
        Characters { reject: unescape(reject), strip: unescape(strip) }
    }

    /// The line with the first byte that refuses the message, if the text holds one.
    pub fn rejected<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.reject.is_empty() {
            return None;
        }
        let at = text.iter().position(|byte| self.reject.contains(byte))?;
        let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |end| end + 1);
        let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |end| at + end);
        Some(&text[start..end])
    }

    /// The text without the bytes to strip. Line ends always stay.
    pub fn strip<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let goes = |byte: &u8| self.strip.contains(byte) && *byte != b'\n';
        if self.strip.is_empty() || !text.iter().any(goes) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.iter().copied().filter(|byte| !goes(byte)).collect())
    }
}

/// A carriage return in content is no line end, and may be taken for one by another server: it becomes a space
/// (`cleanup_replace_stray_cr_lf`).
pub fn without_stray_returns(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\r', text).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte }).collect())
}

/// Resolves `\n`, `\0`, `\377` and their like.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(escaped) = bytes.next() else { break };
        out.push(match escaped {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => {
                let mut value = u32::from(escaped - b'0');
                for _ in 0..2 {
                    let Some(digit) = bytes.next_if(|byte| (b'0'..=b'7').contains(byte)) else { break };
                    value = value * 8 + u32::from(digit - b'0');
                }
                (value & 0xff) as u8
            }
            other => other,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_c() {
        assert_eq!(unescape(r"\0\12\377x\\\n\q\"), [0, 10, 255, b'x', b'\\', b'\n', b'q']);
        assert_eq!(unescape(r"\1234"), [0o123, b'4']);
    }

    #[test]
    fn bytes_are_refused_and_stripped() {
        let characters = Characters::new(r"\1", r"\0\n");
        assert_eq!(characters.rejected(b"b\na\x01\nc"), Some(&b"a\x01"[..]));
        assert_eq!(characters.rejected(b"a\x00"), None);
        assert_eq!(&*characters.strip(b"a\0b\n"), b"ab\n");
        assert!(matches!(characters.strip(b"plain\n"), Cow::Borrowed(_)));
        assert_eq!(&*without_stray_returns(b"a\rb\n"), b"a b\n");
    }
}
