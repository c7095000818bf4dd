//! What was said, kept for a report to the postmaster (`notify_classes`).

use super::Stage;

/// Most bytes that are kept of a session.
const MOST: usize = 16 << 10;

/// One line of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// We said it, not the server.
    pub ours: bool,
    /// Without line end.
    pub line: String,
}

/// The dialogue so far; only the first 16 KB of a long one.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    said: Vec<Said>,
    bytes: usize,
}

impl Dialogue {
    /// We said this. Of a login only its first two words are kept, and nothing of the answers to challenges.
    pub(super) fn went(&mut self, stage: Stage, words: &[&str]) {
        let line = words.concat();
        let line = match (stage, line.strip_prefix("AUTH ")) {
            (Stage::Auth, Some(rest)) => format!("AUTH {}", rest.split(' ').next().unwrap_or_default()),
            (Stage::Auth, None) => "[login]".to_owned(),
            _ => line,
        };
        self.push(true, line);
    }

    /// The server said this.
    pub(super) fn came<'a>(&mut self, lines: impl IntoIterator<Item = &'a String>) {
        for line in lines {
            self.push(false, line.clone());
        }
    }

    /// The whole of it, as an empty one begins.
    pub(super) fn take(&mut self) -> Vec<Said> {
        std::mem::take(self).said
    }

    fn push(&mut self, ours: bool, line: String) {
        self.bytes += line.len();
        if self.bytes <= MOST {
            self.said.push(Said { ours, line });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_not_kept() {
        let mut dialogue = Dialogue::default();
        dialogue.went(Stage::Auth, &["AUTH PLAIN c2VjcmV0"]);
        dialogue.went(Stage::Auth, &["c2VjcmV0"]);
        dialogue.went(Stage::Mail, &["MAIL FROM:", "<a@b>"]);
        let said: Vec<String> = dialogue.take().into_iter().map(|said| said.line).collect();
        assert_eq!(said, ["AUTH PLAIN", "[login]", "MAIL FROM:<a@b>"]);
    }

    #[test]
    fn a_talkative_server_does_not_fill_memory() {
        let mut dialogue = Dialogue::default();
        for _ in 0..100_000 {
            dialogue.came(&["250 yes".to_owned()]);
        }
        assert!(dialogue.said.len() * "250 yes".len() <= MOST);
    }
}
