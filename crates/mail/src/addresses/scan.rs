//! Text to tokens, and the quoting of local parts.

use super::Token;

/// The specials of RFC 822, and three that not all the world gave up: `%`, `!`, and `|` of alias files.
const OPERATORS: &[u8] = b"|%!()<>@,;:\\\".[]";

/// Divides text into tokens. `limit` is `header_address_token_limit`; what is beyond is lost; 0 is no limit.
pub fn scan(text: &[u8], limit: usize) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() && (limit == 0 || tokens.len() < limit) {
        let byte = text[at];
        at += 1;
        tokens.push(match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'(' => Token::Comment(comment(text, &mut at)),
            b'[' => Token::Literal(delimited(text, &mut at, b']')),
            b'"' => Token::Quoted(delimited(text, &mut at, b'"')),
            b'\\' => atom(text, &mut at),
            _ if OPERATORS.contains(&byte) => Token::Operator(byte),
            _ => atom(text, &mut at),
        });
    }
    tokens
}

/// A comment in its written form; comments nest.
fn comment(text: &[u8], at: &mut usize) -> Vec<u8> {
    let start = *at - 1;
    let mut depth = 1;
    while *at < text.len() && depth > 0 {
        match text[*at] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\\' => *at += 1,
            _ => {}
        }
        *at += 1;
    }
    *at = (*at).min(text.len());
    text[start..*at].to_vec()
}

/// What stands before `end`, with backslashes resolved and white space made blank; skips `end`.
fn delimited(text: &[u8], at: &mut usize, end: u8) -> Vec<u8> {
    let word = collect(text, at, |byte| byte != end);
    *at = (*at + 1).min(text.len());
    word
}

/// An atom begins at the byte before `at`. One that holds what an atom must not is a quoted word.
fn atom(text: &[u8], at: &mut usize) -> Token {
    *at -= 1;
    let word = collect(text, at, |byte| !is_space(byte) && !OPERATORS.contains(&byte));
    if word.iter().any(|byte| *byte == b' ' || byte.is_ascii_control() || OPERATORS.contains(byte)) {
        Token::Quoted(word)
    } else {
        Token::Atom(word)
    }
}

fn collect(text: &[u8], at: &mut usize, goes_on: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut word = Vec::new();
    while let Some(byte) = text.get(*at).copied() {
        let byte = if byte == b'\\' {
            *at += 1;
            match text.get(*at) {
                Some(escaped) => *escaped,
                None => break,
            }
        } else if goes_on(byte) {
            byte
        } else {
            break;
        };
        word.push(if is_space(byte) { b' ' } else { byte });
        *at += 1;
    }
    word
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Where the local part begins, behind a source route `@a,@b:`.
fn after_route(address: &[u8]) -> usize {
    match address.first() {
        Some(b'@') => address.iter().position(|byte| *byte == b':').map_or(0, |colon| colon + 1),
        _ => 0,
    }
}

/// Internal form to external form: quotes the local part unless it is a dot-string (RFC 822 6.1).
pub fn quote(internal: &[u8]) -> Vec<u8> {
    let start = after_route(internal);
    let end =
        internal[start..].iter().rposition(|byte| *byte == b'@').map_or(internal.len(), |at| start + at);
    let local = &internal[start..end];
    if is_dot_string(local) {
        return internal.to_vec();
    }
    let mut out = Vec::with_capacity(internal.len() + 4);
    out.extend_from_slice(&internal[..start]);
    out.push(b'"');
    for byte in local {
        if matches!(byte, b'"' | b'\\' | b'\r') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
    out.extend_from_slice(&internal[end..]);
    out
}

/// Atoms joined by single dots; 8-bit characters pass.
fn is_dot_string(local: &[u8]) -> bool {
    !local.is_empty()
        && local.split(|byte| *byte == b'.').all(|atom| {
            !atom.is_empty()
                && atom.iter().all(|byte| *byte > b' ' && *byte != 127 && !b"()<>@,;:\\\"[]".contains(byte))
        })
}

/// External form to internal form: removes quotes and backslashes from the local part. What follows the last
/// `@` outside quotes stays as it is.
pub fn unquote(external: &[u8]) -> Vec<u8> {
    let start = after_route(external);
    let mut out = external[..start].to_vec();
    let mut quoted = false;
    let mut domain = None;
    let mut at = start;
    while at < external.len() {
        match external[at] {
            b'"' => {
                quoted = !quoted;
                at += 1;
                continue;
            }
            b'@' if !quoted => domain = Some((out.len(), at)),
            b'\\' if at + 1 < external.len() => at += 1,
            b'\\' => break,
            _ => {}
        }
        out.push(external[at]);
        at += 1;
    }
    if let Some((kept, at)) = domain {
        out.truncate(kept);
        out.extend_from_slice(&external[at..]);
    }
    out
}
