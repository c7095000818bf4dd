//! Tables of rules: `regexp:`, `pcre:`, `cidr:`. Lines in a file or in the table's name, `if … endif`, `!`.

pub mod expressions;
pub mod pcre2;
pub mod posix;
pub mod prefilter;
mod replacement;

use crate::files::Watched;
use crate::lines::{is_space, logical_lines, trim_end, trim_start};
use crate::source::{reason, shown};
use crate::spec::{braced, divide};
use crate::types::Opening;

pub use replacement::{BadReference, Replacement};

/// A rule, or the start of a block of rules.
pub enum Step<T, V> {
    /// When the test holds, the value.
    Rule { test: T, value: V, line: u32 },
    /// When the test does not hold, go on at step `end`.
    If { test: T, end: usize },
}

/// Reads the rules of a table; complains about lines as Postfix does.
pub struct Builder<'a, T, V> {
    /// `regexp`, for messages.
    pub kind: &'a str,
    name: &'a str,
    program: &'static str,
    steps: Vec<Step<T, V>>,
    /// Open blocks: index of the step, line.
    open: Vec<(usize, u32)>,
}

/// The text of a table: its file, or the rules within its name.
pub struct Text {
    bytes: Vec<u8>,
    /// The file, where there is one.
    pub watched: Vec<Watched>,
}

impl Text {
    /// Reads the file, or takes the rules in `{ { rule }, { rule } }`.
    pub fn read(opening: &Opening<'_>) -> Result<Text, String> {
        let name = opening.spec.name.as_str();
        if !name.starts_with('{') {
            let watched = vec![Watched::now(name)];
            let bytes =
                conf::secrets::read(name).map_err(|error| format!("open {name}: {}", reason(&error)))?;
            return Ok(Text { bytes, watched });
        }
        let kind = &opening.spec.kind;
        let mut bytes = Vec::new();
        for piece in divide(braced(name).map_err(|why| format!("{kind} map: {why}"))?) {
            let rule = braced(piece).map_err(|why| format!("{kind} map: {why}"))?;
            bytes.extend_from_slice(rule.as_bytes());
            bytes.push(b'\n');
        }
        Ok(Text { bytes, watched: Vec::new() })
    }
}

impl<'a, T, V> Builder<'a, T, V> {
    /// Starts a table.
    pub fn new(opening: &Opening<'a>) -> Builder<'a, T, V> {
        Builder {
            kind: &opening.spec.kind,
            name: &opening.spec.name,
            program: opening.tables.settings().program,
            steps: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Complains about a line.
    pub fn warn(&self, line: u32, what: &str) {
        log::warn!(target: self.program, "{} map {}, line {line}: {what}", self.kind, self.name);
    }

    /// Logs what a complaint about a line will follow.
    pub fn remark(&self, what: &str) {
        log::warn!(target: self.program, "{what}");
    }

    /// Gives every logical line to `parse`, and closes blocks at the end.
    pub fn read(mut self, text: &Text, mut parse: impl FnMut(&mut Self, &[u8], u32)) -> Vec<Step<T, V>> {
        let mut orphans = Vec::new();
        for line in logical_lines(&text.bytes, |text| orphans.push(shown(text))) {
            parse(&mut self, trim_end(&line.text), line.number);
        }
        for text in orphans {
            log::warn!(target: self.program, "{}: logical line must not start with whitespace: \"{text}\"", self.name);
        }
        while let Some((at, line)) = self.open.pop() {
            self.warn(line, "IF has no matching ENDIF");
            self.close(at);
        }
        self.steps
    }

    /// Adds a rule.
    pub fn rule(&mut self, test: T, value: V, line: u32) {
        self.steps.push(Step::Rule { test, value, line });
    }

    /// Opens a block.
    pub fn begin(&mut self, test: T, line: u32) {
        self.open.push((self.steps.len(), line));
        self.steps.push(Step::If { test, end: usize::MAX });
    }

    /// Closes a block; tells whether one was open.
    pub fn end(&mut self) -> bool {
        match self.open.pop() {
            Some((at, _)) => {
                self.close(at);
                true
            }
            None => false,
        }
    }

    fn close(&mut self, at: usize) {
        let after = self.steps.len();
        if let Step::If { end, .. } = &mut self.steps[at] {
            *end = after;
        }
    }
}

/// What follows the word at the start of a line, when the line starts with it.
pub fn keyword<'t>(line: &'t [u8], word: &str) -> Option<&'t [u8]> {
    let (start, rest) = line.split_at_checked(word.len())?;
    let whole = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
    (whole && start.eq_ignore_ascii_case(word.as_bytes())).then(|| trim_start(rest))
}

/// Takes leading `!`, each of which turns the meaning around.
pub fn negations(mut text: &[u8]) -> (bool, &[u8]) {
    let mut negated = false;
    while let Some(rest) = text.strip_prefix(b"!") {
        negated = !negated;
        text = trim_start(rest);
    }
    (negated, text)
}

/// Text up to the first white space, and what follows it.
pub fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| is_space(*b)).unwrap_or(text.len());
    (&text[..end], trim_start(&text[end..]))
}
