//! From the text of a parameter to the typed value of its field.

use std::path::PathBuf;
use std::time::Duration;

use crate::words::{COMMA_SPACE, words};
use crate::{Declaration, Kind, Mistake, Severity, TimeUnit, View, parse_time};

/// A type a parameter's field can have.
pub trait Value: Sized {
    /// Reads an expanded text; the error says what is wrong with it.
    fn parse(name: &str, text: &str, kind: Kind, unit: TimeUnit) -> Result<Self, String>;

    /// Reads the parameter from a view. A value that does not parse becomes a mistake, and the default is taken.
    fn read(
        view: &View,
        name: &'static str,
        kind: Kind,
        default: &'static str,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let (name, default) = view.named(name, default);
        let unit = bare_unit(view, kind, default);
        let text = view.unexpanded(name).unwrap_or_default();
        let read = |text: &str| {
            let text = if kind == Kind::Raw {
                text.to_owned()
            } else {
                view.try_expand(text).map_err(|error| format!("{name} = {text}: {error}"))?
            };
            Self::parse(name, &text, kind, unit)
        };
        let text = if view.registry().get(name).is_none() && !view.is_set(name) { default } else { &text };
        read(text).unwrap_or_else(|wrong| {
            let place = view.place(name);
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            mistakes.push(Mistake::new(Severity::Error, place, wrong));
            read(default).unwrap_or_else(|_| Self::last_resort(kind))
        })
    }

    /// What is taken when the default cannot be read either, because it refers to a broken parameter.
    fn last_resort(kind: Kind) -> Self;
}

/// The unit of a number without one.
fn bare_unit(view: &View, kind: Kind, default: &str) -> TimeUnit {
    match kind {
        Kind::Time { .. } => TimeUnit::of_default(&view.expand(default)),
        _ => TimeUnit::of_default(""),
    }
}

impl Declaration {
    /// Checks an expanded text as a value of this parameter, with or without a field; the error says what is wrong.
    pub fn check(&self, view: &View, text: &str) -> Result<(), String> {
        let (name, kind, unit) = (self.name, self.kind, bare_unit(view, self.kind, self.default));
        match kind {
            Kind::Bytes => u64::parse(name, text, kind, unit).map(drop),
            Kind::Int { .. } => i64::parse(name, text, kind, unit).map(drop),
            Kind::Time { .. } => Duration::parse(name, text, kind, unit).map(drop),
            Kind::YesNo => bool::parse(name, text, kind, unit).map(drop),
            Kind::List => Vec::parse(name, text, kind, unit).map(drop),
            Kind::Path => PathBuf::parse(name, text, kind, unit).map(drop),
            Kind::Text | Kind::Raw | Kind::Maps | Kind::Restrictions | Kind::Regexp | Kind::Enum(_) => {
                String::parse(name, text, kind, unit).map(drop)
            }
        }
    }
}

impl Value for String {
    fn parse(name: &str, text: &str, kind: Kind, _: TimeUnit) -> Result<Self, String> {
        match kind {
            Kind::Enum(words)
                if !text.is_empty() && !words.iter().any(|word| word.eq_ignore_ascii_case(text)) =>
            {
                Err(format!("bad value: {name} = {text}; one of {} is expected", words.join(", ")))
            }
            _ => Ok(text.to_owned()),
        }
    }

    fn last_resort(_: Kind) -> Self {
        Self::new()
    }
}

impl Value for PathBuf {
    fn parse(_: &str, text: &str, _: Kind, _: TimeUnit) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn last_resort(_: Kind) -> Self {
        Self::new()
    }
}

impl Value for u64 {
    fn parse(name: &str, text: &str, _: Kind, _: TimeUnit) -> Result<Self, String> {
        text.parse().map_err(|_| bad_number(name, text))
    }

    fn last_resort(_: Kind) -> Self {
        0
    }
}

impl Value for i64 {
    fn parse(name: &str, text: &str, kind: Kind, _: TimeUnit) -> Result<Self, String> {
        let number: Self = text.parse().map_err(|_| bad_number(name, text))?;
        match kind {
            Kind::Int { min, .. } if number < min => {
                Err(format!("invalid {name} parameter value {number} < {min}"))
            }
            Kind::Int { max, .. } if number > max => {
                Err(format!("invalid {name} parameter value {number} > {max}"))
            }
            _ => Ok(number),
        }
    }

    fn last_resort(kind: Kind) -> Self {
        if let Kind::Int { min, max } = kind { min.max(0).min(max) } else { 0 }
    }
}

impl Value for Duration {
    fn parse(name: &str, text: &str, kind: Kind, unit: TimeUnit) -> Result<Self, String> {
        let time = parse_time(text, unit)
            .ok_or_else(|| format!("parameter {name}: bad time value or unit: {text}"))?;
        match (kind, time.as_secs()) {
            (Kind::Time { min, .. }, seconds) if seconds < min => {
                Err(format!("invalid {name}: {seconds} (min {min})"))
            }
            (Kind::Time { max, .. }, seconds) if seconds > max => {
                Err(format!("invalid {name}: {seconds} (max {max})"))
            }
            _ => Ok(time),
        }
    }

    fn last_resort(kind: Kind) -> Self {
        if let Kind::Time { min, .. } = kind { Self::from_secs(min) } else { Self::ZERO }
    }
}

impl Value for bool {
    fn parse(name: &str, text: &str, _: Kind, _: TimeUnit) -> Result<Self, String> {
        match text {
            _ if text.eq_ignore_ascii_case("yes") => Ok(true),
            _ if text.eq_ignore_ascii_case("no") => Ok(false),
            _ => Err(format!("bad boolean configuration: {name} = {text}; yes or no is expected")),
        }
    }

    fn last_resort(_: Kind) -> Self {
        false
    }
}

impl Value for Vec<String> {
    fn parse(_: &str, text: &str, _: Kind, _: TimeUnit) -> Result<Self, String> {
        Ok(words(text, COMMA_SPACE).into_iter().map(str::to_owned).collect())
    }

    fn last_resort(_: Kind) -> Self {
        Self::new()
    }
}

fn bad_number(name: &str, text: &str) -> String {
    format!("bad numerical configuration: {name} = {text}")
}
