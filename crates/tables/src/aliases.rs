//! A row of an alias file, aliases(5): `name: value, value`, in address tokens (RFC 822 with Postfix's liberties).

const OPERATORS: &[u8] = b"|\"(),.:;<>@[]%!";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Atom(Vec<u8>),
    Quoted(Vec<u8>),
    Comment(Vec<u8>),
    Literal(Vec<u8>),
    Operator(u8),
}

impl Token {
    fn is_word(&self) -> bool {
        !matches!(self, Token::Operator(_))
    }
}

/// Key in internal form (unquoted), value in external form (quoted where it has to be).
pub fn row(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let tokens = scan(line);
    let pair = || "need name:value pair".to_owned();
    let colon = tokens.iter().position(|token| *token == Token::Operator(b':')).ok_or_else(pair)?;
    let (name, value) = (&tokens[..colon], &tokens[colon + 1..]);
    if name.is_empty() || value.is_empty() || name.contains(&Token::Operator(b',')) {
        return Err(pair());
    }
    if name.iter().any(|token| matches!(token, Token::Operator(b'@' | b'%'))) {
        return Err("name must be local".to_owned());
    }
    Ok((print(name, false), print(value, true)))
}

fn scan(line: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let [first, after @ ..] = rest {
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => rest = after,
            b'(' => tokens.push(Token::Comment(comment(&mut rest))),
            b'[' => {
                rest = after;
                tokens.push(Token::Literal(quoted(&mut rest, b']')));
            }
            b'"' => {
                rest = after;
                tokens.push(Token::Quoted(quoted(&mut rest, b'"')));
            }
            byte if OPERATORS.contains(byte) => {
                tokens.push(Token::Operator(*byte));
                rest = after;
            }
            _ => tokens.push(atom(&mut rest)),
        }
    }
    tokens
}

fn clean(byte: u8) -> u8 {
    if byte.is_ascii_control() { b' ' } else { byte }
}

/// An atom with escaped operators or blanks in it is really a quoted string.
fn atom(rest: &mut &[u8]) -> Token {
    let mut text = Vec::new();
    while let [first, after @ ..] = *rest {
        let (byte, after) = match (first, after) {
            (b'\\', [escaped, after @ ..]) => (*escaped, after),
            (b'\\', []) => {
                *rest = after;
                break;
            }
            (b' ' | b'\t' | b'\r' | b'\n', _) => break,
            (byte, _) if OPERATORS.contains(byte) => break,
            (byte, after) => (*byte, after),
        };
        text.push(clean(byte));
        *rest = after;
    }
    let special = |byte: &u8| *byte == b' ' || OPERATORS.contains(byte);
    if text.iter().any(special) { Token::Quoted(text) } else { Token::Atom(text) }
}

/// Up to the closing character, which is consumed; a missing one is forgiven.
fn quoted(rest: &mut &[u8], close: u8) -> Vec<u8> {
    let mut text = Vec::new();
    while let [first, after @ ..] = *rest {
        *rest = after;
        match (*first, after) {
            (b'\\', [escaped, after @ ..]) => {
                text.push(clean(*escaped));
                *rest = after;
            }
            (byte, _) if byte == close => break,
            (byte, _) => text.push(clean(byte)),
        }
    }
    text
}

/// A comment as written, with what is nested in it.
fn comment(rest: &mut &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut depth = 0u32;
    while let [first, after @ ..] = *rest {
        *rest = after;
        text.push(clean(*first));
        match (first, after) {
            (b'\\', [escaped, after @ ..]) => {
                text.push(clean(*escaped));
                *rest = after;
            }
            (b'(', _) => depth += 1,
            (b')', _) => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    text
}

fn print(tokens: &[Token], external: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        match token {
            Token::Atom(text) | Token::Comment(text) => out.extend_from_slice(text),
            Token::Quoted(text) if external => enclose(&mut out, text, b'"', b'"', b"\"\\\r\n"),
            Token::Quoted(text) => out.extend_from_slice(text),
            Token::Literal(text) if external => enclose(&mut out, text, b'[', b']', b"\\\r\n"),
            Token::Literal(text) => enclose(&mut out, text, b'[', b']', b""),
            Token::Operator(byte) => out.push(*byte),
        }
        if let Some(next) = tokens.get(n + 1)
            && (*token == Token::Operator(b',')
                || *next == Token::Operator(b'<')
                || (token.is_word() && next.is_word()))
        {
            out.push(b' ');
        }
    }
    out
}

fn enclose(out: &mut Vec<u8>, text: &[u8], open: u8, close: u8, escaped: &[u8]) {
    out.push(open);
    for byte in text {
        if escaped.contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_alias_file() {
        for (line, key, value) in [
            ("p: |   /bin/cat", "p", "|/bin/cat"),
            ("q: \"|/bin/cat -n\"", "q", "\"|/bin/cat -n\""),
            ("s: a%b , c!d", "s", "a%b, c!d"),
            ("w x: y", "w x", "y"),
            ("\"\": e", "", "e"),
            ("v: \"\"", "v", "\"\""),
            ("ww: (comment) a (c) b", "ww", "(comment) a (c) b"),
            ("y: a\\ b", "y", "\"a b\""),
            ("ab\\:c: q", "ab:c", "q"),
            ("a.b . c: foo . bar", "a.b.c", "foo.bar"),
            ("NAME <k>: y", "NAME <k>", "y"),
            ("[k]: [d e]", "[k]", "[d e]"),
            ("i: :include:/etc/list", "i", ":include:/etc/list"),
        ] {
            let (k, v) = row(line.as_bytes()).unwrap();
            assert_eq!((k.as_slice(), v.as_slice()), (key.as_bytes(), value.as_bytes()), "{line}");
        }
        for line in ["x", "x:", ":y", "a,b: c", "t@u: z", "t%u: z"] {
            assert!(row(line.as_bytes()).is_err(), "{line}");
        }
    }
}
