//! The errors that the running configuration has in spite of which it serves.
//!
//! Some errors disable a part only: a service of a kind that does not exist, a table that cannot be opened. A program
//! that was started so is told to reload; then a configuration with the same errors is no worse, and one with other
//! errors is broken: it does not take the place of one that works. The list lies in `data_directory`, so that
//! `postfix reload` comes to the same answer as the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use conf::{Mistake, Severity};

use crate::config::Config;

/// Where the list is.
pub fn file(config: &Config) -> PathBuf {
    // Not beside the process id: there only root may write.
    PathBuf::from(config.view.get("data_directory")).join("master.errors")
}

/// Without the places, which change when lines are added above.
fn errors(mistakes: &[Mistake]) -> BTreeSet<String> {
    let errors = mistakes.iter().filter(|mistake| mistake.severity != Severity::Warning);
    errors.map(|mistake| mistake.text.replace('\n', " ")).collect()
}

/// Notes what the configuration that is now in force has.
pub fn write(file: &Path, mistakes: &[Mistake]) {
    let lines: String = errors(mistakes).iter().map(|text| format!("{text}\n")).collect();
    if let Err(error) = std::fs::write(file, lines) {
        log::warn!(target: "master", "cannot write {}: {error}", file.display());
    }
}

/// What the configuration in force has.
pub fn read(file: &Path) -> BTreeSet<String> {
    // Without the list every error counts, which is the safe side.
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Whether a new configuration has errors that the one in force does not have.
pub fn worse(mistakes: &[Mistake], known: &BTreeSet<String>) -> bool {
    !errors(mistakes).is_subset(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_errors_are_no_reason_to_refuse_and_new_ones_are() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("master.errors");
        let at =
            |line, severity, text: &str| Mistake::new(severity, Some((Path::new("main.cf"), line)), text);
        let old = [at(3, Severity::Error, "one\nin two lines"), at(4, Severity::Warning, "careful")];
        write(&file, &old);
        let known = read(&file);
        assert!(!worse(&[at(9, Severity::Error, "one\nin two lines")], &known), "it only moved");
        assert!(!worse(&[at(1, Severity::Warning, "something new")], &known));
        assert!(!worse(&[], &known));
        assert!(worse(&[at(3, Severity::Error, "two")], &known));
        assert!(worse(&old, &read(Path::new("/nonexistent"))));
    }
}
