//! Rules that people write and read: one a line.
//!
//! ```text
//! # points  name    where     pattern                       what is said of it
//! 2.5       PRIZE   subject   /you (have )?won|jackpot/i    The subject promises a prize
//! ```

use std::path::Path;

use conf::{Mistake, Severity};
use regex::{Regex, RegexBuilder};

use super::{Finding, Sample};

/// Rules that every site has unless it says otherwise.
const BUILT_IN: &str = include_str!("built_in.rules");

/// Bytes that one pattern may take when it is compiled. Patterns run in time linear in the text.
const PATTERN: usize = 1 << 20;

/// Most rules of a file.
const RULES: usize = 2000;

/// Where a pattern is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Subject,
    From,
    To,
    Body,
    Link,
    /// The value of any field of this name, in lower case.
    Field(String),
}

#[derive(Debug)]
struct Rule {
    points: f64,
    name: String,
    place: Place,
    pattern: Regex,
    text: String,
}

/// The rules of one configuration.
#[derive(Debug, Default)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// The built-in rules.
    pub fn built_in() -> Rules {
        let mut rules = Rules::default();
        let mut mistakes = Vec::new();
        rules.read(BUILT_IN, Path::new("built-in"), &mut mistakes);
        debug_assert!(mistakes.is_empty(), "{mistakes:?}");
        rules
    }

    /// Adds the rules of a text; a rule with the name of an older one replaces it. What is wrong is told, and the line
    /// does not count.
    pub fn read(&mut self, text: &str, file: &Path, mistakes: &mut Vec<Mistake>) {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parsed = match self.0.len() < RULES {
                true => rule(line),
                false => Err(format!("more than {RULES} rules; this one is left out")),
            };
            match parsed {
                Ok(rule) => {
                    self.0.retain(|older| older.name != rule.name);
                    self.0.push(rule);
                }
                Err(wrong) => {
                    mistakes.push(Mistake::new(Severity::Error, Some((file, number + 1)), wrong));
                }
            }
        }
    }

    /// What the rules find.
    pub fn findings(&self, sample: &Sample) -> Vec<Finding> {
        let fits = |rule: &&Rule| rule.points != 0.0 && rule.fits(sample);
        self.0.iter().filter(fits).map(|rule| Finding::new(&rule.name, rule.points, &rule.text)).collect()
    }
}

impl Rule {
    fn fits(&self, sample: &Sample) -> bool {
        match &self.place {
            Place::Subject => self.pattern.is_match(&sample.subject),
            Place::From => self.pattern.is_match(&sample.from),
            Place::To => self.pattern.is_match(&sample.to),
            Place::Body => self.pattern.is_match(&sample.body),
            Place::Link => sample.links.iter().any(|host| self.pattern.is_match(host)),
            Place::Field(name) => sample.header.lines().any(|line| {
                let field = line.split_once(": ");
                field.is_some_and(|(own, value)| {
                    own.eq_ignore_ascii_case(name) && self.pattern.is_match(value)
                })
            }),
        }
    }
}

fn rule(line: &str) -> Result<Rule, String> {
    let form = "expected: points NAME subject|from|to|body|link|header:Name /pattern/[i] what is said of it";
    let mut rest = line;
    let mut word = || -> Option<&str> {
        let (word, after) = rest.split_once(char::is_whitespace)?;
        rest = after.trim_start();
        Some(word)
    };
    let (Some(points), Some(name), Some(place)) = (word(), word(), word()) else {
        return Err(form.to_owned());
    };
    let number: f64 = points.parse().map_err(|_| format!("\"{points}\" is no number; {form}"))?;
    if !(-100.0..=100.0).contains(&number) {
        return Err(format!("{points} points are more than a rule can have (100)"));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("\"{name}\" is no name of a rule: letters, digits and _ only"));
    }
    let place = match place {
        "subject" => Place::Subject,
        "from" => Place::From,
        "to" => Place::To,
        "body" => Place::Body,
        "link" => Place::Link,
        other => match other.strip_prefix("header:") {
            Some(field) if !field.is_empty() => Place::Field(field.to_ascii_lowercase()),
            _ => return Err(format!("\"{other}\" is no place in a message; {form}")),
        },
    };
    let body =
        rest.strip_prefix('/').ok_or_else(|| format!("the pattern must stand between slashes; {form}"))?;
    let end = end_of(body).ok_or("the pattern has no closing slash")?;
    let (source, after) = (&body[..end], &body[end + 1..]);
    let (flags, text) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
    if !matches!(flags, "" | "i") {
        return Err(format!("\"{flags}\" behind the pattern: only i (any case) is known"));
    }
    let pattern = RegexBuilder::new(&source.replace("\\/", "/"))
        .case_insensitive(flags == "i")
        .size_limit(PATTERN)
        .build()
        .map_err(|error| format!("the pattern /{source}/: {}", error.to_string().replace('\n', " ")))?;
    let text = if text.trim().is_empty() { name } else { text.trim() };
    Ok(Rule { points: number, name: name.to_owned(), place, pattern, text: text.to_owned() })
}

/// Where the pattern ends: at a slash without a backslash.
fn end_of(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.bytes().position(|byte| {
        let ends = byte == b'/' && !quoted;
        quoted = byte == b'\\' && !quoted;
        ends
    })
}
