//! Words in which braces hold white space together.

/// Cuts a text at any of `separators`, outside braces. Empty words are left out; a word keeps its braces.
pub fn words<'t>(text: &'t str, separators: &str) -> Vec<&'t str> {
    let (mut words, mut start, mut depth) = (Vec::new(), None, 0usize);
    for (position, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && separators.contains(letter) => {
                words.extend(start.take().map(|start| &text[start..position]));
                continue;
            }
            _ => {}
        }
        start.get_or_insert(position);
    }
    words.extend(start.map(|start| &text[start..]));
    words
}

/// Commas and white space, between the words of a list.
pub const COMMA_SPACE: &str = ", \t\r\n";
/// White space.
pub const SPACE: &str = " \t\r\n";

/// The inside of a word in braces, white space at both ends left out.
///
/// # Errors
/// The inside as far as it can be understood, and what is wrong: the brace is not closed, or text follows.
pub fn unbraced(word: &str) -> Result<&str, (&str, String)> {
    let mut depth = 0usize;
    let close = word.bytes().position(|letter| {
        match letter {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    match close {
        None => Err((word[1..].trim_ascii(), format!("missing '}}' in \"{word}\""))),
        Some(close) => {
            let inside = word[1..close].trim_ascii();
            let rest = &word[close + 1..];
            if rest.is_empty() {
                Ok(inside)
            } else {
                Err((inside, format!("syntax error after '}}' in \"{word}\"")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_hold_together() {
        assert_eq!(words("a, b\t{c, d}e,,f", COMMA_SPACE), ["a", "b", "{c, d}e", "f"]);
        assert_eq!(words("x{a b}c d{e f", SPACE), ["x{a b}c", "d{e f"]);
        assert_eq!(words("} a", SPACE), ["}", "a"]);
    }

    #[test]
    fn braces_come_off() {
        assert_eq!(unbraced("{ a b }"), Ok("a b"));
        assert_eq!(unbraced("{a{b}c}"), Ok("a{b}c"));
        assert_eq!(unbraced("{a").map_err(|(_, wrong)| wrong), Err("missing '}' in \"{a\"".to_owned()));
        let after = "syntax error after '}' in \"{x=y}z\"".to_owned();
        assert_eq!(unbraced("{x=y}z"), Err(("x=y", after)));
    }
}
