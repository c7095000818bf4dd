//! What `regexp:` and `pcre:` share: patterns between delimiters, rules, prefilter, substitution.

use std::ops::Range;
use std::sync::Arc;

use mail::Trouble;

use super::prefilter::{Bits, Prefilter};
use super::{BadReference, Builder, Replacement, Step, Text, first_word, keyword, negations};
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

    /// The meaning of the letters after a pattern.
    type Flags;

    /// Reads the letters after a pattern. The error is what is wrong with the line.
    fn flags(letters: &[u8], warn: &mut dyn FnMut(&str)) -> Result<Self::Flags, String>;

    /// Compiles a pattern. The error is what is wrong with the line.
    fn compile(text: &[u8], flags: &Self::Flags) -> Result<Self, String>;

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

/// A pattern as written, its flags read, not yet compiled.
struct Written<'t, E: Engine> {
    text: &'t [u8],
    flags: E::Flags,
    negated: bool,
}

/// One or two patterns as written.
struct Pair<'t, E: Engine> {
    first: Written<'t, E>,
    second: Option<Written<'t, E>>,
}

/// Reads a line. Its parts are judged in the order in which Postfix does, so that the warnings are the same.
fn parse<E: Engine>(
    builder: &mut Rules<'_, E>,
    line: &[u8],
    number: u32,
    substitute: bool,
    numbers: &mut impl Iterator<Item = usize>,
) {
    let done = if line.first().is_some_and(|byte| !byte.is_ascii_alphanumeric()) {
        rule::<E>(builder, line, number, substitute, numbers)
    } else if let Some(rest) = keyword(line, "if") {
        begin::<E>(builder, rest, number, numbers)
    } else if let Some(rest) = keyword(line, "endif") {
        if !rest.is_empty() {
            builder.warn(number, "ignoring extra text after ENDIF");
        }
        if builder.end() { Ok(()) } else { Err("ignoring ENDIF without matching IF".to_owned()) }
    } else {
        Err("ignoring unrecognized request".to_owned())
    };
    if let Err(why) = done {
        builder.warn(number, &why);
    }
}

fn rule<E: Engine>(
    builder: &mut Rules<'_, E>,
    line: &[u8],
    number: u32,
    substitute: bool,
    numbers: &mut impl Iterator<Item = usize>,
) -> Result<(), String> {
    let (pair, rest) = pair::<E>(builder, line, number)?;
    if rest.is_empty() {
        builder.warn(number, "no replacement text: using empty string");
    }
    let value = value(builder, rest, number)?;
    if value.highest() > 0 && !substitute {
        return Err("regular expression substitution is not allowed: skipping this rule".to_owned());
    }
    if value.highest() > 0 && pair.first.negated {
        return Err("$number found in negative match replacement text: skipping this rule".to_owned());
    }
    let test = compile(pair, numbers)?;
    if value.highest() > test.first.pattern.groups() {
        return Err(format!("out of range replacement index \"{}\": skipping this rule", value.highest()));
    }
    builder.rule(test, value, number);
    Ok(())
}

fn begin<E: Engine>(
    builder: &mut Rules<'_, E>,
    text: &[u8],
    number: u32,
    numbers: &mut impl Iterator<Item = usize>,
) -> Result<(), String> {
    let (pair, rest) = pair::<E>(builder, text, number)?;
    if !rest.is_empty() {
        let extra = crate::source::shown(rest);
        builder.warn(number, &format!("ignoring extra text after IF statement: \"{extra}\""));
        builder.warn(number, "do not prepend whitespace to statements between IF and ENDIF");
    }
    builder.begin(compile(pair, numbers)?, number);
    Ok(())
}

fn value<E: Engine>(builder: &Rules<'_, E>, text: &[u8], number: u32) -> Result<Replacement, String> {
    Replacement::parse(text).map_err(|bad| {
        match bad {
            BadReference::Index(why) => builder.warn(number, &why),
            BadReference::Syntax(why) => builder.remark(&why),
        }
        "bad replacement syntax: skipping this rule".to_owned()
    })
}

fn compile<E: Engine>(
    pair: Pair<'_, E>,
    numbers: &mut impl Iterator<Item = usize>,
) -> Result<Test<E>, String> {
    let mut side = |written: Written<'_, E>| {
        let pattern = E::compile(written.text, &written.flags)?;
        let number = numbers.next().expect("there are numbers without end");
        Ok::<_, String>(Side { pattern, negated: written.negated, number })
    };
    Ok(Test { first: side(pair.first)?, second: pair.second.map(side).transpose()? })
}

/// The patterns at the start of a line, and what follows them.
fn pair<'t, E: Engine>(
    builder: &Rules<'_, E>,
    text: &'t [u8],
    number: u32,
) -> Result<(Pair<'t, E>, &'t [u8]), String> {
    let (first, rest) = written::<E>(builder, text, number)?;
    // A second pattern follows at once; only regexp: has it.
    let (second, rest) = match rest.starts_with(b"!") {
        true => {
            let (second, rest) = written::<E>(builder, rest, number)?;
            (Some(second), rest)
        }
        false => (None, rest),
    };
    Ok((Pair { first, second }, trim_start(rest)))
}

/// `!`, delimiter, pattern, delimiter, flags.
fn written<'t, E: Engine>(
    builder: &Rules<'_, E>,
    text: &'t [u8],
    number: u32,
) -> Result<(Written<'t, E>, &'t [u8]), String> {
    let (negated, text) = negations(text);
    let (delimiter, body) = text.split_first().ok_or("no regexp: skipping this rule")?;
    let end = closing(body, *delimiter).ok_or_else(|| {
        let shown = crate::source::shown(&[*delimiter]);
        let what = if builder.kind == "regexp" { "skipping" } else { "ignoring" };
        format!("no closing regexp delimiter \"{shown}\": {what} this rule")
    })?;
    let (text, rest) = (&body[..end], &body[end + 1..]);
    let (word, _) = first_word(rest);
    let second = if builder.kind == "regexp" { word.iter().position(|byte| *byte == b'!') } else { None };
    let (letters, rest) = rest.split_at(second.unwrap_or(word.len()));
    let flags = E::flags(letters, &mut |what| builder.warn(number, what))?;
    Ok((Written { text, flags, negated }, rest))
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
