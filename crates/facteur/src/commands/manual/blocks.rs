//! The little of Markdown that manual pages use.

/// A part of a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// `## Title`
    Heading(&'a str),
    /// Lines that are indented by four columns, without them.
    Literal(Vec<&'a str>),
    /// A term, and behind `:   ` in the next line what it means.
    Term(&'a str, String),
    /// Anything else, up to an empty line.
    Paragraph(String),
}

/// Divides a page.
pub fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(title) = line.strip_prefix("## ") {
            found.push(Block::Heading(title));
        } else if let Some(first) = line.strip_prefix("    ") {
            let mut literal = vec![first];
            while let Some(more) = lines.next_if(|next| next.starts_with("    ")) {
                literal.push(&more[4..]);
            }
            found.push(Block::Literal(literal));
        } else if let Some(told) = lines.peek().and_then(|next| next.strip_prefix(":   ")) {
            let mut told = told.to_owned();
            lines.next();
            while let Some(more) = lines.next_if(|next| !next.is_empty()) {
                told.push(' ');
                told.push_str(more.trim_start());
            }
            found.push(Block::Term(line, told));
        } else {
            let mut told = line.to_owned();
            while let Some(more) = lines.next_if(|next| !next.is_empty()) {
                told.push(' ');
                told.push_str(more);
            }
            found.push(Block::Paragraph(told));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_divided() {
        let page = "    cmd [-a]\n        more\n\nOne\ntwo.\n\n## Options\n\n-a\n:   All\n    of it.\n\n-b\n:   B.\n";
        assert_eq!(
            blocks(page),
            [
                Block::Literal(vec!["cmd [-a]", "    more"]),
                Block::Paragraph("One two.".into()),
                Block::Heading("Options"),
                Block::Term("-a", "All of it.".into()),
                Block::Term("-b", "B.".into()),
            ]
        );
    }
}
