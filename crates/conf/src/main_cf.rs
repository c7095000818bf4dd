//! main.cf: an ordered list of settings with their places.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::{Mistake, Severity};

/// One `name = value` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name.
    pub name: String,
    /// Value, unexpanded, continuation lines joined.
    pub value: String,
    /// File.
    pub file: PathBuf,
    /// First line, from 1.
    pub line: usize,
}

/// What main.cf (and conf.d beside it) says. Of several settings of one name the last stands.
#[derive(Clone, Debug, Default)]
pub struct MainCf {
    settings: Vec<Setting>,
    last: HashMap<String, usize>,
}

impl MainCf {
    /// Reads `main.cf` in a directory, then `conf.d/*.conf` and `*.cf` in name order.
    pub fn read(dir: &Path) -> (Self, Vec<Mistake>) {
        let (mut main, mut mistakes) = (Self::default(), Vec::new());
        let file = dir.join("main.cf");
        match std::fs::read(&file) {
            Ok(bytes) => main.take(&String::from_utf8_lossy(&bytes), &file, &mut mistakes),
            Err(error) => mistakes.push(Mistake::new(
                Severity::Fatal,
                Some((&file, 0)),
                format!("open {}: {error}", file.display()),
            )),
        }
        (main, mistakes)
    }

    /// Reads a text as if it were this file.
    pub fn parse(text: &str, file: &Path) -> (Self, Vec<Mistake>) {
        let (mut main, mut mistakes) = (Self::default(), Vec::new());
        main.take(text, file, &mut mistakes);
        (main, mistakes)
    }

    /// The setting of a name that stands.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.last.get(name).map(|&index| &self.settings[index])
    }

    /// All settings in the order read, repeated ones included.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    fn take(&mut self, text: &str, file: &Path, mistakes: &mut Vec<Mistake>) {
        for (line, logical) in logical_lines(text) {
            let Some((name, value)) = logical.split_once('=') else {
                mistakes.push(Mistake::new(
                    Severity::Warning,
                    Some((file, line)),
                    format!("missing '=' after attribute name: \"{logical}\""),
                ));
                continue;
            };
            let (name, value) = (name.trim_ascii(), value.trim_ascii());
            self.last.insert(name.to_owned(), self.settings.len());
            let (name, value) = (name.to_owned(), value.to_owned());
            self.settings.push(Setting { name, value, file: file.to_owned(), line });
        }
    }
}

/// Logical lines with the number of their first physical line.
pub(crate) fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim_ascii();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if line.starts_with([' ', '\t']) => last.push_str(line.trim_end()),
            _ => lines.push((index + 1, line.trim_ascii_end().to_owned())),
        }
    }
    lines
}
