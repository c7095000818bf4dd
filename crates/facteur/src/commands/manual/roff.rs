//! Manual pages in the language of man(7).

use super::blocks::{Block, blocks};
use super::{Chapter, Page, summary};

/// The page of a command.
pub fn page(page: &Page) -> String {
    let mut text = head(&format!("facteur-{}", page.name), summary(page.name));
    let mut parts = blocks(page.text).into_iter();
    if let Some(Block::Literal(lines)) = parts.next() {
        text.push_str(".SH SYNOPSIS\n");
        literal(&lines, &mut text);
        text.push_str(".SH DESCRIPTION\n");
    }
    for part in parts {
        match part {
            Block::Heading(title) => text.push_str(&format!(".SH {}\n", escaped(&title.to_uppercase()))),
            Block::Literal(lines) => literal(&lines, &mut text),
            Block::Term(term, told) => {
                text.push_str(&format!(".TP\n.B {}\n{}\n", escaped(term), escaped(&told)));
            }
            Block::Paragraph(told) => text.push_str(&format!(".PP\n{}\n", escaped(&told))),
        }
    }
    text.push_str(".SH SEE ALSO\n.BR facteur (8)\n");
    text
}

/// The page that names all others.
pub fn contents(chapters: &[Chapter]) -> String {
    let mut text = head("facteur", "a mail system in one program");
    text.push_str(".SH SYNOPSIS\n.B facteur\nCOMMAND [ARGUMENT ...]\n.SH DESCRIPTION\n");
    text.push_str("A command is called as first word or, by way of a link, by its own name.\n");
    for chapter in chapters {
        text.push_str(&format!(".SH {}\n", escaped(&chapter.title.to_uppercase())));
        for page in chapter.pages {
            let name = escaped(page.name);
            text.push_str(&format!(".TP\n.BR facteur\\-{name} (8)\n{}\n", escaped(summary(page.name))));
        }
    }
    text
}

fn head(name: &str, summary: &str) -> String {
    let title = escaped(&name.to_uppercase());
    let version = concat!("Facteur ", env!("CARGO_PKG_VERSION"));
    format!(".TH {title} 8 \"\" \"{version}\"\n.SH NAME\n{} \\- {}\n", escaped(name), escaped(summary))
}

fn literal(lines: &[&str], text: &mut String) {
    text.push_str(".PP\n.nf\n");
    lines.iter().for_each(|line| text.push_str(&format!("{}\n", escaped(line))));
    text.push_str(".fi\n");
}

/// Nothing in it is a request or an escape any more.
fn escaped(text: &str) -> String {
    let text = text.replace('`', "").replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_request_is_text() {
        assert_eq!(escaped(".so /etc/passwd"), "\\&.so /etc/passwd");
        assert_eq!(escaped("`-a` \\n"), "\\-a \\en");
    }

    #[test]
    fn a_page_has_its_parts() {
        let text = page(&Page {
            name: "queue",
            text: "    facteur queue\n\nTells.\n\n## Options\n\n-c\n:   Where.\n",
        });
        for part in
            [".SH SYNOPSIS\n.PP\n.nf\nfacteur queue\n.fi\n", ".PP\nTells.\n", ".TP\n.B \\-c\nWhere.\n"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
