//! Headers over raw bytes: nothing is decoded or re-encoded, folding is kept. RFC 5322 2.2.

/// One header field within a message: its bytes and where its name ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The whole field with its folding, without the last line end.
    pub raw: &'a [u8],
    colon: usize,
}

impl<'a> Field<'a> {
    /// Parses one field (without its last line end). `None` when it is not a header field.
    pub fn parse(raw: &'a [u8]) -> Option<Field<'a>> {
        name_end(raw).map(|colon| Field { raw, colon })
    }

    /// The field name as written, without space before the colon.
    pub fn name(&self) -> &'a [u8] {
        self.raw[..self.colon].trim_ascii_end()
    }

    /// Everything after the colon, folding included.
    pub fn value(&self) -> &'a [u8] {
        &self.raw[self.colon + 1..]
    }

    /// Compares the name without regard to case.
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Offset of the colon when `line` starts a header field: printable ASCII without colon or space, then
/// optional blanks, then a colon.
pub fn name_end(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(|b| (33..127).contains(b))).then_some(colon)
}

/// Length of the header of `message` (with its last line end, without the empty line), for LF or CRLF lines.
///
/// The header ends at an empty line or at the first line that is neither a field nor a continuation.
pub fn header_len(message: &[u8]) -> usize {
    let mut at = 0;
    while at < message.len() {
        let line = next_line(&message[at..]);
        let text = trim_line_end(line);
        let continues = at > 0 && matches!(text.first(), Some(b' ' | b'\t'));
        if text.is_empty() || !(continues || name_end(text).is_some()) {
            break;
        }
        at += line.len();
    }
    at
}

/// The fields of a header block, in order.
pub fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let mut len = next_line(rest).len();
            while matches!(rest.get(len), Some(b' ' | b'\t')) {
                len += next_line(&rest[len..]).len();
            }
            let (raw, after) = rest.split_at(len);
            rest = after;
            if let Some(field) = Field::parse(trim_line_end(raw)) {
                return Some(field);
            }
        }
    })
}

/// The first line of `text` with its line end.
pub fn next_line(text: &[u8]) -> &[u8] {
    match memchr::memchr(b'\n', text) {
        Some(at) => &text[..=at],
        None => text,
    }
}

/// Removes one LF or CRLF from the end.
pub fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_fields_and_the_end_of_the_header() {
        let message = b"Subject: a\n  b\nTo : x\nnot a header\n\nbody";
        let len = header_len(message);
        assert_eq!(&message[len..len + 3], b"not");
        let all: Vec<_> = fields(&message[..len]).collect();
        assert_eq!(all.len(), 2);
        assert!(all[0].is("subject") && all[1].is("TO"));
        assert_eq!(all[0].value(), b" a\n  b");
    }
}
