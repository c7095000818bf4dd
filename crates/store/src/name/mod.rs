//! Names of mailboxes: UTF-8, with `/` between the levels, whatever a client or a disk writes in its place.

mod utf7;

use std::fmt;

pub use utf7::{from_utf7, to_utf7};

use crate::{Error, Result};

/// Longest name, in bytes of UTF-8.
pub const LONGEST_NAME: usize = 1000;
/// Longest level of a name, in bytes of UTF-8.
pub const LONGEST_LEVEL: usize = 240;
/// Most levels of a name.
pub const DEEPEST: usize = 32;

/// The name of a mailbox that keeps all rules: not empty, no level empty or `.` or `..`, no control characters,
/// no `~` at the start, not too long or too deep. The first level is `INBOX` in capitals, however it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The mailbox that is always there.
    pub fn inbox() -> Name {
        Name("INBOX".to_owned())
    }

    /// A name in UTF-8 with `/` between its levels.
    ///
    /// # Errors
    /// [`Error::BadName`] with the rule it breaks.
    pub fn new(text: &str) -> Result<Name> {
        Name::with_separator(text, '/')
    }

    /// A name in UTF-8 with another separator: what a client sent.
    ///
    /// # Errors
    /// [`Error::BadName`] with the rule it breaks.
    pub fn with_separator(text: &str, separator: char) -> Result<Name> {
        if text.is_empty() {
            return Err(Error::BadName("it is empty"));
        }
        if text.len() > LONGEST_NAME {
            return Err(Error::BadName("it is too long"));
        }
        if separator != '/' && text.contains('/') {
            return Err(Error::BadName("it contains a slash"));
        }
        if text.starts_with('~') {
            return Err(Error::BadName("it begins with ~"));
        }
        if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')) {
            return Err(Error::BadName("it contains control characters"));
        }
        let mut levels: Vec<&str> = text.split(separator).collect();
        if levels.len() > DEEPEST {
            return Err(Error::BadName("it has too many levels"));
        }
        for level in &levels {
            match *level {
                "" => return Err(Error::BadName("a level of it is empty")),
                "." | ".." => return Err(Error::BadName("a level of it is . or ..")),
                long if long.len() > LONGEST_LEVEL => {
                    return Err(Error::BadName("a level of it is too long"));
                }
                _ => {}
            }
        }
        if levels[0].eq_ignore_ascii_case("INBOX") {
            levels[0] = "INBOX";
        }
        Ok(Name(levels.join("/")))
    }

    /// With `/` between the levels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With another separator.
    pub fn shown(&self, separator: char) -> String {
        match separator {
            '/' => self.0.clone(),
            _ => self.0.replace('/', separator.encode_utf8(&mut [0; 4])),
        }
    }

    /// Its levels, from the top.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Is it the INBOX?
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The name without its last level.
    pub fn parent(&self) -> Option<Name> {
        self.0.rsplit_once('/').map(|(parent, _)| Name(parent.to_owned()))
    }

    /// Is it anywhere below `other`?
    pub fn is_below(&self, other: &Name) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// What it becomes when `from`, itself or a mailbox above it, is renamed.
    ///
    /// # Errors
    /// [`Error::BadName`] when it gets too long or too deep.
    pub fn renamed(&self, from: &Name, to: &Name) -> Result<Option<Name>> {
        match self.0.strip_prefix(&from.0) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                Name::new(&format!("{}{rest}", to.0)).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_is_one_mailbox_in_any_case() {
        assert_eq!(Name::new("inBox").unwrap(), Name::inbox());
        assert_eq!(Name::new("inbox/x").unwrap().as_str(), "INBOX/x");
        assert_eq!(Name::new("Inboxes").unwrap().as_str(), "Inboxes");
        assert_eq!(Name::with_separator("a.b", '.').unwrap().as_str(), "a/b");
        assert_eq!(Name::new("a/b").unwrap().shown('.'), "a.b");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let long = "x".repeat(300);
        let deep = vec!["x"; 40].join("/");
        for text in
            ["", "/", "/etc", "a//b", "a/", "..", "a/../b", "./a", "~root", "a\0b", "a\nb", &long, &deep]
        {
            assert!(matches!(Name::new(text), Err(Error::BadName(_))), "{text:?}");
        }
        assert!(Name::with_separator("a/b", '.').is_err());
        assert!(Name::new("Entwürfe/2026 ~ alt").is_ok());
    }

    #[test]
    fn what_is_below_moves_along() {
        let name = |text| Name::new(text).unwrap();
        assert!(name("a/b").is_below(&name("a")) && !name("ab").is_below(&name("a")));
        assert_eq!(name("a/b").renamed(&name("a"), &name("c/d")).unwrap(), Some(name("c/d/b")));
        assert_eq!(name("ab").renamed(&name("a"), &name("c")).unwrap(), None);
        assert_eq!(name("a/b").parent(), Some(name("a")));
    }
}
