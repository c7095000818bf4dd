//! doveadm(1): looks at accounts and mailboxes and changes them, with Dovecot's words, output and exit statuses.

pub(super) mod account;
mod acl;
mod change;
mod fetch;
mod mailboxes;
mod metadata;
mod options;
mod people;
mod print;
mod query;
mod quota;
mod search;
mod sync;
#[cfg(test)]
mod tests;
mod who;
mod whom;

use std::ffi::OsString;
use std::path::PathBuf;

use print::Format;

use super::Command;
use crate::config::{self, Config};
use crate::logging;

/// The command.
pub const COMMAND: Command =
    Command { name: "doveadm", summary: "look at accounts and mailboxes, search and change them", run };

/// EX_USAGE
const USAGE: u8 = 64;
/// EX_DATAERR
const IMPOSSIBLE: u8 = 65;
/// EX_NOUSER
const NO_USER: u8 = 67;
/// What Dovecot says of a mailbox or message that is not there.
const NOT_FOUND: u8 = 68;
/// EX_TEMPFAIL
const FAILED: u8 = 75;
/// EX_NOPERM
const DENIED: u8 = 77;

/// How a command is called, besides its own words.
struct Call {
    /// `-f`
    format: Option<Format>,
    /// `-v`
    verbose: bool,
    /// `-o`
    settings: Vec<(String, String)>,
    config: Config,
}

/// Why a command ends: its exit status and what is said, if anything.
#[derive(Debug)]
struct End {
    status: u8,
    text: String,
}

impl End {
    fn usage(text: impl Into<String>) -> End {
        End { status: USAGE, text: text.into() }
    }

    fn fatal(text: impl std::fmt::Display) -> End {
        End { status: FAILED, text: format!("Fatal: {text}") }
    }
}

/// A command of doveadm.
struct Verb {
    /// Its words, such as `mailbox list`.
    name: &'static str,
    /// What its options and arguments are.
    usage: &'static str,
    run: fn(&Call, &Verb, &[String]) -> Result<u8, End>,
}

const VERBS: &[&[Verb]] = &[
    acl::VERBS,
    people::VERBS,
    mailboxes::VERBS,
    metadata::VERBS,
    search::VERBS,
    change::VERBS,
    quota::VERBS,
    sync::VERBS,
    who::VERBS,
];

fn verbs() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().copied().flatten()
}

fn run(words: Vec<OsString>) -> u8 {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match work(&words) {
        Ok(status) => status,
        Err(end) => {
            if !end.text.is_empty() {
                eprintln!("{}", end.text);
            }
            end.status
        }
    }
}

fn work(words: &[String]) -> Result<u8, End> {
    let parsed = options::read(words, "Dvc:f:o:", || usage(""))?;
    let given = parsed.value('c').map(PathBuf::from);
    let format = match parsed.value('f') {
        Some(name) => {
            let text = || format!("doveadm: Fatal: Unknown print formatter: {name}");
            Some(Format::named(name).ok_or_else(|| End { status: FAILED, text: text() })?)
        }
        None => None,
    };
    let words = &parsed.rest;
    // The longest name that fits: `mailbox list` before `mailbox`.
    let fits = |verb: &&Verb| {
        let name: Vec<&str> = verb.name.split(' ').collect();
        words.len() >= name.len() && words.iter().zip(&name).all(|(word, name)| word == name)
    };
    let Some(first) = words.first() else { return Err(End::usage(usage(""))) };
    let Some(verb) = verbs().filter(fits).max_by_key(|verb| verb.name.len()) else {
        let family = verbs().any(|verb| verb.name.split(' ').next() == Some(first));
        return Err(End::usage(usage(if family { first } else { "" })));
    };
    let _ = logging::start(logging::Target::Command("doveadm"), "dovecot", false);
    // Standard error is for what went wrong, unless more is asked for.
    if !parsed.has('D') {
        log::set_max_level(log::LevelFilter::Warn);
    }
    let mut config = Config::main_only(&config::directory(given.as_deref()), "doveadm");
    let setting = |text: &str| {
        let (name, value) =
            text.split_once('=').ok_or_else(|| End::usage(format!("-o {text}: write name=value")))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    let settings = parsed.values('o').map(setting).collect::<Result<Vec<_>, End>>()?;
    config.view = config.view.with_overrides(&settings);
    config.usable().map_err(End::fatal)?;
    let call = Call { format, verbose: parsed.has('v'), settings, config };
    (verb.run)(&call, verb, &words[verb.name.split(' ').count()..])
}

/// The commands, or those of one family.
fn usage(family: &str) -> String {
    let mut text = format!("usage: doveadm [-c config_dir] [-Dv] [-f <formatter>] {family}");
    text.push_str(if family.is_empty() { "<command> [<args>]" } else { " <command> [<args>]" });
    for verb in verbs().filter(|verb| family.is_empty() || verb.name.split(' ').next() == Some(family)) {
        text.push_str(&format!("\n  {:<20} {}", verb.name, verb.usage));
    }
    text
}

impl Verb {
    /// What is said where the words are wrong.
    fn wrong(&self) -> End {
        End::usage(format!("doveadm {} {}", self.name, self.usage))
    }
}
