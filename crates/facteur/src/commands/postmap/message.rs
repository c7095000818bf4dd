//! A message as keys for header and body checks: `postmap -hq -`, `-bq -`, with `-m` by MIME parts.

/// A key.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A header field with its continuation lines.
    Header(Vec<u8>),
    /// A line of the body.
    Body(Vec<u8>),
}

/// What the header being read belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Body,
}

/// Deepest nesting of parts that is followed, `mime_nesting_limit`.
const NESTING_MAX: usize = 100;

/// What the header says about the text that follows it.
#[derive(Default)]
struct Content {
    boundary: Option<Vec<u8>>,
    is_message: bool,
}

/// Divides a message. Without `mime`, what follows the first header is all body.
pub fn parts(text: &[u8], mime: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut boundaries: Vec<Vec<u8>> = Vec::new();
    let mut state = State::Header;
    let mut field: Vec<u8> = Vec::new();
    let mut content = Content::default();
    if text.is_empty() {
        return parts;
    }
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if state == State::Header {
            if !field.is_empty() && matches!(line.first(), Some(b' ' | b'\t')) {
                field.push(b'\n');
                field.extend_from_slice(line);
                continue;
            }
            end_field(&mut field, &mut content, &mut parts);
            if let Some((name, rest)) = name_and_rest(line) {
                field = [name, rest].concat();
                continue;
            }
            // The header ends: at an empty line, or where text begins that is no header.
            parts.push(Part::Body(Vec::new()));
            let content = std::mem::take(&mut content);
            let nested = mime && content.is_message && boundaries.len() < NESTING_MAX;
            state = if nested { State::Header } else { State::Body };
            if let Some(boundary) = content.boundary.filter(|_| mime && boundaries.len() < NESTING_MAX) {
                boundaries.push(boundary);
            }
            if line.is_empty() {
                continue;
            }
            state = State::Body;
        }
        parts.push(Part::Body(line.to_vec()));
        if mime && let Some(after) = line.strip_prefix(b"--") {
            let enclosing = boundaries.iter().rposition(|boundary| after.starts_with(boundary));
            if let Some(level) = enclosing {
                let ends = after[boundaries[level].len()..].starts_with(b"--");
                boundaries.truncate(if ends { level } else { level + 1 });
                state = if ends { State::Body } else { State::Header };
            }
        }
    }
    end_field(&mut field, &mut content, &mut parts);
    parts
}

fn end_field(field: &mut Vec<u8>, content: &mut Content, parts: &mut Vec<Part>) {
    if field.is_empty() {
        return;
    }
    let name = b"content-type:";
    if field.len() > name.len() && field[..name.len()].eq_ignore_ascii_case(name) {
        *content = content_type(&String::from_utf8_lossy(&field[name.len()..]));
    }
    parts.push(Part::Header(std::mem::take(field)));
}

fn content_type(value: &str) -> Content {
    let mut pieces = value.split(';').map(str::trim);
    let kind = pieces.next().unwrap_or_default().to_ascii_lowercase();
    let boundary = pieces.filter_map(|piece| piece.split_once('=')).find_map(|(name, value)| {
        let is_it = name.trim().eq_ignore_ascii_case("boundary");
        is_it.then(|| value.trim().trim_matches('"').as_bytes().to_vec())
    });
    Content {
        boundary: boundary.filter(|boundary| kind.starts_with("multipart/") && !boundary.is_empty()),
        is_message: kind.starts_with("message/") && kind != "message/partial",
    }
}

/// A name of printable characters, and what follows it from the colon on; blanks between them are dropped.
fn name_and_rest(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|byte| !(0x21..=0x7e).contains(byte) || *byte == b':')?;
    let (name, rest) = line.split_at(end);
    let colon = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    (!name.is_empty() && rest[colon] == b':').then(|| (name, &rest[colon..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, mime: bool, expected: &[&str]) {
        let found: Vec<_> = parts(text.as_bytes(), mime)
            .into_iter()
            .map(|part| match part {
                Part::Header(key) => format!("H {}", String::from_utf8(key).unwrap()),
                Part::Body(key) => format!("B {}", String::from_utf8(key).unwrap()),
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn headers_and_body() {
        check("A: b\n c\nD: e\n\nf\nG: h\n", false, &["H A: b\n c", "H D: e", "B ", "B f", "B G: h"]);
        check("text\nA: b\n", false, &["B ", "B text", "B A: b"]);
        check("A : b\n", false, &["H A: b"]);
        check("", false, &[]);
    }

    #[test]
    fn parts_of_a_message() {
        let text = "Content-Type: multipart/mixed;\n boundary=\"x\"\n\npre\n--x\nB: 1\n\none\n--x\n\
                    Content-Type: message/rfc822\n\nC: 2\n\ntwo\n--x--\nD: no\n";
        check(
            text,
            true,
            &[
                "H Content-Type: multipart/mixed;\n boundary=\"x\"",
                "B ",
                "B pre",
                "B --x",
                "H B: 1",
                "B ",
                "B one",
                "B --x",
                "H Content-Type: message/rfc822",
                "B ",
                "H C: 2",
                "B ",
                "B two",
                "B --x--",
                "B D: no",
            ],
        );
    }
}
