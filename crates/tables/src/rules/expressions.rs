//! What `regexp:` and `pcre:` share: patterns between delimiters, rules, prefilter, substitution.

use std::ops::Range;
use std::sync::Arc;

use mail::Trouble;

use super::prefilter::{Bits, Prefilter};
use super::{Builder, Replacement, Step, Text, first_word, keyword, negations};
use crate::files::Watched;
use crate::lines::{is_space, trim_start};
use crate::types::Opening;
use crate::{Answer, Hit, Lookup, Shape, Table};

/// Longest subject: above `header_size_limit` and `line_length_limit`, and short enough that no pattern takes
/// memory or time without measure.
const SUBJECT_MAX: usize = 1 << 20;

/// A kind of pattern.
pub trait Engine: Send + Sync + Sized + 'static {
    /// The subject in the form the engine wants it, made once for all patterns.
    type Subject<'s>;

    /// Compiles a pattern with its flag letters. The error is what is wrong with the line.
    fn compile(text: &[u8], flags: &[u8], warn: &mut dyn FnMut(&str)) -> Result<Self, String>;

    /// Texts of which one is in every subject the pattern matches.
    fn required(&self) -> Option<Vec<Vec<u8>>>;

    /// Groups in the pattern.
    fn groups(&self) -> usize;

    /// Prepares a subject.
    fn subject(text: &[u8]) -> Self::Subject<'_>;

    /// Where the pattern matches: the whole and its groups up to `want`.
    fn find(
        &self,
        subject: &Self::Subject<'_>,
        want: usize,
    ) -> Result<Option<Vec<Option<Range<usize>>>>, String>;
}

/// One or two patterns (`/one/!/two/`), each with its number for the prefilter.
struct Test<E> {
    first: Side<E>,
    second: Option<Side<E>>,
}

struct Side<E> {
    pattern: E,
    negated: bool,
    number: usize,
}

/// An open table.
pub struct Expressions<E> {
    steps: Vec<Step<Test<E>, Replacement>>,
    prefilter: Prefilter,
    kind: String,
    name: String,
    program: &'static str,
    watched: Vec<Watched>,
}

/// Opens a table of patterns.
pub fn open<E: Engine>(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let text = Text::read(opening)?;
    let mut numbers = 0..;
    let substitute = opening.keys.substitute;
    let steps = Builder::new(opening)
        .read(&text, |builder, line, number| parse::<E>(builder, line, number, substitute, &mut numbers));
    let mut required = Vec::new();
    for step in &steps {
        let (Step::Rule { test, .. } | Step::If { test, .. }) = step;
        for side in [Some(&test.first), test.second.as_ref()].into_iter().flatten() {
            required.resize(required.len().max(side.number + 1), None);
            required[side.number] = side.pattern.required();
        }
    }
    Ok(Arc::new(Expressions::<E> {
        steps,
        prefilter: Prefilter::new(&required),
        kind: opening.spec.kind.clone(),
        name: opening.spec.name.clone(),
        program: opening.tables.settings().program,
        watched: text.watched,
    }))
}

type Rules<'a, E> = Builder<'a, Test<E>, Replacement>;

fn parse<E: Engine>(
    builder: &mut Rules<'_, E>,
    line: &[u8],
    number: u32,
    substitute: bool,
    numbers: &mut impl Iterator<Item = usize>,
) {
    if line.first().is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
        let Some((test, rest)) = test::<E>(builder, line, number, numbers) else { return };
        if rest.is_empty() {
            builder.warn(number, "no replacement text: using empty string");
        }
        if let Some(value) = value(builder, rest, number, &test, substitute) {
            builder.rule(test, value, number);
        }
    } else if let Some(rest) = keyword(line, "if") {
        let Some((test, rest)) = test::<E>(builder, rest, number, numbers) else { return };
        if !rest.is_empty() {
            let extra = crate::source::shown(rest);
            builder.warn(number, &format!("ignoring extra text after IF statement: \"{extra}\""));
            builder.warn(number, "do not prepend whitespace to statements between IF and ENDIF");
        }
        builder.begin(test, number);
    } else if let Some(rest) = keyword(line, "endif") {
        if !rest.is_empty() {
            builder.warn(number, "ignoring extra text after ENDIF");
        }
        if !builder.end() {
            builder.warn(number, "ignoring ENDIF without matching IF");
        }
    } else {
        builder.warn(number, "ignoring unrecognized request");
    }
}

/// The value of a rule, unless it refers to what the pattern cannot give.
fn value<E: Engine>(
    builder: &Rules<'_, E>,
    text: &[u8],
    number: u32,
    test: &Test<E>,
    substitute: bool,
) -> Option<Replacement> {
    let refused = match Replacement::parse(text) {
        Err(why) => {
            builder.warn(number, &why);
            "bad replacement syntax: skipping this rule".to_owned()
        }
        Ok(value) if value.highest() == 0 => return Some(value),
        Ok(_) if !substitute => {
            "regular expression substitution is not allowed: skipping this rule".to_owned()
        }
        Ok(_) if test.first.negated => {
            "$number found in negative match replacement text: skipping this rule".to_owned()
        }
        Ok(value) if value.highest() > test.first.pattern.groups() => {
            format!("out of range replacement index \"{}\": skipping this rule", value.highest())
        }
        Ok(value) => return Some(value),
    };
    builder.warn(number, &refused);
    None
}

