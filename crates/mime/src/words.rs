//! Encoded words in header values (RFC 2047), as real mail has them: also within quotes, longer than they may be,
//! and with characters cut in two.

use memchr::memmem;

use crate::charset::to_utf8;
use crate::fields::unfold;
use crate::transfer::Encoding;

/// A header value as people read it: unfolded, encoded words decoded, 8-bit text as UTF-8 or windows-1252.
pub fn decode(value: &[u8]) -> String {
    let value = unfold(value);
    let mut out = String::with_capacity(value.len());
    let mut run = Run::default();
    let mut rest = value.as_slice();
    while let Some(start) = memmem::find(rest, b"=?") {
        let Some((word, len)) = Word::parse(&rest[start..]) else {
            run.end(&mut out);
            out.push_str(&to_utf8(&rest[..start + 2], None));
            rest = &rest[start + 2..];
            continue;
        };
        let between = &rest[..start];
        // Blanks between two encoded words are not shown.
        if run.charset.is_none() || !between.iter().all(u8::is_ascii_whitespace) {
            run.end(&mut out);
            out.push_str(&to_utf8(between, None));
        }
        run.add(&word, &mut out);
        rest = &rest[start + len..];
    }
    run.end(&mut out);
    out.push_str(&to_utf8(rest, None));
    out
}

/// Words side by side of one charset are decoded together, because a character may begin in one and end in the next.
#[derive(Default)]
struct Run<'a> {
    charset: Option<&'a [u8]>,
    bytes: Vec<u8>,
}

impl<'a> Run<'a> {
    fn add(&mut self, word: &Word<'a>, out: &mut String) {
        if !self.charset.is_some_and(|charset| charset.eq_ignore_ascii_case(word.charset)) {
            self.end(out);
        }
        self.charset = Some(word.charset);
        self.bytes.extend(word.decode());
    }

    fn end(&mut self, out: &mut String) {
        let Some(charset) = self.charset.take() else { return };
        let text = to_utf8(&self.bytes, Some(charset));
        // A decoded line end must not become one in a header.
        out.extend(
            text.chars().map(|letter| if matches!(letter, '\r' | '\n' | '\0') { ' ' } else { letter }),
        );
        self.bytes.clear();
    }
}

struct Word<'a> {
    charset: &'a [u8],
    base64: bool,
    text: &'a [u8],
}

/// Words longer than this are not looked at as such. RFC 2047 has 75.
const LONGEST: usize = 4096;

impl<'a> Word<'a> {
    /// The word that `text` begins with, and its length.
    fn parse(text: &'a [u8]) -> Option<(Word<'a>, usize)> {
        let text = &text[..text.len().min(LONGEST)];
        let part = |from: usize| {
            let len = text[from..].iter().take(80).position(|byte| *byte == b'?')?;
            Some((&text[from..from + len], from + len + 1))
        };
        let (charset, at) = part(2)?;
        let (encoding, at) = part(at)?;
        let base64 = match encoding {
            b"b" | b"B" => true,
            b"q" | b"Q" => false,
            _ => return None,
        };
        let len = memmem::find(&text[at..], b"?=")?;
        // RFC 2231 5: a language may follow the charset.
        let charset = charset.split(|byte| *byte == b'*').next()?;
        Some((Word { charset, base64, text: &text[at..at + len] }, at + len + 2))
    }

    fn decode(&self) -> Vec<u8> {
        if self.base64 {
            return Encoding::Base64.decode(self.text);
        }
        let blank = |byte: &u8| if *byte == b'_' { b' ' } else { *byte };
        // The dot keeps blanks at the end, which quoted-printable would drop.
        let text: Vec<u8> = self.text.iter().map(blank).chain(*b".").collect();
        let mut out = Encoding::QuotedPrintable.decode(&text);
        out.pop();
        out
    }
}
