//! Data sets: `/file`, `file:/name`, `refile:/name`, `csl:a,b`, or a list as it stands.

use std::path::{Path, PathBuf};

use conf::{Mistake, Severity};

/// How keys are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As they are.
    Exact,
    /// `*` stands for anything (`refile:`).
    Patterns,
}

/// One entry, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub text: String,
    /// Of a file: its name, and the number of the line.
    pub place: Option<(PathBuf, usize)>,
}

/// All entries of a data set.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub kind: Kind,
    pub lines: Vec<Line>,
}

impl Line {
    pub fn mistake(&self, text: impl Into<String>) -> Mistake {
        let place = self.place.as_ref().map(|(file, line)| (file.as_path(), *line));
        Mistake::new(Severity::Error, place, text)
    }
}

/// The file that a data set is read from.
pub fn file_of(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    let name = text.strip_prefix("refile:").or_else(|| text.strip_prefix("file:")).unwrap_or(text);
    name.starts_with('/').then(|| PathBuf::from(name))
}

impl Dataset {
    /// Reads a data set. The error says which kinds there are, or why the file cannot be read.
    pub fn read(text: &str) -> Result<Dataset, String> {
        let text = text.trim();
        let kind = if text.starts_with("refile:") { Kind::Patterns } else { Kind::Exact };
        if let Some(path) = file_of(text) {
            return Ok(Dataset { kind, lines: of_file(&path)? });
        }
        let list = match text.split_once(':') {
            Some(("csl", list)) => list,
            Some((other, _)) if !other.is_empty() && other.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                return Err(format!("{other}: is not supported here: use a file, refile: or csl:"));
            }
            _ => text,
        };
        let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(Dataset { kind, lines: items.map(|item| Line { text: item.to_owned(), place: None }).collect() })
    }
}

fn of_file(path: &Path) -> Result<Vec<Line>, String> {
    let bytes = conf::secrets::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            lines.push(Line { text: line.to_owned(), place: Some((path.to_owned(), number + 1)) });
        }
    }
    Ok(lines)
}