fn test<'t, E: Engine>(
    builder: &Rules<'_, E>,
    text: &'t [u8],
    number: u32,
    numbers: &mut impl Iterator<Item = usize>,
) -> Option<(Test<E>, &'t [u8])> {
    let (first, rest) = side::<E>(builder, text, number, numbers)?;
    // A second pattern follows at once, and is always negated.
    let (second, rest) = match rest.starts_with(b"!") && builder.kind == "regexp" {
        true => {
            let (second, rest) = side::<E>(builder, rest, number, numbers)?;
            (Some(second), rest)
        }
        false => (None, rest),
    };
    Some((Test { first, second }, trim_start(rest)))
}

/// `!`, delimiter, pattern, delimiter, flags.
fn side<'t, E: Engine>(
    builder: &Rules<'_, E>,
    text: &'t [u8],
    number: u32,
    numbers: &mut impl Iterator<Item = usize>,
) -> Option<(Side<E>, &'t [u8])> {
    let (negated, text) = negations(text);
    let Some((delimiter, body)) = text.split_first() else {
        builder.warn(number, "no regexp: skipping this rule");
        return None;
    };
    let Some(end) = closing(body, *delimiter) else {
        let shown = crate::source::shown(&[*delimiter]);
        builder.warn(number, &format!("no closing regexp delimiter \"{shown}\": ignoring this rule"));
        return None;
    };
    let (pattern, rest) = (&body[..end], &body[end + 1..]);
    let (word, _) = first_word(rest);
    let end = word.iter().position(|byte| *byte == b'!').unwrap_or(word.len());
    let (flags, rest) = rest.split_at(end);
    match E::compile(pattern, flags, &mut |what| builder.warn(number, what)) {
        Ok(pattern) => {
            let number = numbers.next().expect("there are numbers without end");
            Some((Side { pattern, negated, number }, rest))
        }
        Err(why) => {
            builder.warn(number, &why);
            None
        }
    }
}

/// Where the delimiter comes again, unless it is escaped.
fn closing(body: &[u8], delimiter: u8) -> Option<usize> {
    let mut at = 0;
    while at < body.len() {
        match body[at] {
            b'\\' => at += 1,
            byte if byte == delimiter => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The `unknown option` line of both kinds.
pub fn unknown_option(flag: u8) -> String {
    let shown = if is_space(flag) { ' ' } else { flag as char };
    format!("unknown regexp option \"{shown}\": skipping this rule")
}

impl<E: Engine> Expressions<E> {
    fn find(&self, key: &[u8]) -> Answer {
        if key.len() > SUBJECT_MAX {
            return Err(Trouble::new(format!(
                "{}:{}: key of {} bytes is too long",
                self.kind,
                self.name,
                key.len()
            )));
        }
        let candidates = self.prefilter.candidates(key);
        let subject = E::subject(key);
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            at += 1;
            match step {
                Step::If { test, end } => {
                    if self.holds(test, 0, &subject, &candidates, None).is_none() {
                        at = *end;
                    }
                }
                Step::Rule { test, value, line } => {
                    let found = self.holds(test, value.highest(), &subject, &candidates, Some(*line));
                    if let Some(groups) = found {
                        return Ok(Some(Hit { value: value.expand(key, &groups), line: Some(*line) }));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The places of the groups when the test holds; none for a negated test.
    fn holds(
        &self,
        test: &Test<E>,
        want: usize,
        subject: &E::Subject<'_>,
        candidates: &Bits,
        line: Option<u32>,
    ) -> Option<Vec<Option<Range<usize>>>> {
        let groups = self.side(&test.first, want, subject, candidates, line)?;
        if let Some(second) = &test.second {
            self.side(second, 0, subject, candidates, line)?;
        }
        Some(groups)
    }

    fn side(
        &self,
        side: &Side<E>,
        want: usize,
        subject: &E::Subject<'_>,
        candidates: &Bits,
        line: Option<u32>,
    ) -> Option<Vec<Option<Range<usize>>>> {
        let found = match candidates.has(side.number) {
            false => None,
            true => side.pattern.find(subject, want).unwrap_or_else(|why| {
                // As in Postfix a pattern that goes beyond its limits has not matched.
                let place = line.map_or(String::new(), |line| format!(", line {line}"));
                log::warn!(target: self.program, "{} map {}{place}: {why}", self.kind, self.name);
                None
            }),
        };
        match (found, side.negated) {
            (Some(groups), false) => Some(groups),
            (None, true) => Some(Vec::new()),
            _ => None,
        }
    }
}

impl<E: Engine> Table for Expressions<E> {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        Lookup::Ready(self.find(key))
    }

    fn shape(&self) -> Shape {
        Shape::PATTERN
    }

    fn folds(&self) -> bool {
        false
    }

    fn source(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }
}
