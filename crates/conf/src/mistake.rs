//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// How much a mistake stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, though perhaps not as meant.
    Warning,
    /// The value cannot be used; its default was taken in its place.
    Error,
    /// Nothing can run with this.
    Fatal,
}

/// One mistake in a configuration file. Readers collect all of them in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// File; empty when the value came from the command line or from a default.
    pub file: PathBuf,
    /// First line of the logical line, from 1; 0 when there is none.
    pub line: usize,
    /// Severity.
    pub severity: Severity,
    /// What is wrong and what to do about it, without the place.
    pub text: String,
}

impl Mistake {
    /// A mistake at a place.
    pub fn new(severity: Severity, place: Option<(&Path, usize)>, text: impl Into<String>) -> Self {
        let (file, line) = place.map_or((PathBuf::new(), 0), |(file, line)| (file.to_owned(), line));
        Self { file, line, severity, text: text.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}, line {}: {}", self.file.display(), self.line, self.text)
        } else if !self.file.as_os_str().is_empty() {
            write!(f, "{}: {}", self.file.display(), self.text)
        } else {
            f.write_str(&self.text)
        }
    }
}
