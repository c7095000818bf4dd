//! Canonical forms (RFC 6376 3.4): what survives the road between signer and verifier.

use std::fmt;

use aws_lc_rs::digest::{self, Context, SHA256};

/// A canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canon {
    /// As it is.
    Simple,
    /// White space and the case of names do not count.
    Relaxed,
}

impl Canon {
    /// `relaxed`, `simple`.
    pub fn parse(word: &str) -> Option<Canon> {
        match word {
            "simple" => Some(Canon::Simple),
            "relaxed" => Some(Canon::Relaxed),
            _ => None,
        }
    }

    /// `c=`: that of the header, that of the body.
    pub fn pair(text: &str) -> Option<(Canon, Canon)> {
        match text.split_once('/') {
            Some((header, body)) => Some((Canon::parse(header.trim())?, Canon::parse(body.trim())?)),
            None => Some((Canon::parse(text)?, Canon::Simple)),
        }
    }
}

impl fmt::Display for Canon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Canon::Simple => "simple",
            Canon::Relaxed => "relaxed",
        })
    }
}

/// Appends a header field (lines divided by LF, without the last line end), with CR LF behind it.
pub(crate) fn header(canon: Canon, raw: &[u8], out: &mut Vec<u8>) {
    field(canon, raw, out);
    out.extend_from_slice(b"\r\n");
}

/// The same without the last CR LF.
pub(crate) fn field(canon: Canon, raw: &[u8], out: &mut Vec<u8>) {
    match canon {
        Canon::Simple => {
            for (at, line) in raw.split(|byte| *byte == b'\n').enumerate() {
                if at > 0 {
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            }
        }
        Canon::Relaxed => {
            let colon = raw.iter().position(|byte| *byte == b':').unwrap_or(raw.len());
            out.extend(raw[..colon].trim_ascii_end().iter().map(u8::to_ascii_lowercase));
            out.push(b':');
            let value = raw.get(colon + 1..).unwrap_or_default();
            let mut space = false;
            let mut begun = false;
            for byte in value {
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => space = begun,
                    byte => {
                        if std::mem::take(&mut space) {
                            out.push(b' ');
                        }
                        begun = true;
                        out.push(*byte);
                    }
                }
            }
        }
    }
}

/// How much text is gathered before it is digested.
const GATHER: usize = 16 << 10;

/// The SHA-256 digest of a body's canonical form, piece by piece.
pub(crate) struct Body {
    canon: Canon,
    digest: Context,
    gathered: Vec<u8>,
    /// Empty lines that count only when something follows.
    empty_lines: u64,
    /// The line under way has text.
    in_line: bool,
    /// White space that counts only when something follows in the line.
    space: bool,
    any: bool,
}

impl Body {
    pub fn new(canon: Canon) -> Body {
        Body {
            canon,
            digest: Context::new(&SHA256),
            gathered: Vec::with_capacity(GATHER + 1024),
            empty_lines: 0,
            in_line: false,
            space: false,
            any: false,
        }
    }

    /// Takes text with LF or CR LF line ends.
    pub fn feed(&mut self, mut text: &[u8]) {
        while !text.is_empty() {
            let (line, ended) = match text.iter().position(|byte| *byte == b'\n') {
                Some(at) => (&text[..at], true),
                None => (text, false),
            };
            text = &text[(line.len() + usize::from(ended))..];
            self.line(line.strip_suffix(b"\r").filter(|_| ended).unwrap_or(line));
            if ended {
                self.end_line();
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        match self.canon {
            Canon::Simple if line.is_empty() => {}
            Canon::Simple => {
                self.begin_text();
                self.gather(line);
            }
            Canon::Relaxed => {
                let mut rest = line;
                while !rest.is_empty() {
                    let blank = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t'));
                    let Some(start) = blank else {
                        self.space = true;
                        return;
                    };
                    self.space |= start > 0;
                    rest = &rest[start..];
                    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'\t'));
                    let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                    self.begin_text();
                    if std::mem::take(&mut self.space) {
                        self.gather(b" ");
                    }
                    self.gather(word);
                    rest = after;
                }
            }
        }
    }

    fn begin_text(&mut self) {
        if !self.in_line {
            for _ in 0..std::mem::take(&mut self.empty_lines) {
                self.gather(b"\r\n");
            }
            self.in_line = true;
        }
    }

    fn end_line(&mut self) {
        self.space = false;
        if std::mem::take(&mut self.in_line) {
            self.gather(b"\r\n");
        } else {
            self.empty_lines += 1;
        }
    }

    fn gather(&mut self, bytes: &[u8]) {
        self.any = true;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER {
            self.digest.update(&self.gathered);
            self.gathered.clear();
        }
    }

    /// The digest.
    pub fn finish(mut self) -> digest::Digest {
        if self.in_line {
            self.end_line();
        }
        if !self.any && self.canon == Canon::Simple {
            self.gather(b"\r\n");
        }
        self.digest.update(&self.gathered);
        self.digest.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(canon: Canon, pieces: &[&[u8]]) -> Vec<u8> {
        let mut body = Body::new(canon);
        pieces.iter().for_each(|piece| body.feed(piece));
        body.finish().as_ref().to_vec()
    }

    fn sha(text: &[u8]) -> Vec<u8> {
        digest::digest(&SHA256, text).as_ref().to_vec()
    }

    /// The example of RFC 6376 3.4.5.
    #[test]
    fn the_standard_s_example() {
        let (a, b) = (b"A: X".as_slice(), b"B : Y\t\n\tZ  ".as_slice());
        let all = |canon| {
            let mut out = Vec::new();
            header(canon, a, &mut out);
            header(canon, b, &mut out);
            out
        };
        assert_eq!(all(Canon::Relaxed), b"a:X\r\nb:Y Z\r\n");
        assert_eq!(all(Canon::Simple), b"A: X\r\nB : Y\t\r\n\tZ  \r\n");
        let body = b" C \nD \t E\n\n\n".as_slice();
        assert_eq!(digest(Canon::Relaxed, &[body]), sha(b" C\r\nD E\r\n"));
        assert_eq!(digest(Canon::Simple, &[body]), sha(b" C \r\nD \t E\r\n"));
    }

    #[test]
    fn it_is_no_matter_where_pieces_end() {
        let text = b"a  b \t\n \t \n\nlast  line, open \r\n\n \n";
        for canon in [Canon::Simple, Canon::Relaxed] {
            let whole = digest(canon, &[text]);
            let bytes: Vec<&[u8]> = text.split_inclusive(|byte| *byte != b'\r').collect();
            assert_eq!(digest(canon, &bytes), whole, "{canon}");
        }
        assert_eq!(digest(Canon::Relaxed, &[text]), sha(b"a b\r\n\r\n\r\nlast line, open\r\n"));
    }

    #[test]
    fn empty_bodies() {
        for text in [b"".as_slice(), b"\n", b"\n\n\n"] {
            assert_eq!(digest(Canon::Simple, &[text]), sha(b"\r\n"));
            assert_eq!(digest(Canon::Relaxed, &[text]), sha(b""));
        }
    }
}
