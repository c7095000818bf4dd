//! Time values with a unit: `30s`, `5m`, `2h`, `5d`, `1w`.

use std::time::Duration;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeUnit(u64);

impl TimeUnit {
    /// The unit of a letter: `s m h d w`, in either case.
    pub fn of(letter: char) -> Option<Self> {
        Some(Self(match letter.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            'w' => 7 * 86400,
            _ => return None,
        }))
    }

    /// The unit of a default value: its first letter, as Postfix takes it.
    pub fn of_default(default: &str) -> Self {
        default.chars().find(char::is_ascii_alphabetic).and_then(Self::of).unwrap_or(Self(1))
    }
}

/// Reads a time; a bare number has the unit `bare`. `None` when it is no number, has an unknown unit or does
/// not fit 31 bits of seconds.
pub fn parse_time(text: &str, bare: TimeUnit) -> Option<Duration> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    let mut rest = text[end..].chars();
    let unit = match (rest.next(), rest.next()) {
        (None, _) => bare,
        (Some(letter), None) => TimeUnit::of(letter)?,
        _ => return None,
    };
    let seconds = number.checked_mul(unit.0).filter(|seconds| *seconds <= i32::MAX as u64)?;
    Some(Duration::from_secs(seconds))
}
