//! `tag=value; tag=value`: the lists of DKIM, DMARC and ARC (RFC 6376 3.2).

/// A tag list; names are compared as written.
#[derive(Debug)]
pub(crate) struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Tags<'a> {
    /// `None` when it is no tag list, or a tag comes twice.
    pub fn parse(text: &'a str) -> Option<Tags<'a>> {
        let mut tags: Vec<(&str, &str)> = Vec::new();
        let mut parts = text.split(';').peekable();
        while let Some(part) = parts.next() {
            let part = part.trim_matches(is_space);
            if part.is_empty() {
                // Nothing may stand behind the last semicolon, and only there.
                if parts.peek().is_none() {
                    break;
                }
                return None;
            }
            let (name, value) = part.split_once('=')?;
            let name = name.trim_end_matches(is_space);
            let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if !starts || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return None;
            }
            if tags.iter().any(|(known, _)| *known == name) {
                return None;
            }
            tags.push((name, value.trim_matches(is_space)));
        }
        Some(Tags(tags))
    }

    /// The value of a tag.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The name of the first tag.
    pub fn first(&self) -> Option<&'a str> {
        self.0.first().map(|(name, _)| *name)
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// A value without any white space: base64, and lists that are folded.
pub(crate) fn squeezed(value: &str) -> String {
    value.chars().filter(|c| !is_space(*c)).collect()
}

/// base64 with white space in it.
pub(crate) fn decoded(value: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(squeezed(value)).ok()
}

/// base64 on one line.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A header field whose tag `b` is empty, as signatures are computed (RFC 6376 3.7).
pub(crate) fn without_b(raw: &[u8]) -> Vec<u8> {
    let start = raw.iter().position(|byte| *byte == b':').map_or(0, |colon| colon + 1);
    let mut out = raw[..start].to_vec();
    for (at, part) in raw[start..].split(|byte| *byte == b';').enumerate() {
        if at > 0 {
            out.push(b';');
        }
        match part.iter().position(|byte| *byte == b'=') {
            Some(equals) if part[..equals].trim_ascii() == b"b" => out.extend_from_slice(&part[..=equals]),
            _ => out.extend_from_slice(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let tags = Tags::parse(" v=1; a = rsa-sha256;\n\th=from :to; b=a b=;").unwrap();
        assert_eq!(tags.get("a"), Some("rsa-sha256"));
        assert_eq!(tags.get("h"), Some("from :to"));
        assert_eq!(tags.get("b"), Some("a b="));
        assert_eq!(tags.get("x"), None);
        for wrong in ["v=1;;a=2", "v", "1v=2", "v=1;v=1", "v=1; =2"] {
            assert!(Tags::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn b_is_emptied_and_bh_is_not() {
        let field = b"DKIM-Signature: v=1; bh=xyz=; b = abc\n\tdef=; s=t";
        assert_eq!(without_b(field), b"DKIM-Signature: v=1; bh=xyz=; b =; s=t");
        assert_eq!(without_b(b"X: b=abc"), b"X: b=");
    }
}
