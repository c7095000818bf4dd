//! postconf(1): shows and changes main.cf and master.cf.

mod edit;
mod options;
mod print;
mod show_main;
mod show_master;
mod supported;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;

use conf::{MainCf, MasterCf, Mistake, Severity, View};

use super::Command;
use crate::config;
use options::{Options, Subject};

/// The command.
pub const COMMAND: Command =
    Command { name: "postconf", summary: "show or change parameters and services", run };

/// Why nothing more can be done, as printed after `fatal: `.
struct Fatal(String);

impl From<String> for Fatal {
    fn from(text: String) -> Self {
        Self(text)
    }
}

fn warn(text: impl Display) {
    eprintln!("postconf: warning: {text}");
}

fn run(words: Vec<OsString>) -> u8 {
    let mut out = String::new();
    let result = Options::parse(words).and_then(|options| act(&options, &mut out));
    // Nobody is left to tell when standard output is closed.
    let _ = std::io::stdout().write_all(out.as_bytes());
    match result {
        Ok(after) => {
            after.iter().for_each(warn);
            0
        }
        Err(Fatal(text)) => {
            eprintln!("postconf: fatal: {text}");
            1
        }
    }
}

/// Does what was asked; gives the warnings that follow the output.
fn act(options: &Options, out: &mut String) -> Result<Vec<String>, Fatal> {
    if options.changes() {
        edit::edit(options)?;
        return Ok(Vec::new());
    }
    match options.subject {
        Subject::Main => show_main::show(options, out),
        Subject::Services | Subject::Columns | Subject::Overrides => show_master::show(options, out),
        _ => supported::show(options, out).map(|()| Vec::new()),
    }
}

/// The configuration as postconf sees it.
struct Site {
    view: View,
    master: MasterCf,
}

impl Site {
    /// Reads main.cf (unless only defaults are asked for) and master.cf, and tells what is wrong with them.
    fn read(options: &Options) -> Result<Self, Fatal> {
        let dir = config::directory(options.directory.as_deref());
        let mut main = MainCf::default();
        if !options.has('d') {
            let (read, mistakes) = MainCf::read(&options.config_directory());
            tell(&mistakes)?;
            main = read;
            if options.names_directory() {
                main.set("config_directory", &options.config_directory().to_string_lossy());
            }
            for (name, value) in &options.overrides {
                main.set(name, value);
            }
        }
        let (master, mistakes) = MasterCf::read(&options.config_directory());
        let missing = options.subject == Subject::Main
            && mistakes.iter().all(|mistake| mistake.file.as_os_str().is_empty());
        if missing {
            mistakes.iter().for_each(warn);
        } else {
            tell(&mistakes)?;
        }
        let mut facts = config::facts(&dir, "postconf");
        if options.has('d') {
            // The default, whatever directory was named.
            facts.config_directory = "/etc/postfix".into();
        } else {
            facts.config_directory = options.config_directory();
        }
        Ok(Self { view: View::new(crate::params::registry(), main, facts), master })
    }
}

/// Tells warnings; the first mistake that nothing can be done with is fatal, and the others are named with it.
fn tell(mistakes: &[Mistake]) -> Result<(), Fatal> {
    let (fatal, others): (Vec<_>, Vec<_>) =
        mistakes.iter().partition(|mistake| mistake.severity == Severity::Fatal);
    others.iter().for_each(warn);
    let Some((first, more)) = fatal.split_first() else { return Ok(()) };
    let more: String = more.iter().map(|mistake| format!("\npostconf: and {mistake}")).collect();
    Err(Fatal(format!("{first}{more}")))
}

/// A mistake about a name: with its file, as postconf has always printed it, and no line.
fn without_line(mistake: &Mistake, options: &Options) -> String {
    if mistake.file.as_os_str().is_empty() {
        return format!("{}: {}", options.config_directory().join("main.cf").display(), mistake.text);
    }
    format!("{}: {}", mistake.file.display(), mistake.text)
}
