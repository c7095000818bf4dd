//! Search filters as text (RFC 4515), and how values are written in them and in names (RFC 4514).

use super::ber::{OCTETS, nested, put};

/// How deep filters may be nested.
const DEPTH_MAX: usize = 64;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER: u8 = 0xa5;
const LESS: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

/// The value as it stands in a filter: nothing in it has a meaning there.
pub fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '*' | '(' | ')' | '\\' | '\0' => out.push_str(&format!("\\{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// The value as it stands in a distinguished name.
pub fn escape_name(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (n, c) in value.chars().enumerate() {
        match c {
            '\0' => out.push_str("\\00"),
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => out.extend(['\\', c]),
            '#' if n == 0 => out.push_str("\\#"),
            ' ' if n == 0 || n == last => out.push_str("\\ "),
            c => out.push(c),
        }
    }
    out
}

/// The filter as it goes over the wire.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub fn encode(text: &str) -> Result<Vec<u8>, String> {
    let bad = || format!("bad search filter: {text}");
    let trimmed = text.trim();
    let mut out = Vec::new();
    if !trimmed.starts_with('(') {
        // A single item needs no parentheses, as for other clients.
        item(trimmed, &mut out).ok_or_else(bad)?;
        return Ok(out);
    }
    let rest = filter(trimmed, &mut out, 0).ok_or_else(bad)?;
    if rest.trim().is_empty() { Ok(out) } else { Err(bad()) }
}

/// Reads `(…)` and returns what follows.
fn filter<'a>(text: &'a str, out: &mut Vec<u8>, depth: usize) -> Option<&'a str> {
    if depth > DEPTH_MAX {
        return None;
    }
    let inner = text.trim_start().strip_prefix('(')?.trim_start();
    let rest = match inner.chars().next()? {
        '&' => list(AND, &inner[1..], out, depth)?,
        '|' => list(OR, &inner[1..], out, depth)?,
        '!' => {
            let mut content = Vec::new();
            let rest = filter(&inner[1..], &mut content, depth + 1)?;
            put(out, NOT, &content);
            rest
        }
        _ => {
            let end = inner.find(')')?;
            item(&inner[..end], out)?;
            &inner[end..]
        }
    };
    rest.trim_start().strip_prefix(')')
}

fn list<'a>(tag: u8, mut text: &'a str, out: &mut Vec<u8>, depth: usize) -> Option<&'a str> {
    let mut content = Vec::new();
    loop {
        text = text.trim_start();
        if text.starts_with(')') {
            put(out, tag, &content);
            return Some(text);
        }
        text = filter(text, &mut content, depth + 1)?;
    }
}

/// `attribute=value` and its kin.
fn item(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (left, value) = text.split_once('=')?;
    let pair = |tag, name: &str, value: &[u8]| {
        nested(tag, |pair| {
            put(pair, OCTETS, name.as_bytes());
            put(pair, OCTETS, value);
        })
    };
    let (tag, name) = match left.as_bytes().last()? {
        b'>' => (GREATER, &left[..left.len() - 1]),
        b'<' => (LESS, &left[..left.len() - 1]),
        b'~' => (APPROXIMATE, &left[..left.len() - 1]),
        b':' => return extensible(&left[..left.len() - 1], value, out),
        _ => (EQUAL, left),
    };
    let name = name.trim();
    if !is_name(name) {
        return None;
    }
    if tag == EQUAL && value == "*" {
        put(out, PRESENT, name.as_bytes());
    } else if tag == EQUAL && value.contains('*') {
        let pieces: Vec<_> = value.split('*').collect();
        let last = pieces.len() - 1;
        let mut parts = Vec::new();
        for (n, piece) in pieces.into_iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
            let place = if n == 0 {
                0x80
            } else if n == last {
                0x82
            } else {
                0x81
            };
            put(&mut parts, place, &unescape(piece)?);
        }
        out.extend(nested(SUBSTRINGS, |content| {
            put(content, OCTETS, name.as_bytes());
            put(content, super::ber::SEQUENCE, &parts);
        }));
    } else {
        out.extend(pair(tag, name, &unescape(value)?));
    }
    Some(())
}

