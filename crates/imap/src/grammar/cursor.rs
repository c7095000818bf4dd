//! The words that all commands are made of: atoms, strings, numbers, lists. RFC 9051 9, with what RFC 3501 allowed.

use std::borrow::Cow;

/// Deepest nesting of parentheses in a command.
pub const DEPTH: u8 = 40;

/// What is wrong with a command. The sentence goes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad(pub &'static str);

/// What a grammar gives.
pub type Parsed<T> = Result<T, Bad>;

/// A place in a command. Nothing is copied unless a quoted string holds backslashes.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u8,
    /// Literals that were set aside, so far passed.
    aside: usize,
}

/// RFC 9051 `atom-specials`, without those that single rules allow again.
pub fn is_atom(byte: u8) -> bool {
    byte > 0x20 && byte != 0x7f && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

impl<'a> Cursor<'a> {
    /// At the start of these bytes: a command without its last line end.
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0, depth: 0, aside: 0 }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next byte.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes this byte if it is next.
    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// This byte must be next.
    pub fn expect(&mut self, byte: u8) -> Parsed<()> {
        let what = match byte {
            b'(' => Bad("expected an opening parenthesis"),
            b')' => Bad("expected a closing parenthesis"),
            b']' => Bad("expected a closing bracket"),
            b'[' => Bad("expected an opening bracket"),
            _ => Bad("unexpected character"),
        };
        if self.eat(byte) { Ok(()) } else { Err(what) }
    }

    /// One space.
    pub fn space(&mut self) -> Parsed<()> {
        if self.eat(b' ') { Ok(()) } else { Err(Bad("missing argument")) }
    }

    /// Nothing may follow but spaces.
    pub fn end(&mut self) -> Parsed<()> {
        while self.eat(b' ') {}
        if self.at == self.bytes.len() { Ok(()) } else { Err(Bad("unknown or surplus arguments")) }
    }

    /// Nothing follows.
    pub fn is_at_end(&self) -> bool {
        self.rest().iter().all(|byte| *byte == b' ')
    }

    /// Bytes while they are of a kind.
    pub fn take_while(&mut self, of: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !of(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// An atom.
    pub fn atom(&mut self) -> Parsed<&'a str> {
        let atom = self.take_while(|byte| is_atom(byte) && byte < 0x80);
        match std::str::from_utf8(atom) {
            Ok(atom) if !atom.is_empty() => Ok(atom),
            _ => Err(Bad("expected an atom")),
        }
    }

    /// A word of letters, digits and `.-=+/_:`, as keywords are: stops at brackets and `<`.
    pub fn keyword(&mut self) -> Parsed<&'a str> {
        let word = self.take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'=' | b'+' | b'/' | b'_' | b':')
        });
        match std::str::from_utf8(word) {
            Ok(word) if !word.is_empty() => Ok(word),
            _ => Err(Bad("expected a keyword")),
        }
    }

    /// Passes `word` (any case) if it is next and ends there.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let Some(start) = rest.get(..word.len()) else { return false };
        let ends = rest.get(word.len()).is_none_or(|byte| !is_atom(*byte) || *byte == b'[');
        let found = ends && start.eq_ignore_ascii_case(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    /// A number.
    pub fn number64(&mut self) -> Parsed<u64> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() || digits.len() > 19 {
            return Err(Bad("expected a number"));
        }
        Ok(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
    }

    /// A number of 32 bits.
    pub fn number(&mut self) -> Parsed<u32> {
        u32::try_from(self.number64()?).map_err(|_| Bad("number too large"))
    }

    /// A quoted string.
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.expect(b'"')?;
        let rest = self.rest();
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
        let end = end.ok_or(Bad("missing closing quote"))?;
        if rest[end] == b'"' {
            self.at += end + 1;
            return Ok(Cow::Borrowed(&rest[..end]));
        }
        let mut text = Vec::new();
        loop {
            let byte = self.peek().ok_or(Bad("missing closing quote"))?;
            self.at += 1;
            match byte {
                b'"' => return Ok(Cow::Owned(text)),
                b'\\' => {
                    let escaped = self.peek().filter(|byte| matches!(byte, b'"' | b'\\'));
                    text.push(escaped.ok_or(Bad("a backslash quotes only a quote or itself"))?);
                    self.at += 1;
                }
                b'\r' | b'\n' | 0 => return Err(Bad("a quoted string may not hold line ends or NUL")),
                other => text.push(other),
            }
        }
    }

    /// The head of a literal, `{n}`, `{n+}` or `~{n}`, and its line end; the number of bytes.
    fn literal_head(&mut self) -> Parsed<usize> {
        self.eat(b'~');
        self.expect(b'{')?;
        let length = self.number64()?;
        if !self.eat(b'+') {
            self.eat(b'-');
        }
        self.expect(b'}')?;
        self.eat(b'\r');
        self.expect(b'\n')?;
        usize::try_from(length).map_err(|_| Bad("literal too large"))
    }

    /// A literal whose bytes stand in the command. NUL is allowed only in `~{n}`.
    fn literal(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let binary = self.peek() == Some(b'~');
        let length = self.literal_head()?;
        let text = self.rest().get(..length).ok_or(Bad("literal is cut off"))?;
        if !binary && text.contains(&0) {
            return Err(Bad("NUL in a literal"));
        }
        self.at += length;
        Ok(Cow::Borrowed(text))
    }

    /// A literal that was set aside while the command was read: its number, for [`super::Frame::aside`], and whether it
    /// came as `~{n}`.
    pub fn literal_aside(&mut self) -> Parsed<(usize, bool)> {
        let binary = self.peek() == Some(b'~');
        self.literal_head()?;
        self.aside += 1;
        Ok((self.aside - 1, binary))
    }

    /// Is a literal next?
    pub fn at_literal(&self) -> bool {
        matches!(self.rest(), [b'{', ..] | [b'~', b'{', ..])
    }

    /// A quoted string or literal.
    pub fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{' | b'~') => self.literal(),
            _ => Err(Bad("expected a string")),
        }
    }

    /// A string, or a word of the characters of an atom and `]`.
    pub fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.string_or(|byte| is_atom(byte) || byte == b']')
    }

    /// As [`Cursor::astring`]; `%` and `*` stand for themselves too.
    pub fn list_mailbox(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.string_or(|byte| is_atom(byte) || matches!(byte, b']' | b'%' | b'*'))
    }

    fn string_or(&mut self, of: impl Fn(u8) -> bool) -> Parsed<Cow<'a, [u8]>> {
        if matches!(self.peek(), Some(b'"' | b'{')) || self.rest().starts_with(b"~{") {
            return self.string();
        }
        let word = self.take_while(of);
        if word.is_empty() { Err(Bad("expected a string")) } else { Ok(Cow::Borrowed(word)) }
    }

    /// `NIL` or a string.
    pub fn nstring(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        if self.eat_word("NIL") { Ok(None) } else { self.string().map(Some) }
    }

    /// A string that must be UTF-8.
    pub fn text(&mut self) -> Parsed<Cow<'a, str>> {
        match self.astring()? {
            Cow::Borrowed(bytes) => {
                std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Bad("not UTF-8"))
            }
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Bad("not UTF-8")),
        }
    }

    /// `(` item *(SP item) `)`; an empty list is none of ours to refuse.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.open()?;
        let mut items = Vec::new();
        if !self.eat(b')') {
            loop {
                items.push(item(self)?);
                if self.eat(b')') {
                    break;
                }
                self.expect(b' ')?;
                // Dovecot lets `(a b )` pass.
                if self.eat(b')') {
                    break;
                }
            }
        }
        self.close();
        Ok(items)
    }

    /// Opens a parenthesis; every [`Cursor::open`] has its [`Cursor::close`].
    pub fn open(&mut self) -> Parsed<()> {
        self.expect(b'(')?;
        self.depth += 1;
        if self.depth > DEPTH { Err(Bad("too many nested parentheses")) } else { Ok(()) }
    }

    /// One level up again.
    pub fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// One level down without a parenthesis, as in `NOT NOT NOT`.
    pub fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > DEPTH { Err(Bad("too deeply nested")) } else { Ok(()) }
    }

    /// A flag, `\Seen` or a keyword.
    pub fn flag(&mut self) -> Parsed<&'a str> {
        let start = self.at;
        self.eat(b'\\');
        // Keywords hold brackets: `[mailto]` is one of Thunderbird's.
        let word = self.take_while(|byte| (is_atom(byte) && byte < 0x80) || byte == b']');
        if word.is_empty() {
            return Err(Bad("expected a flag"));
        }
        std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| Bad("expected a flag"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn astring(text: &str) -> Parsed<Vec<u8>> {
        let mut cursor = Cursor::new(text.as_bytes());
        let found = cursor.astring()?.into_owned();
        cursor.end()?;
        Ok(found)
    }

    #[test]
    fn strings_in_their_three_forms() {
        assert_eq!(astring("INBOX").unwrap(), b"INBOX");
        assert_eq!(astring("a]b ").unwrap(), b"a]b");
        assert_eq!(astring("\"a \\\"b\\\\\"").unwrap(), b"a \"b\\");
        assert_eq!(astring("{3}\r\na b").unwrap(), b"a b");
        assert_eq!(astring("{3+}\r\na b").unwrap(), b"a b");
        for bad in [
            "",
            "\"a",
            "\"a\\b\"",
            "a(b",
            "{4}\r\na b",
            "{3}\r\na\0b",
            "\"a\r\nb\"",
            "{99999999999999999999}\r\n",
        ] {
            assert!(astring(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        fn nested(cursor: &mut Cursor<'_>) -> Parsed<usize> {
            if cursor.peek() == Some(b'(') {
                let inner = cursor.list(nested)?;
                return Ok(1 + inner.into_iter().max().unwrap_or(0));
            }
            cursor.atom().map(|_| 0)
        }
        let text = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(nested(&mut Cursor::new(text(40).as_bytes())), Ok(40));
        assert!(nested(&mut Cursor::new(text(41).as_bytes())).is_err());
    }
}
