//! xtext: the encoding of ORCPT, ENVID, AUTH, XCLIENT and XFORWARD values. RFC 3461 4.

/// Encodes everything outside `!`..`~`, and `+` and `=`, as `+HH`. 8-bit bytes are encoded too.
pub fn encode(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for &b in text {
        if (33..=126).contains(&b) && b != b'+' && b != b'=' {
            out.push(char::from(b));
        } else {
            out.push('+');
            for nibble in [b >> 4, b & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
            }
        }
    }
    out
}

/// Decodes xtext. `None` when a `+` is not followed by two hexadecimal digits, or the result is not UTF-8.
///
/// Digits of either case and characters that should have been encoded are accepted.
pub fn decode(text: &str) -> Option<String> {
    if !text.contains('+') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'+' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_and_decodes() {
        assert_eq!(encode(b"a+b=c d"), "a+2Bb+3Dc+20d");
        assert_eq!(decode("a+2Bb+3dc+20d").as_deref(), Some("a+b=c d"));
        assert_eq!(decode("bad+xx"), None);
        assert_eq!(decode("short+2"), None);
        assert_eq!(decode(&encode("é".as_bytes())).as_deref(), Some("é"));
    }
}