/// `attribute:dn:rule:=value`
fn extensible(left: &str, value: &str, out: &mut Vec<u8>) -> Option<()> {
    let mut parts = left.split(':');
    let name = parts.next()?;
    let (mut dn, mut rule) = (false, None);
    for part in parts {
        match part {
            "dn" if !dn && rule.is_none() => dn = true,
            part if rule.is_none() && is_name(part) => rule = Some(part),
            _ => return None,
        }
    }
    if (name.is_empty() && rule.is_none()) || !(name.is_empty() || is_name(name)) {
        return None;
    }
    let value = unescape(value)?;
    out.extend(nested(EXTENSIBLE, |content| {
        if let Some(rule) = rule {
            put(content, 0x81, rule.as_bytes());
        }
        if !name.is_empty() {
            put(content, 0x82, name.as_bytes());
        }
        put(content, 0x83, &value);
        if dn {
            put(content, 0x84, &[0xff]);
        }
    }));
    Some(())
}

/// The name or number of an attribute, with its options.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-;_".contains(&byte))
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                let mut digit = || (bytes.next()? as char).to_digit(16);
                out.push((digit()? * 16 + digit()?) as u8);
            }
            b'(' | b')' => return None,
            byte => out.push(byte),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_encoded() {
        assert_eq!(encode("(a=b)").unwrap(), b"\xa3\x06\x04\x01a\x04\x01b");
        assert_eq!(encode("a=b").unwrap(), b"\xa3\x06\x04\x01a\x04\x01b");
        assert_eq!(encode("(a=*)").unwrap(), b"\x87\x01a");
        assert_eq!(encode("(a=\\2a)").unwrap(), b"\xa3\x06\x04\x01a\x04\x01*");
        assert_eq!(encode("(a=x*y*z)").unwrap(), b"\xa4\x0e\x04\x01a\x30\x09\x80\x01x\x81\x01y\x82\x01z");
        assert_eq!(encode("(&(a=b)(!(c>=d)))").unwrap()[0], AND);
        assert_eq!(encode("(|(a=b) (c~=d))").unwrap()[0], OR);
        assert_eq!(encode("(cn:dn:2.4.6:=x)").unwrap()[0], EXTENSIBLE);
        for bad in ["(a=b", "(a)", "(=b)", "(a=b))", "(a=\\zz)", "()", "(!(a=b)(c=d))", "(a b=c)", "((a=b))"]
        {
            assert!(encode(bad).is_err(), "{bad}");
        }
        assert!(encode(&format!("{}a=b{}", "(!".repeat(1000), ")".repeat(1000))).is_err());
    }

    proptest::proptest! {
        /// A value is the value, whatever it holds.
        #[test]
        fn a_value_stays_a_value(value in "(a|[*()\\\\]|\0|[&|!=]|é){0,12}") {
            let filter = encode(&format!("(&(uid={})(x=y))", escape(&value))).unwrap();
            let mut expected = Vec::new();
            put(&mut expected, OCTETS, b"uid");
            put(&mut expected, OCTETS, value.as_bytes());
            let mut item = Vec::new();
            put(&mut item, EQUAL, &expected);
            let mut second = Vec::new();
            put(&mut second, EQUAL, b"\x04\x01x\x04\x01y");
            proptest::prop_assert_eq!(filter, nested(AND, |out| { out.extend(item); out.extend(second); }));
        }

        #[test]
        fn any_filter_is_read(text in "([()&|!*=a]|\\\\)*") {
            let _ = encode(&text);
        }
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escape_name("a,ou=x"), "a\\,ou\\=x");
        assert_eq!(escape_name(" #a "), "\\ #a\\ ");
        assert_eq!(escape_name("#"), "\\#");
    }
}
