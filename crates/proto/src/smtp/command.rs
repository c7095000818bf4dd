//! The grammar of a command line, as lenient as Postfix's. RFC 5321 4.1.

/// What a command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `HELO`.
    Helo,
    /// `EHLO`.
    Ehlo,
    /// `LHLO` (RFC 2033).
    Lhlo,
    /// `STARTTLS` (RFC 3207).
    StartTls,
    /// `AUTH` (RFC 4954).
    Auth,
    /// `MAIL`.
    Mail,
    /// `RCPT`.
    Rcpt,
    /// `DATA`.
    Data,
    /// `BDAT` (RFC 3030).
    Bdat,
    /// `RSET`.
    Rset,
    /// `NOOP`.
    Noop,
    /// `VRFY`.
    Vrfy,
    /// `EXPN`.
    Expn,
    /// `ETRN` (RFC 1985).
    Etrn,
    /// `HELP`.
    Help,
    /// `QUIT`.
    Quit,
    /// `XCLIENT`.
    Xclient,
    /// `XFORWARD`.
    Xforward,
}

/// Name and verb of every command known to the grammar.
pub const VERBS: &[(&str, Verb)] = &[
    ("HELO", Verb::Helo),
    ("EHLO", Verb::Ehlo),
    ("LHLO", Verb::Lhlo),
    ("STARTTLS", Verb::StartTls),
    ("AUTH", Verb::Auth),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("BDAT", Verb::Bdat),
    ("RSET", Verb::Rset),
    ("NOOP", Verb::Noop),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("ETRN", Verb::Etrn),
    ("HELP", Verb::Help),
    ("QUIT", Verb::Quit),
    ("XCLIENT", Verb::Xclient),
    ("XFORWARD", Verb::Xforward),
];

impl Verb {
    /// Finds a verb without regard to case.
    pub fn find(word: &str) -> Option<Verb> {
        VERBS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, verb)| *verb)
    }

    /// The name in capitals.
    pub fn name(self) -> &'static str {
        VERBS.iter().find(|(_, verb)| *verb == self).map_or("", |(name, _)| name)
    }
}

/// One word of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `<…>`, brackets included: only these are paths under `strict_rfc821_envelopes`.
    Path(&'a str),
    /// Any other word; quoted strings and `[…]` hold together.
    Word(&'a str),
    /// A bracket or quote that never closes.
    Unclosed(&'a str),
}

impl<'a> Token<'a> {
    /// The text as it stands on the line.
    pub fn text(self) -> &'a str {
        match self {
            Token::Path(text) | Token::Word(text) | Token::Unclosed(text) => text,
        }
    }

    /// Is the text this word, without regard to case?
    pub fn is(self, word: &str) -> bool {
        self.text().eq_ignore_ascii_case(word)
    }
}

/// A command line cut into words. `word(0)` is the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// The whole line, without its end.
    pub line: &'a str,
    /// The words; the first is the command itself. Empty for an empty line.
    pub tokens: Vec<Token<'a>>,
    /// The verb, when the first word is a command known to the grammar.
    pub verb: Option<Verb>,
}

impl<'a> Command<'a> {
    /// Cuts a line into words. Never fails: what is wrong shows in the tokens.
    pub fn parse(line: &'a str) -> Command<'a> {
        let mut tokens = Vec::with_capacity(4);
        let mut rest = line.trim_start_matches([' ', '\t']);
        while !rest.is_empty() {
            let (token, after) = next_token(rest);
            tokens.push(token);
            rest = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
        }
        let verb = tokens.first().and_then(|token| Verb::find(token.text()));
        Command { line, tokens, verb }
    }

    /// The words after the command.
    pub fn args(&self) -> &[Token<'a>] {
        self.tokens.get(1..).unwrap_or_default()
    }

    /// Everything after the command word, untouched but for blanks around it.
    pub fn rest(&self) -> &'a str {
        match self.tokens.first() {
            Some(first) => {
                let line = self.line.trim_start_matches([' ', '\t']);
                line[first.text().len()..].trim_matches([' ', '\t'])
            }
            None => "",
        }
    }

