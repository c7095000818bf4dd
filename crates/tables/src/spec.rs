//! The text `type:name, type:{ … }, …` of a parameter value, divided into table specifications.

use std::fmt;

/// One table as written: `hash:/etc/postfix/virtual`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    /// `hash`
    pub kind: String,
    /// `/etc/postfix/virtual`
    pub name: String,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// A table or list that cannot be used as written. The caller knows the file and line of the parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The parameter, or the command line.
    pub parameter: String,
    /// The table as written.
    pub table: String,
    /// What is wrong, as a sentence: `open database x.db: No such file or directory`.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parameter.is_empty() {
            return f.write_str(&self.why);
        }
        write!(f, "{}: {}: {}", self.parameter, self.table, self.why)
    }
}

impl std::error::Error for Fault {}

impl Spec {
    /// Divides `type:name`; `None` when either is missing.
    pub fn parse(text: &str) -> Option<Spec> {
        let (kind, name) = text.split_once(':')?;
        (!kind.is_empty() && !name.is_empty()).then(|| Spec { kind: kind.to_owned(), name: name.to_owned() })
    }
}

/// Divides a value at commas and white space, keeping `{ … }` together.
///
/// An unbalanced `{` keeps the rest of the text in one piece; the type it belongs to complains.
pub fn divide(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = None;
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        let separator = depth == 0 && matches!(byte, b',' | b' ' | b'\t' | b'\r' | b'\n');
        match (separator, start) {
            (true, Some(from)) => {
                pieces.push(&text[from..at]);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if let Some(from) = start {
        pieces.push(&text[from..]);
    }
    pieces
}

/// What stands between `{` and the `}` that closes it, without blanks at its ends.
pub fn braced(text: &str) -> Result<&str, String> {
    let Some(inner) = text.strip_prefix('{') else {
        return Err(format!("no '{{' at start of text in \"{text}\""));
    };
    let mut depth = 1usize;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return match inner[at + 1..].trim_ascii() {
                "" => Ok(inner[..at].trim_ascii()),
                _ => Err(format!("syntax error after '}}' in \"{text}\"")),
            };
        }
    }
    Err(format!("missing '}}' in \"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_a_chain() {
        for (text, pieces) in [
            ("hash:/a, regexp:/b  cidr:/c", vec!["hash:/a", "regexp:/b", "cidr:/c"]),
            ("inline:{ a=1, {b = 2 3} }, static:x", vec!["inline:{ a=1, {b = 2 3} }", "static:x"]),
            (" ,\t", vec![]),
            ("inline:{a", vec!["inline:{a"]),
            ("a}b c", vec!["a}b", "c"]),
        ] {
            assert_eq!(divide(text), pieces, "{text}");
        }
    }

    #[test]
    fn takes_what_is_in_braces() {
        assert_eq!(braced("{ a {b} c }"), Ok("a {b} c"));
        assert_eq!(braced("{}"), Ok(""));
        for text in ["{a", "a}", "{a} b", "{{a}", ""] {
            assert!(braced(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_specification_has_type_and_name() {
        assert_eq!(Spec::parse("hash:/a:b").unwrap().name, "/a:b");
        for text in ["hash", "hash:", ":x", ""] {
            assert_eq!(Spec::parse(text), None, "{text}");
        }
    }
}
