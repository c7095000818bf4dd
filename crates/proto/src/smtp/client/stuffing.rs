//! Content goes over the wire: CR LF, dots doubled, long lines broken. RFC 5321 4.5.2, 4.5.3.1.6.

/// The state between two pieces of content.
#[derive(Clone, Debug, Default)]
pub(super) struct Stuffing {
    /// Bytes of the line so far; 0 is the start of a line.
    column: usize,
    /// A CR was seen and nothing behind it yet.
    cr: bool,
    /// Were lines broken?
    pub broke: bool,
}

impl Stuffing {
    /// Appends `content` (lines that end in LF) to `out`. `limit` is the longest line, 0 for none.
    ///
    /// A CR that is not part of a line end becomes a space: some servers take it for one, and with a dot behind it for
    /// the end of the data.
    pub(super) fn write(&mut self, content: &[u8], limit: usize, out: &mut Vec<u8>) {
        // Room for the CRs of lines of usual length.
        out.reserve(content.len() + content.len() / 32);
        let mut rest = content;
        while let Some(&first) = rest.first() {
            if self.cr {
                self.cr = false;
                if first != b'\n' {
                    self.text(b" ", limit, out);
                }
            }
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            self.text(&rest[..end], limit, out);
            match rest.get(end) {
                Some(b'\n') => {
                    out.extend_from_slice(b"\r\n");
                    self.column = 0;
                }
                Some(_) => self.cr = true,
                None => break,
            }
            rest = &rest[end + 1..];
        }
    }

    /// Ends the content: the last line gets its end, and the dot follows.
    pub(super) fn end(&mut self, limit: usize, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr) {
            self.text(b" ", limit, out);
        }
        if std::mem::take(&mut self.column) > 0 {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }

    fn text(&mut self, mut text: &[u8], limit: usize, out: &mut Vec<u8>) {
        while self.column == 0 && text.first() == Some(&0) {
            // Some servers drop a NUL, and a dot behind it would begin the line.
            out.push(b' ');
            self.column = 1;
            text = &text[1..];
        }
        if self.column == 0 && text.first() == Some(&b'.') {
            out.push(b'.');
        }
        while limit > 0 && self.column + text.len() > limit {
            let (head, tail) = text.split_at(limit - self.column.min(limit));
            out.extend_from_slice(head);
            out.extend_from_slice(b"\r\n ");
            self.column = 1;
            self.broke = true;
            text = tail;
        }
        out.extend_from_slice(text);
        self.column += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuff(pieces: &[&[u8]], limit: usize) -> String {
        let (mut stuffing, mut out) = (Stuffing::default(), Vec::new());
        for piece in pieces {
            stuffing.write(piece, limit, &mut out);
        }
        stuffing.end(limit, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(content: &str, limit: usize, expected: &str) {
        for at in 0..=content.len() {
            let (a, b) = content.as_bytes().split_at(at);
            assert_eq!(stuff(&[a, b], limit), expected, "cut at {at}");
        }
    }

    #[test]
    fn doubles_dots_and_ends_lines() {
        check("a\n.\n..b\nx.\n", 998, "a\r\n..\r\n...b\r\nx.\r\n.\r\n");
        check("no end", 998, "no end\r\n.\r\n");
        check("", 998, ".\r\n");
        check("\n", 998, "\r\n.\r\n");
    }

    #[test]
    fn stray_carriage_returns_never_leave() {
        check("a\rb\r\nc\r", 998, "a b\r\nc \r\n.\r\n");
        check("x\r.\r\n\r.\r\r\n", 998, "x .\r\n .  \r\n.\r\n".replace("  \r", " \r").as_str());
    }

    #[test]
    fn no_server_finds_an_end_but_the_end() {
        let marks = ["\r", "\n", "\0", ".", "x"];
        let mut contents = vec![String::new()];
        for _ in 0..5 {
            contents = contents.iter().flat_map(|head| marks.map(|mark| format!("{head}{mark}"))).collect();
        }
        for content in contents {
            let wire = stuff(&[content.as_bytes()], 998);
            // The most lenient server there could be: any of CR and LF ends a line, NULs are not there.
            let lenient = wire.replace('\0', "").replace('\r', "\n");
            let before_end = lenient.strip_suffix(".\n\n").unwrap();
            assert!(before_end.split('\n').all(|line| line != "."), "{content:?}: {wire:?}");
        }
    }

    #[test]
    fn breaks_long_lines() {
        check("0123456789\nabc\n", 4, "0123\r\n 456\r\n 789\r\nabc\r\n.\r\n");
        check("0123\n", 4, "0123\r\n.\r\n");
    }
}