    /// For `MAIL FROM:…` and `RCPT TO:…`: the path and the parameters. `keyword` is `FROM:` or `TO:`.
    ///
    /// `None` is Postfix's `501 5.5.4 Syntax: MAIL FROM:<address>`.
    pub fn path_and_params(&self, keyword: &str) -> Option<(Token<'a>, &[Token<'a>])> {
        match self.args() {
            [word, path, params @ ..] if word.is(keyword) => Some((*path, params)),
            _ => None,
        }
    }
}

fn next_token(text: &str) -> (Token<'_>, &str) {
    if text.starts_with('<') {
        return match closed(text) {
            Some(len) => (Token::Path(&text[..len]), &text[len..]),
            None => (Token::Unclosed(text), ""),
        };
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b if b.is_ascii_whitespace() => break,
            b'\\' => at += 2,
            b'"' | b'[' | b'<' => match closed(&text[at..]) {
                // `FROM:<…` ends before the bracket; within other words brackets hold together.
                Some(_) if bytes[at] == b'<' && bytes[at - 1] == b':' => break,
                Some(len) => at += len,
                None => return (Token::Unclosed(text), ""),
            },
            b':' if matches_keyword(&bytes[..at]) => {
                at += 1;
                break;
            }
            _ => at += 1,
        }
    }
    let at = floor_char(text, at);
    (Token::Word(&text[..at]), &text[at..])
}

fn matches_keyword(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"FROM") || word.eq_ignore_ascii_case(b"TO")
}

/// A backslash may be followed by a character of several bytes, or by nothing.
fn floor_char(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// Length of the bracketed or quoted text at the start, with what closes it. Within quotes only a quote counts.
fn closed(text: &str) -> Option<usize> {
    let mut wanted = Vec::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if wanted.last() == Some(&c) {
            wanted.pop();
            if wanted.is_empty() {
                return Some(at + c.len_utf8());
            }
        } else if wanted.last() != Some(&'"') {
            match c {
                '<' => wanted.push('>'),
                '[' => wanted.push(']'),
                '(' if !wanted.is_empty() => wanted.push(')'),
                '"' => wanted.push('"'),
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&str> {
        Command::parse(line).tokens.iter().map(|token| token.text()).collect()
    }

    #[test]
    fn cuts_lines_as_postfix_does() {
        for (line, expected) in [
            ("MAIL FROM:<a@b> SIZE=10", &["MAIL", "FROM:", "<a@b>", "SIZE=10"] as &[&str]),
            ("mail from: <a@b>", &["mail", "from:", "<a@b>"]),
            ("MAIL FROM:a@b", &["MAIL", "FROM:", "a@b"]),
            ("MAIL FROM:<>", &["MAIL", "FROM:", "<>"]),
            ("RCPT TO:Full Name <x@y>", &["RCPT", "TO:", "Full", "Name", "<x@y>"]),
            ("RCPT TO:<\"a b>c\"@y> X", &["RCPT", "TO:", "<\"a b>c\"@y>", "X"]),
            ("RCPT TO:\"a b\"@y X", &["RCPT", "TO:", "\"a b\"@y", "X"]),
            ("RCPT TO:<a>junk", &["RCPT", "TO:", "<a>", "junk"]),
            ("MAIL FROM:<a> ENVID=x:y", &["MAIL", "FROM:", "<a>", "ENVID=x:y"]),
            ("MAIL FROM:<a> AUTH=<>", &["MAIL", "FROM:", "<a>", "AUTH=<>"]),
            ("MAIL FROM:", &["MAIL", "FROM:"]),
            ("   ", &[]),
            ("\\é", &["\\é"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
        assert_eq!(Command::parse("MAIL FROM:<a@b").tokens[2], Token::Unclosed("<a@b"));
        assert_eq!(Command::parse(" helo  a b ").rest(), "a b");
    }
}
