//! Commands: a word, and what follows it. RFC 1939 section 3.

/// A line of the client, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// The first word, as written.
    pub word: &'a str,
    /// What follows the first blank behind it.
    pub rest: &'a str,
}

impl<'a> Command<'a> {
    /// Takes a line apart.
    pub fn parse(line: &'a str) -> Command<'a> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Command { word, rest }
    }
}

/// Takes a number off the front of `text`, and the blanks around it.
pub fn number<'a>(text: &'a str, what: &str) -> Result<(u64, &'a str), String> {
    let text = text.trim_start_matches(' ');
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..end].parse().map_err(|_| format!("Invalid {what}: {text}"))?;
    Ok((number, &text[end..]))
}

/// Nothing may be left behind the numbers.
pub fn end(rest: &str, what: &str) -> Result<(), String> {
    match rest.is_empty() {
        true => Ok(()),
        false => Err(format!("Noise after {what}: {rest}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        assert_eq!(Command::parse("user joe doe"), Command { word: "user", rest: "joe doe" });
        assert_eq!(Command::parse(""), Command { word: "", rest: "" });
        assert_eq!(number("12 x", "size"), Ok((12, " x")));
        assert_eq!(number("x", "size"), Err("Invalid size: x".into()));
        assert!(number("99999999999999999999999", "size").is_err());
        assert_eq!(end(" x", "size"), Err("Noise after size:  x".into()));
    }
}
