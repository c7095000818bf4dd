//! What becomes of a configuration of Dovecot: lines for main.cf and master.cf, and what has none.

use super::syntax::At;

/// Lines to write, and what to say about them.
#[derive(Debug, Default)]
pub struct Plan {
    /// Lines of main.cf: name, value as it is written there.
    pub main: Vec<(String, String)>,
    /// Lines of master.cf.
    pub master: Vec<String>,
    /// Files to write: path and text.
    pub files: Vec<(String, String)>,
    /// What to know about the lines.
    pub notes: Vec<String>,
    /// What needs no line here, and why.
    pub needless: Vec<(String, String)>,
    /// What could not be translated, and why.
    pub left: Vec<String>,
}

impl Plan {
    /// A line of main.cf; of two for the same parameter the last stays. `$` means nothing to Dovecot, but to main.cf.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = value.replace('$', "$$");
        match self.main.iter_mut().find(|(known, _)| known == name) {
            Some(line) => line.1 = value,
            None => self.main.push((name.to_owned(), value)),
        }
    }

    /// The value that was set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.main.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Something that could not be translated.
    pub fn leave(&mut self, at: &At, what: &str, why: &str) {
        self.left.push(format!("{at}: {what}: {why}"));
    }

    /// Something that needs no line.
    pub fn needless(&mut self, what: &str, why: &str) {
        if !self.needless.iter().any(|(known, _)| known == what) {
            self.needless.push((what.to_owned(), why.to_owned()));
        }
    }

    /// main.cf, as text.
    pub fn main_cf(&self) -> String {
        self.main.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
    }
}
