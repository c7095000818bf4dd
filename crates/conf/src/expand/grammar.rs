//! The grammar of `$name` references, without any look-up.

use super::ExpandError;

/// A piece of a text.
pub(super) enum Piece<'t> {
    /// Text that stands for itself.
    Literal(&'t str),
    /// The inside of `$name`, `${…}` or `$(…)`.
    Reference(&'t str),
}

/// Cuts a text into pieces. `$$` is a literal dollar.
pub(super) struct Pieces<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> Pieces<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, rest: text }
    }

    /// The reference after a dollar.
    fn reference(&mut self) -> Result<Piece<'t>, ExpandError> {
        let text = self.text;
        let reference = if self.rest.starts_with(['{', '(']) {
            let close = closing(self.rest)
                .ok_or_else(|| ExpandError::syntax(format!("truncated macro reference: \"{text}\"")))?;
            let inside = &self.rest[1..close];
            self.rest = &self.rest[close + 1..];
            inside
        } else {
            let (name, rest) = split_name(self.rest);
            self.rest = rest;
            name
        };
        if reference.is_empty() {
            return Err(ExpandError::syntax(format!("empty macro name: \"{text}\"")));
        }
        Ok(Piece::Reference(reference))
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Result<Piece<'t>, ExpandError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(after) = self.rest.strip_prefix('$') else {
            let end = self.rest.find('$').unwrap_or(self.rest.len());
            let (literal, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Ok(Piece::Literal(literal)));
        };
        if let Some(rest) = after.strip_prefix('$') {
            let dollar = &self.rest[..1];
            self.rest = rest;
            return Some(Ok(Piece::Literal(dollar)));
        }
        self.rest = after;
        Some(self.reference())
    }
}

/// What decides a reference, and the text that says what follows from it.
pub(super) struct Reference<'t> {
    pub(super) test: Test<'t>,
    rest: &'t str,
}

/// What a reference looks at.
pub(super) enum Test<'t> {
    /// Whether a name has a value that is not empty.
    Name(&'t str),
    /// How two texts compare after expansion.
    Comparison { left: &'t str, operator: Operator, level: bool, right: &'t str },
}

/// `?` and `:` of a reference.
pub(super) enum Choice<'t> {
    /// Neither: the value itself.
    Value,
    /// `?yes` or `?{yes}:{no}`.
    If(&'t str, Option<&'t str>),
    /// `:no`.
    Unless(&'t str),
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    pub(super) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }

    fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">=" => Self::GreaterOrEqual,
            ">" => Self::Greater,
            _ => return None,
        })
    }
}

impl<'t> Reference<'t> {
    /// Reads the inside of a reference up to what decides it.
    pub(super) fn parse(inside: &'t str) -> Result<Self, ExpandError> {
        let inside = skip(inside);
        if inside.starts_with('{') {
            let (test, rest) = comparison(inside)?;
            let rest = skip(rest);
            return match rest.chars().next() {
                None | Some('?' | ':') => Ok(Self { test, rest }),
                Some(_) => Err(wrong("\"?\" or \":\" expected at", "}", rest)),
            };
        }
        let (name, rest) = split_name(inside);
        let operator = skip(rest);
        match operator.chars().next() {
            None | Some('?' | ':') => Ok(Self { test: Test::Name(name), rest: operator }),
            Some(_) => Err(wrong("attribute name syntax error at", name, rest)),
        }
    }

    /// Reads what follows.
    pub(super) fn choice(&self) -> Result<Choice<'t>, ExpandError> {
        Choice::parse(self.rest)
    }
}

impl<'t> Choice<'t> {
    /// Reads `?…` or `:…`, or nothing.
    fn parse(text: &'t str) -> Result<Self, ExpandError> {
        if let Some(rest) = text.strip_prefix('?') {
            let rest = skip(rest);
            if !rest.starts_with('{') {
                return Ok(Self::If(rest, None));
            }
            let (yes, rest) = group(rest)?;
            let rest = skip(rest);
            return match rest.strip_prefix(':') {
                Some(rest) => Ok(Self::If(yes, Some(last(rest)?))),
                None if rest.is_empty() => Ok(Self::If(yes, None)),
                None => Err(wrong("\":\" expected at", &format!("{yes}}}"), rest)),
            };
        }
        match text.strip_prefix(':') {
            Some(rest) => Ok(Self::Unless(last(rest)?)),
            None => Ok(Self::Value),
        }
    }
}

/// `{left} operator {right}`.
fn comparison(text: &str) -> Result<(Test<'_>, &str), ExpandError> {
    let (left, rest) = group(text)?;
    let rest = skip(rest);
    let end = rest.find(|letter| !"<>=!?+-*/~&|%".contains(letter)).unwrap_or(rest.len());
    let (sign, after) = rest.split_at(end);
    let Some(operator) = Operator::of(sign) else {
        let expected = "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected at";
        return Err(wrong(expected, &format!("{left}}}"), rest));
    };
    let (suffix, after) = split_name(after);
    let level = match suffix {
        "" => false,
        "level" => true,
        _ => return Err(wrong("bad operator suffix at", sign, &rest[end..])),
    };
    let right = skip(after);
    if !right.starts_with('{') {
        return Err(wrong("\"{expression}\" expected at", &format!("{{{left}}} {sign}{suffix}"), after));
    }
    let (right, rest) = group(right)?;
    Ok((Test::Comparison { left, operator, level, right }, rest))
}

/// The last branch: in braces, or everything up to the end.
fn last(text: &str) -> Result<&str, ExpandError> {
    let text = skip(text);
    if !text.starts_with('{') {
        return Ok(text);
    }
    let (inside, rest) = group(text)?;
    let rest = skip(rest);
    if rest.is_empty() { Ok(inside) } else { Err(wrong("unexpected input at", &format!("{inside}}}"), rest)) }
}

/// The inside of the braces a text starts with, and what follows.
fn group(text: &str) -> Result<(&str, &str), ExpandError> {
    let close = closing(text).ok_or_else(|| ExpandError::syntax(format!("missing '}}' in \"{text}\"")))?;
    Ok((&text[1..close], &text[close + 1..]))
}

/// Where the bracket that a text starts with is closed. Only brackets of its own kind count.
fn closing(text: &str) -> Option<usize> {
    let (open, close) = if text.starts_with('{') { (b'{', b'}') } else { (b'(', b')') };
    let mut depth = 0usize;
    text.bytes().position(|letter| {
        if letter == open {
            depth += 1;
        } else if letter == close {
            depth -= 1;
            return depth == 0;
        }
        false
    })
}

/// A name at the start of a text, perhaps empty, and what follows.
fn split_name(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len()),
    )
}

fn skip(text: &str) -> &str {
    text.trim_ascii_start()
}

/// What is wrong, between what was understood and what comes next.
fn wrong(what: &str, before: &str, after: &str) -> ExpandError {
    let after: String = after.chars().take(20).collect();
    ExpandError::syntax(format!("{what}: \"...{before}>>>{after}\""))
}
