//! Logical lines, as main.cf, master.cf and the text tables have them.
//!
//! A line that starts with white space continues the one before; comment lines and empty lines may stand between
//! and end nothing. What a physical line holds stays as it is, but for white space at the end of the whole.

use std::path::Path;

use crate::{Mistake, Severity};

/// A logical line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Number of its first physical line, from 1.
    pub(crate) number: usize,
    /// Its text; it starts with no white space and is not empty.
    pub(crate) text: String,
}

/// Cuts a text into logical lines. A first line that starts with white space continues nothing: it is a mistake.
pub(crate) fn logical(text: &str, file: &Path, mistakes: &mut Vec<Mistake>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let bare = line.trim_ascii();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some(last) if starts_with_space(line) => last.text.push_str(line),
            _ => lines.push(Line { number: index + 1, text: line.to_owned() }),
        }
    }
    lines.retain_mut(|line| {
        if let Some(nul) = line.text.find('\0') {
            line.text.truncate(nul);
            mistakes.push(Mistake::new(
                Severity::Warning,
                Some((file, line.number)),
                "null byte in line; the rest of the line is ignored",
            ));
        }
        line.text.truncate(line.text.trim_ascii_end().len());
        if starts_with_space(&line.text) {
            mistakes.push(Mistake::new(
                Severity::Warning,
                Some((file, line.number)),
                format!("logical line must not start with whitespace: \"{}\"", line.text),
            ));
            return false;
        }
        !line.text.is_empty()
    });
    lines
}

/// Splits `name = value` at the first equals sign, white space around both parts left out.
///
/// # Errors
/// What is wrong, with the text: no equals sign after the first word, or nothing before it.
pub fn name_value(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_ascii();
    let end = text.find(|letter: char| letter == '=' || letter.is_ascii_whitespace()).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.trim_ascii_start().strip_prefix('=') {
        None => Err(format!("missing '=' after attribute name: \"{text}\"")),
        Some(_) if name.is_empty() => Err(format!("missing attribute name: \"{text}\"")),
        Some(value) => Ok((name, value.trim_ascii())),
    }
}

/// Reads a file as text. Bytes that are no UTF-8 are replaced, and the first such line is a mistake.
pub(crate) fn read(file: &Path, mistakes: &mut Vec<Mistake>) -> std::io::Result<String> {
    Ok(match String::from_utf8(crate::secrets::read(file)?) {
        Ok(text) => text,
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let number = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            let bytes = error.as_bytes();
            // In a comment, an old encoding does no harm and is no mistake.
            let stripped: Vec<u8> = bytes
                .split_inclusive(|byte| *byte == b'\n')
                .filter(|line| !line.trim_ascii_start().starts_with(b"#"))
                .flatten()
                .copied()
                .collect();
            if std::str::from_utf8(&stripped).is_err() {
                mistakes.push(Mistake::new(
                    Severity::Warning,
                    Some((file, number)),
                    "text that is not UTF-8; its other bytes are replaced",
                ));
            }
            String::from_utf8_lossy(bytes).into_owned()
        }
    })
}

pub(crate) fn starts_with_space(line: &str) -> bool {
    line.starts_with(|letter: char| letter.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> Vec<(usize, String)> {
        let mut mistakes = Vec::new();
        let lines = logical(text, Path::new("f"), &mut mistakes);
        lines.into_iter().map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn comments_and_blanks_may_stand_inside() {
        let text = "a = 1,\n  2\n# c\n   # d\n\t3\n\n  4\nb=\r\nc";
        let expected = [(1, "a = 1,  2\t3  4".to_owned()), (8, "b=".to_owned()), (9, "c".to_owned())];
        assert_eq!(lines(text), expected);
    }

    #[test]
    fn nothing_to_continue_is_a_mistake() {
        let mut mistakes = Vec::new();
        let lines = logical("# c\n a = 1\n b\nc=1", Path::new("f"), &mut mistakes);
        assert_eq!(lines, [Line { number: 4, text: "c=1".to_owned() }]);
        assert_eq!(mistakes[0].line, 2);
        assert!(mistakes[0].text.contains("whitespace"), "{mistakes:?}");
    }

    #[test]
    fn names_and_values() {
        assert_eq!(name_value("a=b"), Ok(("a", "b")));
        assert_eq!(name_value("a  =  b = c "), Ok(("a", "b = c")));
        assert_eq!(name_value("a="), Ok(("a", "")));
        assert_eq!(name_value("a b"), Err("missing '=' after attribute name: \"a b\"".to_owned()));
        assert_eq!(name_value("= b"), Err("missing attribute name: \"= b\"".to_owned()));
    }

    proptest! {
        #[test]
        fn logical_lines_never_start_or_end_with_space(text in "[a= #\\t\\n\\r\\x00]{0,60}") {
            for (_, line) in lines(&text) {
                prop_assert!(!line.is_empty() && line.trim_ascii() == line);
            }
        }
    }
}
