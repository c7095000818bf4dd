//! Strings: quoted where they can be, else literals.

/// More escapes than this make a literal.
const ESCAPES: usize = 4;

/// Writes a string: quoted, or a literal when it holds 8-bit text or line ends.
pub fn string(text: &[u8], out: &mut Vec<u8>) {
    let escapes = text.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    let plain = text.iter().all(|byte| byte.is_ascii() && !matches!(byte, 0 | b'\r' | b'\n'));
    if !plain || escapes > ESCAPES {
        return literal(text, out);
    }
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Writes a string, or NIL when there is none.
pub fn nstring(text: Option<&[u8]>, out: &mut Vec<u8>) {
    match text {
        Some(text) => string(text, out),
        None => out.extend(b"NIL"),
    }
}

/// Writes an atom where the text is one, else a string.
pub fn astring(text: &[u8], out: &mut Vec<u8>) {
    let is_atom = |byte: &u8| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(byte);
    let nil = text.eq_ignore_ascii_case(b"NIL");
    match !text.is_empty() && !nil && text.iter().all(is_atom) {
        true => out.extend(text),
        false => string(text, out),
    }
}

/// Writes text for people: blanks are one space, none at the ends. Text that has to change becomes a literal.
pub(super) fn for_people(text: &[u8], out: &mut Vec<u8>) {
    let mut shown = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                if shown.last().is_some_and(|last| *last != b' ') {
                    shown.push(b' ');
                }
            }
            byte => shown.push(*byte),
        }
    }
    if shown.last() == Some(&b' ') {
        shown.pop();
    }
    let plain = text.iter().all(|byte| byte.is_ascii() && !matches!(byte, 0 | b'"' | b'\\'));
    if shown.is_empty() || (shown == text && plain) {
        out.push(b'"');
        out.extend(shown);
        out.push(b'"');
    } else {
        literal(&shown, out);
    }
}

/// NUL has no place in a literal (RFC 9051 `CHAR8`) and is replaced.
fn literal(text: &[u8], out: &mut Vec<u8>) {
    let nuls = text.iter().filter(|byte| **byte == 0).count();
    let len = text.len() + nuls * (crate::lexer::REPLACEMENT.len() - 1);
    out.extend(format!("{{{len}}}\r\n").bytes());
    for byte in text {
        match byte {
            0 => out.extend(crate::lexer::REPLACEMENT),
            byte => out.push(*byte),
        }
    }
}
