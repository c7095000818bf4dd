//! `facteur help`: the commands by chapters, and the manual page of each. To add one: a file in docs/man, and a line
//! in [`CHAPTERS`].

mod blocks;
mod roff;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use self::blocks::{Block, blocks};
use super::Command;

/// The command.
pub const COMMAND: Command =
    Command { name: "help", summary: "list the commands, or show the manual page of one", run };

/// The manual page of a command.
struct Page {
    name: &'static str,
    text: &'static str,
}

/// Commands that belong together.
struct Chapter {
    title: &'static str,
    pages: &'static [Page],
}

macro_rules! pages {
    ($($name:literal),* $(,)?) => {
        &[$(Page { name: $name, text: include_str!(concat!("../../../../../docs/man/", $name, ".md")) }),*]
    };
}

const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "Start",
        pages: pages!["demo", "init", "check", "adopt", "install-links", "postfix", "postmulti"],
    },
    Chapter {
        title: "Ask why",
        pages: pages!["explain", "trace", "refused", "promises", "parameters", "postconf"],
    },
    Chapter {
        title: "The queue",
        pages: pages!["queue", "postqueue", "mailq", "postsuper", "postcat", "qshape", "postkick"],
    },
    Chapter { title: "Tables", pages: pages!["postmap", "postalias", "newaliases", "sync"] },
    Chapter {
        title: "People and mailboxes",
        pages: pages!["user", "domain", "alias", "app-password", "totp", "directory", "doveadm", "store"],
    },
    Chapter { title: "Strangers", pages: pages!["greylist", "ban", "outbound"] },
    Chapter { title: "What is in mail", pages: pages!["spam", "quarantine"] },
    Chapter { title: "Keys and reports", pages: pages!["dkim", "dmarc", "acme"] },
    Chapter { title: "For programs", pages: pages!["sendmail", "postlog", "postdrop"] },
];

fn page(name: &str) -> Option<&'static Page> {
    CHAPTERS.iter().flat_map(|chapter| chapter.pages).find(|page| page.name == name)
}

fn run(words: Vec<OsString>) -> u8 {
    let Some(name) = words.first().map(|word| word.to_string_lossy()) else {
        print!("{}", overview());
        return 0;
    };
    match plain(&name) {
        Some(text) => {
            print!("{text}");
            0
        }
        None => {
            eprintln!("facteur help: there is no command '{name}'; 'facteur help' lists them");
            1
        }
    }
}

/// What `facteur help` prints.
pub fn overview() -> String {
    let mut text = String::from("usage: facteur COMMAND [ARGUMENT ...]\n");
    for chapter in CHAPTERS {
        text.push_str(&format!("\n{}:\n", chapter.title));
        for page in chapter.pages {
            text.push_str(&format!("  {:<14} {}\n", page.name, summary(page.name)));
        }
    }
    text.push_str("\n'facteur help COMMAND' or 'facteur COMMAND --help' tells more.\n");
    text
}

fn summary(name: &str) -> &'static str {
    super::find(name).map_or("", |command| command.summary)
}

/// The manual page of a command, for a terminal.
pub fn plain(name: &str) -> Option<String> {
    let page = page(name)?;
    let mut text = format!("{name}: {}\n", summary(name));
    for block in blocks(page.text) {
        match block {
            Block::Heading(title) => text.push_str(&format!("\n{title}:\n")),
            Block::Literal(lines) => {
                text.push('\n');
                lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
            }
            Block::Term(term, told) => text.push_str(&format!("  {term}\n{}", wrapped(&told, 6))),
            Block::Paragraph(told) => text.push_str(&format!("\n{}", wrapped(&told, 0))),
        }
    }
    Some(text.replace('`', ""))
}

/// Lines of at most 80 columns.
fn wrapped(words: &str, indent: usize) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in words.split_whitespace() {
        let width = word.chars().filter(|&c| c != '`').count();
        if column > 0 && column + 1 + width > 80 {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
    text.push('\n');
    text
}

/// Writes all pages for man(1) into `man8` below a directory; gives how many.
pub fn write(directory: &Path) -> Result<usize, String> {
    let directory = directory.join("man8");
    let failed = |error: std::io::Error| format!("cannot write into {}: {error}", directory.display());
    fs::create_dir_all(&directory).map_err(failed)?;
    fs::write(directory.join("facteur.8"), roff::contents(CHAPTERS)).map_err(failed)?;
    let mut made = 1;
    for page in CHAPTERS.iter().flat_map(|chapter| chapter.pages) {
        let file = directory.join(format!("facteur-{}.8", page.name));
        fs::write(file, roff::page(page)).map_err(failed)?;
        made += 1;
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let without = [COMMAND.name, people::outside::COMMAND];
        for command in super::super::COMMANDS {
            assert!(
                page(command.name).is_some() || without.contains(&command.name),
                "docs/man/{}.md is missing, or its line in CHAPTERS",
                command.name
            );
        }
        for page in CHAPTERS.iter().flat_map(|chapter| chapter.pages) {
            assert!(super::super::find(page.name).is_some(), "{} is no command", page.name);
        }
    }

    #[test]
    fn a_page_begins_with_how_the_command_is_called() {
        for page in CHAPTERS.iter().flat_map(|chapter| chapter.pages) {
            let Some(Block::Literal(lines)) = blocks(page.text).into_iter().next() else {
                panic!("{} has no synopsis", page.name);
            };
            assert!(lines[0].split(' ').any(|word| word == page.name), "{}: {}", page.name, lines[0]);
        }
    }

    #[test]
    fn terminals_of_eighty_columns_show_all_but_synopses() {
        let text = plain("queue").expect("a page");
        assert!(text.contains("queue: list, change"), "{text}");
        assert!(text.contains("\nFilters:\n"), "{text}");
        assert!(!text.contains('`'), "{text}");
        let terms = text.split("\nCommands:\n").nth(1).expect("a heading");
        assert!(terms.lines().all(|line| line.chars().count() <= 80), "{terms}");
    }

    #[test]
    fn pages_are_written_for_man() {
        let directory = tempfile::tempdir().expect("a directory");
        let made = write(directory.path()).expect("written");
        assert_eq!(fs::read_dir(directory.path().join("man8")).expect("made").count(), made);
        let queue = fs::read_to_string(directory.path().join("man8/facteur-queue.8")).expect("a page");
        assert!(queue.starts_with(".TH FACTEUR\\-QUEUE 8"), "{queue}");
    }
}
