//! Tokens to text.

use super::{Token, quote};

/// Most text besides the address that one list element may have in a printed header: old Sendmail versions
/// overflowed on more (CERT CA-2003-07). An element with more is reduced to `<address>`.
const MAX_BESIDES_ADDRESS: usize = 250;

/// Tokens in external form, on one line.
pub fn external(tokens: &[Token]) -> Vec<u8> {
    let mut out = Vec::new();
    for (token, next) in with_next(tokens) {
        push_external(&mut out, token);
        if token.is(b',') || needs_space(token, next) {
            out.push(b' ');
        }
    }
    out
}

/// Tokens in internal form, without quotes.
pub fn internal(tokens: &[Token]) -> Vec<u8> {
    let mut out = Vec::new();
    for (token, next) in with_next(tokens) {
        push_internal(&mut out, token);
        if needs_space(token, next) {
            out.push(b' ');
        }
    }
    out
}

/// A list in the form of a header value: external form, a line feed behind each comma where the line may be
/// broken, and too long comments left out.
pub fn header(tokens: &[Token]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut element = Element::default();
    for (token, next) in with_next(tokens) {
        match token {
            Token::Operator(b',') => {
                element.trim(&mut out);
                out.extend_from_slice(b",\n");
                element = Element { start: out.len(), ..Element::default() };
                continue;
            }
            Token::Address(mailbox) => {
                let before = out.len();
                push_external(&mut out, token);
                element.address = Some(mailbox.internal());
                element.address_len = out.len() - before;
            }
            Token::Operator(b'<') if next.is_some_and(|next| next.is(b'>')) => {
                out.push(b'<');
                element.address = Some(b"");
                element.address_len = 0;
            }
            _ => push_external(&mut out, token),
        }
        if needs_space(token, next) {
            out.push(b' ');
        }
    }
    element.trim(&mut out);
    out
}

/// What stands between two commas.
#[derive(Default)]
struct Element<'a> {
    start: usize,
    address: Option<&'a [u8]>,
    address_len: usize,
}

impl Element<'_> {
    fn trim(&self, out: &mut Vec<u8>) {
        if let Some(address) = self.address
            && out.len() - self.address_len > self.start + MAX_BESIDES_ADDRESS
        {
            out.truncate(self.start);
            out.push(b'<');
            if !address.is_empty() {
                out.extend(quote(address));
            }
            out.push(b'>');
        }
    }
}

/// One token in external form. An address is quoted as a whole, not word by word.
pub(super) fn push_external(out: &mut Vec<u8>, token: &Token) {
    match token {
        Token::Atom(text) | Token::Comment(text) => out.extend_from_slice(text),
        Token::Quoted(text) => push_escaped(out, text, b'"', b'"', b"\"\\\r\n"),
        Token::Literal(text) => push_escaped(out, text, b'[', b']', b"\\\r\n"),
        Token::Operator(byte) => out.push(*byte),
        Token::GroupStart => out.push(b':'),
        Token::Address(mailbox) => out.extend(quote(mailbox.internal())),
    }
}

/// One token in internal form.
pub(super) fn push_internal(out: &mut Vec<u8>, token: &Token) {
    match token {
        Token::Atom(text) | Token::Comment(text) | Token::Quoted(text) => out.extend_from_slice(text),
        Token::Literal(text) => push_escaped(out, text, b'[', b']', b""),
        Token::Operator(byte) => out.push(*byte),
        Token::GroupStart => out.push(b':'),
        Token::Address(mailbox) => out.extend_from_slice(mailbox.internal()),
    }
}

fn push_escaped(out: &mut Vec<u8>, text: &[u8], open: u8, close: u8, escape: &[u8]) {
    out.push(open);
    for byte in text {
        if escape.contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(close);
}

fn with_next(tokens: &[Token]) -> impl Iterator<Item = (&Token, Option<&Token>)> {
    tokens.iter().enumerate().map(|(at, token)| (token, tokens.get(at + 1)))
}

fn needs_space(token: &Token, next: Option<&Token>) -> bool {
    let Some(next) = next else { return false };
    token.is(b',') || *token == Token::GroupStart || next.is(b'<') || (token.is_word() && next.is_word())
}

/// Joins lines as long as they stay below 70 characters; the order of addresses is kept.
pub fn fold(text: &mut [u8]) {
    let mut line_start = 0;
    let mut at = 0;
    while let Some(end) = text[at..].iter().position(|byte| *byte == b'\n').map(|len| at + len) {
        let next = end + 1;
        let next_end =
            text[next..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |len| next + len);
        if next_end - line_start < 70 {
            text[end] = b' ';
        } else {
            line_start = next;
        }
        at = next;
    }
}
