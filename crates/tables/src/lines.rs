//! Logical lines, as every text file of Postfix has them.

/// A logical line: physical lines joined, comments and empty lines gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its text, without line ends; white space at the start of continuation lines stays.
    pub text: std::borrow::Cow<'a, [u8]>,
    /// The number of its first physical line, from 1.
    pub number: u32,
}

/// Divides `text` into logical lines.
///
/// Empty lines, lines of white space and lines whose first text is `#` are skipped, also between a line and
/// its continuation; a line that starts with white space continues the one before. A logical line that itself
/// starts with white space (only the first text of a file can) is given to `orphan` and dropped. Text after a
/// NUL in a line does not exist.
pub fn logical_lines<'a>(text: &'a [u8], mut orphan: impl FnMut(&[u8])) -> impl Iterator<Item = Line<'a>> {
    let mut physical = Physical { rest: text, number: 0 };
    std::iter::from_fn(move || {
        loop {
            let first = physical.next_text()?;
            let number = physical.number;
            let mut text = std::borrow::Cow::Borrowed(first);
            while let Some(more) = physical.next_continuation() {
                text.to_mut().extend_from_slice(more);
            }
            if let Some(nul) = text.iter().position(|b| *b == 0) {
                text.to_mut().truncate(nul);
            }
            if text.first().is_some_and(|b| is_space(*b)) {
                orphan(&text);
                continue;
            }
            return Some(Line { text, number });
        }
    })
}

struct Physical<'a> {
    rest: &'a [u8],
    number: u32,
}

impl<'a> Physical<'a> {
    fn next_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest);
        let line = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.map_or(&[], |end| &self.rest[end + 1..]);
        self.number += 1;
        Some(line)
    }

    /// The next line with text in it.
    fn next_text(&mut self) -> Option<&'a [u8]> {
        loop {
            let line = self.next_line()?;
            if has_text(line) {
                return Some(line);
            }
        }
    }

    /// The next line with text, if it continues the one before.
    fn next_continuation(&mut self) -> Option<&'a [u8]> {
        while self.rest.first().is_some_and(|b| *b == b'#' || is_space(*b)) {
            let line = self.next_line()?;
            if has_text(line) {
                return Some(line);
            }
        }
        None
    }
}

fn has_text(line: &[u8]) -> bool {
    line.iter().find(|b| !is_space(**b)).is_some_and(|b| *b != b'#')
}

/// White space as C's `isspace` has it.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Without white space at both ends.
pub fn trim(text: &[u8]) -> &[u8] {
    trim_start(trim_end(text))
}

/// Without white space at the start.
pub fn trim_start(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|b| !is_space(*b)).unwrap_or(text.len());
    &text[from..]
}

/// Without white space at the end.
pub fn trim_end(text: &[u8]) -> &[u8] {
    let to = text.iter().rposition(|b| !is_space(*b)).map_or(0, |at| at + 1);
    &text[..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u32, &str)]) {
        let mut orphans = 0;
        let lines: Vec<_> = logical_lines(text.as_bytes(), |_| orphans += 1)
            .map(|line| (line.number, String::from_utf8(line.text.into_owned()).unwrap()))
            .collect();
        let expected: Vec<_> = expected.iter().map(|(n, text)| (*n, (*text).to_owned())).collect();
        assert_eq!(lines, expected, "{text:?}");
    }

    #[test]
    fn joins_and_skips() {
        check("a 1\n  2\n# no\n\n  # no\n  3\nb\n", &[(1, "a 1  2  3"), (7, "b")]);
        check("\n#x\n a 1\nb 2", &[(4, "b 2")]);
        check("a\0b c\n d\nx y", &[(1, "a"), (3, "x y")]);
        check("", &[]);
        check("a\n \t\n", &[(1, "a")]);
    }

    #[test]
    fn trims() {
        assert_eq!(trim(b" \x0ba b\r\n"), b"a b");
        assert_eq!(trim(b"  "), b"");
    }
}
