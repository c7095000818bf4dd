//! `$name`, `${name}`, `$(name)`, `${name?text}`, `${name:text}`, `${name?{a}:{b}}` and `$$`.

use std::borrow::Cow;
use std::fmt;

/// Where names are looked up during an expansion.
pub trait Scope {
    /// The unexpanded value of a name; `None` when there is no such name.
    fn value(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandError(pub String);

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names may refer to names this deep.
const DEPTH: usize = 100;

/// Expands a text.
pub fn expand(text: &str, scope: &dyn Scope) -> Result<String, ExpandError> {
    let mut out = String::new();
    expand_into(&mut out, text, scope, 0)?;
    Ok(out)
}

fn expand_into(out: &mut String, text: &str, scope: &dyn Scope, depth: usize) -> Result<(), ExpandError> {
    if depth > DEPTH {
        return Err(ExpandError(format!("unreasonable macro call nesting: \"{text}\"")));
    }
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let reference = match rest.chars().next() {
            Some('$') => {
                out.push('$');
                rest = &rest[1..];
                continue;
            }
            Some(open @ ('{' | '(')) => {
                let close = closing(rest, open)
                    .ok_or_else(|| ExpandError(format!("truncated macro reference: \"{text}\"")))?;
                let reference = &rest[1..close];
                rest = &rest[close + 1..];
                reference
            }
            _ => {
                let end = rest.find(|l: char| !l.is_ascii_alphanumeric() && l != '_').unwrap_or(rest.len());
                let reference = &rest[..end];
                rest = &rest[end..];
                reference
            }
        };
        refer(out, reference, scope, depth)?;
    }
    out.push_str(rest);
    Ok(())
}

fn refer(out: &mut String, reference: &str, scope: &dyn Scope, depth: usize) -> Result<(), ExpandError> {
    let end = reference.find(|l: char| !l.is_ascii_alphanumeric() && l != '_').unwrap_or(reference.len());
    let (name, rest) = reference.split_at(end);
    let value = scope.value(name);
    let set = value.as_ref().is_some_and(|value| !value.is_empty());
    let branches = |text: &str| -> (String, String) {
        let text = text.trim_ascii();
        let Some(close) = text.starts_with('{').then(|| closing(text, '{')).flatten() else {
            return (text.to_owned(), String::new());
        };
        let other = text[close + 1..].trim_ascii().strip_prefix(':').map_or("", str::trim_ascii);
        let other = other.strip_prefix('{').and_then(|other| other.strip_suffix('}')).unwrap_or(other);
        (text[1..close].to_owned(), other.to_owned())
    };
    match rest.trim_ascii_start().split_at_checked(1) {
        None => expand_into(out, value.as_deref().unwrap_or(""), scope, depth + 1),
        Some(("?", rest)) => {
            let (yes, no) = branches(rest);
            expand_into(out, if set { &yes } else { &no }, scope, depth + 1)
        }
        Some((":", rest)) => {
            let (no, _) = branches(rest);
            expand_into(out, if set { "" } else { &no }, scope, depth + 1)
        }
        Some(_) => Err(ExpandError(format!("bad macro reference: \"{reference}\""))),
    }
}

/// Position of the bracket that closes the one `text` starts with.
fn closing(text: &str, open: char) -> Option<usize> {
    let close = if open == '{' { '}' } else { ')' };
    let mut depth = 0usize;
    for (position, letter) in text.char_indices() {
        if letter == open {
            depth += 1;
        } else if letter == close {
            depth -= 1;
            if depth == 0 {
                return Some(position);
            }
        }
    }
    None
}
