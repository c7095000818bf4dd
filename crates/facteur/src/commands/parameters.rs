//! `facteur parameters`: the reference of all parameters, whole or by name.

use std::ffi::OsString;
use std::fmt::Write as _;

use conf::{COMPUTED, Declaration, Kind, Status};

use super::Command;
use crate::params::{GROUPS, registry};

/// The command.
pub const COMMAND: Command =
    Command { name: "parameters", summary: "describe all parameters, or those named", run };

fn run(words: Vec<OsString>) -> u8 {
    if words.is_empty() {
        print!("{}", page());
        return 0;
    }
    let registry = registry();
    let mut status = 0;
    for word in words {
        let name = word.to_string_lossy();
        match registry.get(&name).or_else(|| registry.family(&name)) {
            Some(row) => println!("{}", paragraph(row)),
            None => {
                eprintln!("facteur parameters: there is no parameter '{name}'");
                status = 1;
            }
        }
    }
    status
}

const INTRODUCTION: &str = "\
# Parameters

What can be set in main.cf, and for one service with `-o` in master.cf: every parameter of Postfix 3.7, and ours.
This page is made from the declarations in the source, by `facteur parameters`.

A parameter without a remark does what Postfix's manual says. *No effect* means that it is accepted and that
nothing follows, for the reason given; *refused* that setting it is an error, with what to do instead; *ours* that
Postfix does not have it. A time is a number and a unit, `s`, `m`, `h`, `d` or `w`; without one it is in the unit
named. `<transport>` stands for the name of a service in master.cf.
";

/// The whole reference, in Markdown.
fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut room = "";
    for group in GROUPS {
        if group.room != room {
            room = group.room;
            let _ = write!(page, "\n## Room `{room}`\n");
        }
        let _ = write!(page, "\n### {}\n\n", group.title);
        for row in group.rows {
            page.push_str(&paragraph(row));
        }
    }
    page
}

/// One parameter.
fn paragraph(row: &Declaration) -> String {
    let default = match row.default {
        _ if COMPUTED.contains(&row.name) => "computed".to_owned(),
        "" => "empty".to_owned(),
        text => code(text),
    };
    let doc = row.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let remark = match row.status {
        Status::Honoured => String::new(),
        Status::Own => " *Ours.*".to_owned(),
        Status::NoEffect(why) => format!(" *No effect: {why}.*"),
        Status::Refused(why) => format!(" *Refused: {why}.*"),
    };
    format!("- {} ({}; default {default}): {doc}{remark}\n", code(row.name), kind(row.kind))
}

/// A code span, also of a text with a backtick in it.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Raw => "text, not expanded".to_owned(),
        Kind::Bytes => "bytes".to_owned(),
        Kind::Int { min: 0, max } if max == i64::from(i32::MAX) => "number".to_owned(),
        Kind::Int { min, max } if max == i64::from(i32::MAX) => format!("number from {min}"),
        Kind::Int { min, max } if min == i64::from(i32::MIN) => format!("number up to {max}"),
        Kind::Int { min, max } => format!("number from {min} to {max}"),
        Kind::Time { min: 0, max } if max == i32::MAX as u64 => "time".to_owned(),
        Kind::Time { min, max } if max == i32::MAX as u64 => format!("time from {min} s"),
        Kind::Time { min, max } => format!("time from {min} s to {max} s"),
        Kind::YesNo => "yes or no".to_owned(),
        Kind::List => "list".to_owned(),
        Kind::Maps => "tables".to_owned(),
        Kind::Restrictions => "restrictions".to_owned(),
        Kind::Path => "file or directory".to_owned(),
        Kind::Regexp => "regular expression".to_owned(),
        Kind::Enum(words) => {
            let words: Vec<_> =
                words.iter().map(|word| if word.is_empty() { "empty" } else { word }).collect();
            words.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Keeps `docs/parameters.md` equal to the declarations: with FACTEUR_BLESS=1 in the environment it is written.
    #[test]
    fn the_reference_page_is_up_to_date() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/parameters.md");
        let page = page();
        if std::env::var_os("FACTEUR_BLESS").is_some() {
            fs::write(&file, &page).expect("docs is writable");
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == page,
            "docs/parameters.md is stale: FACTEUR_BLESS=1 cargo test -p facteur writes it anew"
        );
    }

    #[test]
    fn a_paragraph_tells_kind_default_and_remark() {
        let registry = registry();
        let tell = |name| paragraph(registry.get(name).expect("declared"));
        assert!(
            tell("bounce_size_limit").starts_with("- `bounce_size_limit` (bytes; default `50000`): How many"),
            "{}",
            tell("bounce_size_limit")
        );
        assert!(tell("mydomain").starts_with("- `mydomain` (text; default computed): "));
        assert!(tell("hash_queue_depth").contains("*No effect: the queue is a journal"));
        assert!(tell("qmqpd_timeout").contains("*Refused: QMQP"));
        assert!(tell("smtpd_expansion_filter").contains("default `` \\t\\40!"));
    }
}
