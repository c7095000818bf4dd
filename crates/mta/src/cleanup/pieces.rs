//! A stream cut into header fields and body lines.

use std::ops::ControlFlow;

use mail::header::{name_end, next_line};

/// What stands at the beginning of a piece of header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A whole field of this many bytes, its last line end included.
    Field(usize),
    /// The header is over; the text goes on with an empty line, or (`false`) with one that is no header.
    End(bool),
    /// More text is needed to tell.
    More,
}

/// Looks at header text. `last` is true when no more text comes. A name must end within `limit` bytes.
pub fn piece(text: &[u8], last: bool, limit: usize) -> Piece {
    let first = next_line(text);
    let is_field = || name_end(&first[..first.len().min(limit)]).is_some();
    if first.is_empty() {
        return if last { Piece::End(true) } else { Piece::More };
    }
    if first == b"\n" {
        return Piece::End(true);
    }
    if !first.ends_with(b"\n") && !last {
        return if first.len() < limit || is_field() { Piece::More } else { Piece::End(false) };
    }
    if !is_field() {
        return Piece::End(false);
    }
    let mut len = first.len();
    loop {
        match text.get(len) {
            Some(b' ' | b'\t') => {
                let line = next_line(&text[len..]);
                if !line.ends_with(b"\n") && !last {
                    return Piece::More;
                }
                len += line.len();
            }
            Some(_) => return Piece::Field(len),
            None if last => return Piece::Field(len),
            None => return Piece::More,
        }
    }
}

/// Is this the first line of a mailbox file, `From ` with or without `>`? It then becomes a header.
pub fn is_mailbox_line(line: &[u8]) -> bool {
    let quoted = line.iter().take_while(|byte| **byte == b'>').count();
    line[quoted..].get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"From "))
}

/// The rest of a field that was too long: dropped until the next field begins.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// The text goes on within a line.
    pub mid_line: bool,
    /// It was a mailbox line, which has no continuation lines.
    pub is_mailbox_line: bool,
}

impl Rest {
    /// How many bytes of `text` are dropped; `Break` when what follows is something else.
    pub fn skip(&mut self, text: &[u8]) -> ControlFlow<usize> {
        let mut at = 0;
        while at < text.len() {
            let continues = matches!(text[at], b' ' | b'\t') && !self.is_mailbox_line;
            if !self.mid_line && !continues {
                return ControlFlow::Break(at);
            }
            let line = next_line(&text[at..]);
            self.mid_line = !line.ends_with(b"\n");
            at += line.len();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_end_where_the_next_line_begins() {
        for (text, last, piece_is) in [
            ("a: b\nc: d\n", false, Piece::Field(5)),
            ("a: b\n c\nd", false, Piece::Field(8)),
            ("a: b\n", false, Piece::More),
            ("a: b\n", true, Piece::Field(5)),
            ("a: b", true, Piece::Field(4)),
            ("a: b", false, Piece::More),
            ("a: b\n c", false, Piece::More),
            ("a: b\n c", true, Piece::Field(7)),
            ("\nbody", false, Piece::End(true)),
            ("", true, Piece::End(true)),
            ("", false, Piece::More),
            ("body text\n", false, Piece::End(false)),
            (" a: b\n", false, Piece::End(false)),
            ("body", true, Piece::End(false)),
            ("bo", false, Piece::More),
        ] {
            assert_eq!(piece(text.as_bytes(), last, 100), piece_is, "{text:?} {last}");
        }
    }

    #[test]
    fn a_name_ends_early_or_is_none() {
        assert_eq!(piece(b"abcdef", false, 5), Piece::End(false));
        assert_eq!(piece(b"abcdef: g\nh", false, 5), Piece::End(false));
        assert_eq!(piece(b"abc: defgh", false, 5), Piece::More);
    }

    #[test]
    fn mailbox_lines() {
        for (line, is) in [
            ("From joe", true),
            (">>from joe", true),
            ("From: joe", false),
            ("From", false),
            (" From x", false),
        ] {
            assert_eq!(is_mailbox_line(line.as_bytes()), is, "{line}");
        }
    }

    #[test]
    fn the_rest_of_a_field_is_skipped() {
        let mut rest = Rest { mid_line: true, is_mailbox_line: false };
        assert_eq!(rest.skip(b"xx"), ControlFlow::Continue(()));
        assert_eq!(rest.skip(b"x\n"), ControlFlow::Continue(()));
        assert_eq!(rest.skip(b" y\nTo: z\n"), ControlFlow::Break(3));
        let mut rest = Rest { mid_line: true, is_mailbox_line: true };
        assert_eq!(rest.skip(b"x\n y\n"), ControlFlow::Break(2));
    }
}
