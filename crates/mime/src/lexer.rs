//! Words, quoted strings, comments and domains of header values, read as leniently as Dovecot does. RFC 5322 3.2.
//!
//! Values come unfolded. Each reader takes what it can and says whether more follows; a failed one says so with
//! [`Broken`], and its caller decides where to go on.

/// The text at hand is not what was looked for; the place is where reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Stands for NUL bytes in quoted strings and comments.
pub(crate) const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

pub(crate) struct Lexer<'a> {
    rest: &'a [u8],
    /// The text of the comment skipped last, its own parentheses removed.
    pub(crate) comment: Vec<u8>,
}

/// RFC 5322 `atext`, and every byte above ASCII.
pub(crate) fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// RFC 2045 `token`, and every byte above ASCII.
fn is_token(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Lexer<'a> {
        Lexer { rest: text, comment: Vec::new() }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn at(&self, byte: u8) -> bool {
        self.peek() == Some(byte)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn bump(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// To come back to with [`Lexer::go_back`].
    pub(crate) fn place(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn go_back(&mut self, place: &'a [u8]) {
        self.rest = place;
    }

    /// Takes bytes as long as they are wanted.
    fn run(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !wanted(*byte)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    /// Skips blanks and comments. True when something follows.
    pub(crate) fn skip(&mut self) -> Result<bool, Broken> {
        loop {
            self.run(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            if !self.at(b'(') {
                return Ok(!self.is_empty());
            }
            self.comment()?;
        }
    }

    fn comment(&mut self) -> Result<(), Broken> {
        let mut depth = 0_usize;
        self.comment.clear();
        while let Some(byte) = self.peek() {
            self.bump();
            match byte {
                b'(' => {
                    if depth > 0 {
                        self.comment.push(byte);
                    }
                    depth += 1;
                }
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                    self.comment.push(byte);
                }
                b'\\' => {
                    self.comment.extend(self.peek());
                    self.bump();
                }
                0 => self.comment.extend(REPLACEMENT),
                b'\r' | b'\n' => {}
                byte => self.comment.push(byte),
            }
        }
        self.comment.clear();
        Err(Broken)
    }

    /// A quoted string, and the blanks behind it. Its opening quote is at hand.
    pub(crate) fn quoted(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        self.bump();
        while let Some(byte) = self.peek() {
            self.bump();
            match byte {
                b'"' => return self.skip(),
                b'\\' => {
                    let Some(escaped) = self.peek() else { return Err(Broken) };
                    self.bump();
                    match escaped {
                        b'\r' | b'\n' => out.push(b'\\'),
                        0 => out.extend(REPLACEMENT),
                        escaped => out.push(escaped),
                    }
                }
                0 => out.extend(REPLACEMENT),
                b'\r' | b'\n' => {}
                byte => out.push(byte),
            }
        }
        Err(Broken)
    }

    /// Words and quoted strings with dots, one space between them, and the blanks behind. True when more follows.
    pub(crate) fn phrase(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        if self.is_empty() {
            return Ok(false);
        }
        if self.at(b'.') {
            return Err(Broken);
        }
        loop {
            let more = if self.at(b'"') {
                self.quoted(out)?
            } else {
                out.extend(self.run(|byte| is_atext(byte) || byte == b'.'));
                self.skip()?
            };
            if !more {
                return Ok(false);
            }
            if !self.peek().is_some_and(|byte| is_atext(byte) || byte == b'"' || byte == b'.') {
                return Ok(true);
            }
            out.push(b' ');
        }
    }

    /// What stands left of the `@`: atoms with dots anywhere, or one quoted string. True when more follows.
    pub(crate) fn local_part(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        if self.is_empty() {
            return Ok(false);
        }
        if self.at(b'"') {
            return self.quoted(out);
        }
        let before = out.len();
        loop {
            out.extend(self.run(|byte| is_atext(byte) || byte == b'.'));
            if out.len() == before {
                return Err(Broken);
            }
            if out.last() == Some(&b'.') && matches!(self.peek(), Some(b' ' | b'\t')) {
                return Err(Broken);
            }
            if !self.skip()? {
                return Ok(false);
            }
            if !self.at(b'.') {
                return Ok(true);
            }
        }
    }

    /// `@` with a domain or domain literal. True when more follows.
    pub(crate) fn domain(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        self.bump();
        if !self.skip()? {
            return Err(Broken);
        }
        if self.at(b'[') {
            return self.literal(out);
        }
        loop {
            let atom = self.run(is_atext);
            if atom.is_empty() {
                return Err(Broken);
            }
            out.extend(atom);
            if !self.skip()? {
                return Ok(false);
            }
            if !self.at(b'.') {
                return Ok(true);
            }
            out.push(b'.');
            self.bump();
            if !self.skip()? {
                return Err(Broken);
            }
        }
    }

    fn literal(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        let mut escaped = false;
        while let Some(byte) = self.peek() {
            self.bump();
            out.push(byte);
            if byte == b']' && !escaped {
                return self.skip();
            }
            escaped = byte == b'\\' && !escaped;
        }
        Err(Broken)
    }

    /// What stands behind a second equals sign, up to a blank or semicolon: some programs write encoded words so.
    pub(crate) fn behind_equals(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        out.extend(self.run(|byte| !b"; \t\r\n".contains(&byte)));
        self.skip()
    }

    /// A MIME token, possibly empty, and the blanks behind it. True when more follows.
    pub(crate) fn token(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        out.extend(self.run(is_token));
        self.skip()
    }
}
