//! The value of a rule, with `$1`, `${1}`, `$(1)` and `$$`.

use std::ops::Range;

/// A value, divided at its references.
#[derive(Debug, PartialEq, Eq)]
pub struct Replacement {
    parts: Vec<Part>,
    highest: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Group(usize),
}

/// What is wrong with a value, in Postfix's words.
#[derive(Debug, PartialEq, Eq)]
pub enum BadReference {
    /// A `$` that begins nothing.
    Syntax(String),
    /// A reference to something that is no group.
    Index(String),
}

impl Replacement {
    /// Divides a value.
    pub fn parse(text: &[u8]) -> Result<Replacement, BadReference> {
        let mut parts = Vec::new();
        let mut highest = 0;
        let mut rest = text;
        let mut literal = Vec::new();
        while let Some(dollar) = memchr::memchr(b'$', rest) {
            literal.extend_from_slice(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix(b"$") {
                literal.push(b'$');
                rest = after;
                continue;
            }
            let (name, after) = reference(rest, text).map_err(BadReference::Syntax)?;
            let number = index(name).map_err(BadReference::Index)?;
            highest = highest.max(number);
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Group(number));
            rest = after;
        }
        literal.extend_from_slice(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Replacement { parts, highest })
    }

    /// The highest group it refers to; 0 when it refers to none.
    pub fn highest(&self) -> usize {
        self.highest
    }

    /// The value for a subject and the places its groups matched. A group that took no part is empty.
    pub fn expand(&self, subject: &[u8], groups: &[Option<Range<usize>>]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Group(number) => {
                    let range = groups.get(*number).and_then(Option::clone);
                    out.extend_from_slice(range.and_then(|range| subject.get(range)).unwrap_or_default());
                }
            }
        }
        out
    }
}

/// The name after a `$`, and what follows it.
fn reference<'t>(rest: &'t [u8], whole: &[u8]) -> Result<(&'t [u8], &'t [u8]), String> {
    let shown = || crate::source::shown(whole);
    let (name, after) = match rest.first() {
        Some(open @ (b'{' | b'(')) => {
            let close = if *open == b'{' { b'}' } else { b')' };
            let mut depth = 0usize;
            let end = rest.iter().position(|byte| {
                match byte {
                    byte if byte == open => depth += 1,
                    byte if *byte == close => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            let end = end.ok_or_else(|| format!("truncated macro reference: \"{}\"", shown()))?;
            (&rest[1..end], &rest[end + 1..])
        }
        _ => {
            let end = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
            rest.split_at(end.unwrap_or(rest.len()))
        }
    };
    if name.is_empty() {
        return Err(format!("empty macro name: \"{}\"", shown()));
    }
    Ok((name, after))
}

fn index(name: &[u8]) -> Result<usize, String> {
    let shown = crate::source::shown(name);
    if !name.iter().all(u8::is_ascii_digit) {
        return Err(format!("non-numeric replacement index \"{shown}\""));
    }
    match shown.parse() {
        Ok(number @ 1..=999) => Ok(number),
        _ => Err(format!("out of range replacement index \"{shown}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_groups() {
        let groups = [Some(0..5), Some(1..3), None];
        for (text, expected) in [
            ("$1-at-${1} $(1)", "bc-at-bc bc"),
            ("a$$b", "a$b"),
            ("[$2]", "[]"),
            ("plain", "plain"),
            ("$1", "bc"),
            ("", ""),
        ] {
            let replacement = Replacement::parse(text.as_bytes()).unwrap();
            assert_eq!(replacement.expand(b"abcde", &groups), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        use BadReference::{Index, Syntax};
        for (text, kind, expected) in [
            ("$1abc", Index as fn(String) -> BadReference, "non-numeric replacement index \"1abc\""),
            ("${1", Syntax, "truncated macro reference: \"${1\""),
            ("x$", Syntax, "empty macro name: \"x$\""),
            ("${}", Syntax, "empty macro name: \"${}\""),
            ("$0", Index, "out of range replacement index \"0\""),
        ] {
            assert_eq!(Replacement::parse(text.as_bytes()).unwrap_err(), kind(expected.to_owned()));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)) {
            if let Ok(replacement) = Replacement::parse(&text) {
                replacement.expand(b"subject", &[Some(0..7), None]);
            }
        }
    }
}
