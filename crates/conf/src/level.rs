//! Compatibility levels: `3`, `3.7`, `3.7.11`.

use std::str::FromStr;

/// A value of `compatibility_level`; parts left out are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level {
    major: u32,
    minor: u16,
    patch: u16,
}

impl Level {
    /// The level `major.minor`.
    pub fn new(major: u32, minor: u16) -> Self {
        Self { major, minor, patch: 0 }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("malformed compatibility level syntax: \"{text}\"");
        if !text.bytes().all(|letter| letter.is_ascii_digit() || letter == b'.') {
            return Err(wrong());
        }
        let mut parts = text.splitn(3, '.');
        let major = parts.next().and_then(|part| part.parse().ok()).ok_or_else(wrong)?;
        let mut small = || parts.next().map_or(Ok(0), |part| part.parse().map_err(|_| wrong()));
        Ok(Self { major, minor: small()?, patch: small()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_compare_part_by_part() {
        let level = |text: &str| text.parse::<Level>().expect(text);
        assert!(
            level("3.10") > level("3.9") && level("3.10.1") > level("3.10") && level("4") > level("3.99")
        );
        assert_eq!(level("3"), level("3.0.0"));
        assert_eq!(level("3.6"), Level::new(3, 6));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "abc", "1.", "3.10.1.1", "-1", " 1 ", "1.65536", "+1"] {
            assert!(text.parse::<Level>().is_err(), "{text}");
        }
    }
}
