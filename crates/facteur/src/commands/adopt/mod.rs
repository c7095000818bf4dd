//! `facteur adopt dovecot`: what a configuration of Dovecot is called here, and what mail it would serve. Nothing is
//! changed.

mod accounts;
mod census;
mod plan;
mod services;
mod syntax;
#[cfg(test)]
mod tests;
mod translate;
mod variables;

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Command;
use plan::Plan;
use syntax::Tree;

/// The command.
pub const COMMAND: Command =
    Command { name: "adopt", summary: "say what a configuration of Dovecot is called here", run };

/// Where Dovecot has its configuration.
const FILE: &str = "/etc/dovecot/dovecot.conf";

/// Largest text that is read from the input.
const LIMIT: u64 = 16 << 20;

struct Options {
    file: PathBuf,
    /// Part of the names of accounts to count; `None` counts none.
    count: Option<String>,
    mailboxes: bool,
}

fn run(words: Vec<OsString>) -> u8 {
    let done = options(words).and_then(|options| Ok((read(&options.file)?, options)));
    match done {
        Ok((tree, options)) => {
            let plan = finished(&tree);
            tell(&plan);
            let counted = options.count.is_none_or(|part| count(&plan, &part, options.mailboxes));
            u8::from(!(plan.left.is_empty() && counted))
        }
        Err(what) => {
            eprintln!("facteur adopt: {what}");
            64
        }
    }
}

fn options(words: Vec<OsString>) -> Result<Options, String> {
    const USAGE: &str = "usage: facteur adopt dovecot [--no-count | --user PART] [--mailboxes] [FILE | -]";
    let mut options = Options { file: FILE.into(), count: Some(String::new()), mailboxes: false };
    let mut parser = lexopt::Parser::from_args(words);
    let mut given = Vec::new();
    while let Some(argument) = parser.next().map_err(|error| format!("{error}\n{USAGE}"))? {
        match argument {
            lexopt::Arg::Long("no-count") => options.count = None,
            lexopt::Arg::Long("mailboxes") => options.mailboxes = true,
            lexopt::Arg::Long("user") => {
                options.count = Some(super::value(&mut parser)?.to_string_lossy().into_owned());
            }
            lexopt::Arg::Value(word) => given.push(word),
            other => return Err(format!("{}\n{USAGE}", other.unexpected())),
        }
    }
    match given.as_slice() {
        [what] if what == "dovecot" => Ok(options),
        [what, file] if what == "dovecot" => Ok(Options { file: file.into(), ..options }),
        _ => Err(USAGE.to_owned()),
    }
}

/// A file, a directory with dovecot.conf in it, or `-` for what `doveconf -n` prints.
fn read(file: &Path) -> Result<Tree, String> {
    if file == Path::new("-") {
        let mut text = String::new();
        let input = std::io::stdin().lock().take(LIMIT).read_to_string(&mut text);
        input.map_err(|error| format!("cannot read the input: {error}"))?;
        return Ok(syntax::parse(&text, Path::new("(input)")));
    }
    syntax::read(&if file.is_dir() { file.join("dovecot.conf") } else { file.to_owned() })
}

/// The plan of a configuration, with what could not be read, and what we would say of the parameters.
fn finished(tree: &Tree) -> Plan {
    let mut plan = translate::translate(&tree.root, &crate::params::registry());
    plan.left.extend(tree.mistakes.iter().cloned());
    for setting in &tree.hidden {
        match translate::needless(&setting.name) {
            Some(why) => plan.needless(&setting.name, why),
            None => {
                plan.leave(
                    &setting.at,
                    &setting.name,
                    "its value is hidden: read the file itself, or what doveconf -nP prints",
                );
            }
        }
    }
    plan.left.extend(census::mistakes(&census::view(&plan)));
    plan
}

/// Prints a plan.
fn tell(plan: &Plan) {
    println!("# For main.cf\n{}", plan.main_cf());
    println!("# For master.cf\n{}", plan.master.iter().map(|line| format!("{line}\n")).collect::<String>());
    for (path, text) in &plan.files {
        println!("# For {path}, readable for root only\n{text}");
    }
    list("To know", plan.notes.iter().cloned());
    list("Needs no line here", plan.needless.iter().map(|(what, why)| format!("{what}: {why}")));
    list("NOT TRANSLATED", plan.left.iter().cloned());
}

fn list(title: &str, lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() > 0 {
        println!("# {title}");
        lines.for_each(|line| println!("#   {line}"));
        println!();
    }
}

/// Counts the mail that would be served; whether all of it can be read.
fn count(plan: &Plan, part: &str, mailboxes: bool) -> bool {
    if plan.get("mail_location").is_none() {
        println!("# Nothing counted: mail_location is not translated");
        return false;
    }
    let counted = match census::count(&census::view(plan), part) {
        Ok(counted) => counted,
        Err(why) => {
            println!("# Nothing counted: {why}");
            return false;
        }
    };
    println!("# Would be served: account, mailboxes, messages, UIDVALIDITY of INBOX");
    let (mut accounts, mut boxes, mut messages, mut well) = (0, 0, 0, true);
    for one in counted {
        match one.found {
            Ok(found) => {
                let sum: u64 = found.iter().map(|tally| tally.messages).sum();
                let inbox =
                    found.iter().find(|tally| tally.name.is_inbox()).and_then(|tally| tally.uidvalidity);
                println!("#   {} {} {sum} {}", one.user, found.len(), shown(inbox));
                for tally in found.iter().filter(|_| mailboxes) {
                    println!("#     {} {} {}", tally.name.as_str(), tally.messages, shown(tally.uidvalidity));
                }
                (accounts, boxes, messages) = (accounts + 1, boxes + found.len(), messages + sum);
            }
            Err(why) => {
                println!("#   {}: {why}", one.user);
                well = false;
            }
        }
    }
    println!("#   in all: {accounts} accounts, {boxes} mailboxes, {messages} messages");
    well
}

/// A UIDVALIDITY; `-` where none was given yet.
fn shown(uidvalidity: Option<u32>) -> String {
    uidvalidity.map_or_else(|| "-".to_owned(), |number| number.to_string())
}
