//! What no log may hold: the passwords that the tests use.

use std::fs;
use std::path::Path;

use crate::database::PASSWORD;

/// The password of the servers, that of nearly all accounts, and the latter in base64, which depends on what stands
/// before it.
const SECRETS: [&str; 5] = [PASSWORD, "secret", "c2VjcmV0", "NlY3JldA", "zZWNyZXQ"];

/// Words with which an innocent line may contain the latter.
const INNOCENT: [&str; 2] = ["secrets", "tls_secret"];

/// The first line of a file that holds a secret.
fn leak(file: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(file).ok()?).into_owned();
    let found = text.lines().find(|line| {
        let line = INNOCENT.iter().fold((*line).to_owned(), |line, word| line.replace(word, ""));
        SECRETS.iter().any(|secret| line.contains(secret))
    });
    found.map(|line| format!("{}: {line}", file.display()))
}

/// Fails when the log, the output or the journal of decisions of a site holds a password.
pub(crate) fn check(directory: &Path) {
    let files = ["mail.log", "output", "data/trace.log"].map(|name| directory.join(name));
    let leaks: Vec<String> = files.iter().filter_map(|file| leak(file)).collect();
    assert!(leaks.is_empty(), "a password stands in a log:\n{}", leaks.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_log_is_found() {
        let directory = tempfile::tempdir().expect("/tmp is there");
        for (line, told) in [
            ("login joe secret", true),
            ("AUTH PLAIN AGpvZQBzZWNyZXQ=", true),
            ("open /etc/postfix/secrets", false),
            ("all is well", false),
        ] {
            let file = directory.path().join("mail.log");
            fs::write(&file, format!("a line\n{line}\n")).expect("it is ours");
            assert_eq!(leak(&file).is_some(), told, "{line}");
        }
    }
}
