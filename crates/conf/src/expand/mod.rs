//! `$name`, `${name}`, `$(name)`, `${name?text}`, `${name:text}`, `${name?{a}:{b}}`,
//! `${{a} == {b} ? {c} : {d}}` and `$$`.
//!
//! An expansion ends whatever is written: names refer to names 100 deep, as in Postfix, and one expansion makes
//! no more than [`REFERENCES`] look-ups and [`LENGTH`] bytes, for names that double each other.

mod grammar;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use crate::level::Level;
use grammar::{Choice, Piece, Pieces, Reference, Test};

/// Where names are looked up during an expansion.
pub trait Scope {
    /// The unexpanded value of a name; `None` when there is no such name.
    fn value(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandError {
    /// What is wrong.
    pub text: String,
    /// Whether the grammar is broken, so that it can be seen without looking names up.
    pub syntax: bool,
}

impl ExpandError {
    fn syntax(text: String) -> Self {
        Self { text, syntax: true }
    }

    fn value(text: String) -> Self {
        Self { text, syntax: false }
    }
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Names may refer to names this deep.
const DEPTH: usize = 100;
/// Most references in one expansion.
const REFERENCES: usize = 100_000;
/// Longest result of an expansion, in bytes.
const LENGTH: usize = 16 << 20;

/// Expands a text.
///
/// # Errors
/// A reference that is not closed or not understood; names that refer to each other in a circle.
pub fn expand(text: &str, scope: &dyn Scope) -> Result<String, ExpandError> {
    let mut expansion = Expansion { scope, references: 0 };
    let mut out = String::with_capacity(text.len());
    expansion.text(&mut out, text, 0)?;
    Ok(out)
}

/// Calls `found` with every name a text refers to, in order, in all branches.
///
/// # Errors
/// A reference that is not closed or not understood; the names before it have been found.
pub fn names(text: &str, found: &mut dyn FnMut(&str)) -> Result<(), ExpandError> {
    names_within(text, found, 0)
}

fn names_within(text: &str, found: &mut dyn FnMut(&str), depth: usize) -> Result<(), ExpandError> {
    for piece in Pieces::of(text) {
        let Piece::Reference(inside) = piece? else { continue };
        if depth > DEPTH {
            return Err(too_deep(inside));
        }
        let reference = Reference::parse(inside)?;
        match reference.test {
            Test::Name(name) => found(name),
            Test::Comparison { left, right, .. } => {
                names_within(left, found, depth + 1)?;
                names_within(right, found, depth + 1)?;
            }
        }
        match reference.choice()? {
            Choice::Value => {}
            Choice::If(yes, no) => {
                names_within(yes, found, depth + 1)?;
                names_within(no.unwrap_or(""), found, depth + 1)?;
            }
            Choice::Unless(no) => names_within(no, found, depth + 1)?,
        }
    }
    Ok(())
}

struct Expansion<'s> {
    scope: &'s dyn Scope,
    references: usize,
}

impl Expansion<'_> {
    fn text(&mut self, out: &mut String, text: &str, depth: usize) -> Result<(), ExpandError> {
        for piece in Pieces::of(text) {
            match piece? {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Reference(inside) => self.reference(out, inside, depth)?,
            }
            if out.len() > LENGTH {
                return Err(ExpandError::value(format!("the expansion is longer than {LENGTH} bytes")));
            }
        }
        Ok(())
    }

    fn reference(&mut self, out: &mut String, inside: &str, depth: usize) -> Result<(), ExpandError> {
        self.references += 1;
        if depth > DEPTH || self.references > REFERENCES {
            return Err(too_deep(inside));
        }
        let reference = Reference::parse(inside)?;
        let (value, holds) = match reference.test {
            Test::Name(name) => {
                let scope = self.scope;
                let value = scope.value(name).unwrap_or_default();
                let holds = !value.is_empty();
                (value, holds)
            }
            Test::Comparison { left, operator, level, right } => {
                let (mut a, mut b) = (String::new(), String::new());
                self.text(&mut a, left, depth + 1)?;
                self.text(&mut b, right, depth + 1)?;
                let holds = operator.holds(if level { by_level(&a, &b)? } else { by_value(&a, &b)? });
                (Cow::Borrowed(if holds { "true" } else { "" }), holds)
            }
        };
        let chosen = match reference.choice()? {
            Choice::Value => &*value,
            Choice::If(yes, _) if holds => yes,
            Choice::If(_, no) => no.unwrap_or(""),
            Choice::Unless(_) if holds => "",
            Choice::Unless(no) => no,
        };
        self.text(out, chosen, depth + 1)
    }
}

fn too_deep(inside: &str) -> ExpandError {
    ExpandError::value(format!("unreasonable macro call nesting: \"{inside}\""))
}

/// Two numbers compare as numbers, everything else as text.
fn by_value(a: &str, b: &str) -> Result<std::cmp::Ordering, ExpandError> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_digit());
    if !digits(a) || !digits(b) {
        return Ok(a.cmp(b));
    }
    let number = |text: &str| -> Result<i64, ExpandError> {
        text.parse().map_err(|_| ExpandError::value(format!("number too large for a comparison: {text}")))
    };
    Ok(number(a)?.cmp(&number(b)?))
}

fn by_level(a: &str, b: &str) -> Result<std::cmp::Ordering, ExpandError> {
    let level = |text: &str| -> Result<Level, ExpandError> { text.parse().map_err(ExpandError::value) };
    Ok(level(a)?.cmp(&level(b)?))
}
