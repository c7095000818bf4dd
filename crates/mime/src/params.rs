//! `type/subtype; name=value` with comments, and the continuations of RFC 2231.

use crate::lexer::{Broken, Lexer};

/// Names and values in order. Names keep their case; a name ending in `*` has an RFC 2231 extended value.
pub type Parameters = Vec<Parameter>;

/// Name and value.
pub type Parameter = (Vec<u8>, Vec<u8>);

/// Type and subtype of a Content-Type value and its parameters. What cannot be read is empty.
pub(crate) fn content_type(value: &[u8], most: usize) -> (Vec<u8>, Vec<u8>, Parameters) {
    let mut lexer = Lexer::new(value);
    match media_type(&mut lexer) {
        Ok((kind, subtype)) => (kind, subtype, parameters(&mut lexer, most)),
        Err(Broken) => Default::default(),
    }
}

fn media_type(lexer: &mut Lexer) -> Result<(Vec<u8>, Vec<u8>), Broken> {
    let (mut kind, mut subtype) = (Vec::new(), Vec::new());
    lexer.skip()?;
    if !lexer.token(&mut kind)? {
        return Ok((kind, subtype));
    }
    if !lexer.at(b'/') || kind.is_empty() {
        return Err(Broken);
    }
    lexer.bump();
    lexer.skip()?;
    let more = lexer.token(&mut subtype)?;
    if subtype.is_empty() || (more && !lexer.at(b';')) {
        return Err(Broken);
    }
    Ok((kind, subtype))
}

/// The disposition and its parameters.
pub(crate) fn disposition(value: &[u8], most: usize) -> (Vec<u8>, Parameters) {
    let mut lexer = Lexer::new(value);
    let mut kind = Vec::new();
    if lexer.skip().and_then(|_| lexer.token(&mut kind)).is_err() {
        return (kind, Parameters::new());
    }
    (kind, parameters(&mut lexer, most))
}

/// The one word of a Content-Transfer-Encoding value.
pub(crate) fn encoding(value: &[u8]) -> Option<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    let mut word = Vec::new();
    lexer.skip().ok()?;
    let more = lexer.token(&mut word).ok()?;
    (!more && !word.is_empty()).then_some(word)
}

/// The tags of a Content-Language value.
pub(crate) fn languages(value: &[u8], most: usize) -> Vec<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    let mut tags = Vec::new();
    while tags.len() < most && lexer.skip() == Ok(true) {
        let mut tag = Vec::new();
        let more = lexer.token(&mut tag);
        if tag.is_empty() {
            break;
        }
        tags.push(tag);
        if more != Ok(true) || !lexer.at(b',') {
            break;
        }
        lexer.bump();
    }
    tags
}

fn parameters(lexer: &mut Lexer, most: usize) -> Parameters {
    let (mut plain, mut pieces) = (Parameters::new(), Vec::new());
    while !lexer.is_empty() && plain.len() + pieces.len() < most {
        match parameter(lexer) {
            Ok(Some((name, value))) => match Piece::of(&name, &value) {
                Some(piece) => pieces.push(piece),
                None => plain.push((name, value)),
            },
            Ok(None) => break,
            Err(Broken) => lexer.bump(),
        }
    }
    join(pieces, &mut plain);
    plain
}

fn parameter(lexer: &mut Lexer) -> Result<Option<Parameter>, Broken> {
    if !lexer.at(b';') {
        return Err(Broken);
    }
    lexer.bump();
    let (mut name, mut value) = (Vec::new(), Vec::new());
    if !lexer.skip()? {
        return Ok(None);
    }
    lexer.token(&mut name)?;
    if !lexer.at(b'=') {
        return Err(Broken);
    }
    lexer.bump();
    if lexer.skip()? {
        match lexer.peek() {
            Some(b'"') => lexer.quoted(&mut value)?,
            Some(b'=') => lexer.behind_equals(&mut value)?,
            _ => lexer.token(&mut value)?,
        };
    }
    Ok(Some((name, value)))
}

/// One of `name*0`, `name*1*`, …
struct Piece {
    name: Vec<u8>,
    index: u32,
    extended: bool,
    value: Vec<u8>,
}

impl Piece {
    fn of(name: &[u8], value: &[u8]) -> Option<Piece> {
        let star = name.iter().position(|byte| *byte == b'*')?;
        let tail = &name[star + 1..];
        let digits = tail.strip_suffix(b"*").unwrap_or(tail);
        if tail.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let add = |index: u32, digit: &u8| index.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
        let index = digits.iter().fold(0, add);
        let extended = digits.len() < tail.len();
        Some(Piece { name: name[..star].to_vec(), index, extended, value: value.to_vec() })
    }
}

/// Joins what belongs together; what has a hole stays as it came.
fn join(mut pieces: Vec<Piece>, out: &mut Parameters) {
    pieces.sort_by_cached_key(|piece| (piece.name.clone(), piece.index));
    for group in pieces.chunk_by(|one, next| one.name.eq_ignore_ascii_case(&next.name)) {
        let whole = group.iter().zip(0..).all(|(piece, index)| piece.index == index);
        if !whole {
            out.extend(group.iter().map(|piece| {
                let star = if piece.extended { "*" } else { "" };
                let name = [piece.name.as_slice(), format!("*{}{star}", piece.index).as_bytes()].concat();
                (name, piece.value.clone())
            }));
            continue;
        }
        let mut name = group[0].name.clone();
        let mut value = Vec::new();
        let extended = group.iter().any(|piece| piece.extended);
        if extended {
            name.push(b'*');
        }
        if extended && !group[0].extended {
            value.extend(b"''");
        }
        for piece in group {
            match extended && !piece.extended {
                true => escape(&piece.value, &mut value),
                false => value.extend(&piece.value),
            }
        }
        out.push((name, value));
    }
}

/// In an extended value a percent sign is no escape.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'%' => out.extend(b"%25"),
            byte => out.push(*byte),
        }
    }
}

/// The value of the parameter `name`, without regard to case.
pub fn get<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a [u8]> {
    let own = |key: &[u8]| key.eq_ignore_ascii_case(name.as_bytes());
    parameters.iter().find(|(key, _)| own(key)).map(|(_, value)| value.as_slice())
}
