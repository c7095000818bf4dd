//! `facteur directory`: the file itself.

use std::ffi::OsString;

use people::directory::VERSION;

use super::options::Options;
use super::{Verb, existing, import, wait};
use crate::commands::Command;

/// The command.
pub const COMMAND: Command = Command {
    name: "directory",
    summary: "import accounts into the directory; bring it to another schema",
    run,
};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "migrate",
        usage: "[--to VERSION]",
        doc: "goes forward to this release's version, or back to an older one before a downgrade",
        run: migrate,
    },
    Verb {
        name: "import",
        usage: "passwd DIR [--domain DOMAIN] | postfixadmin|vimbadmin|mailcow|iredmail URI [--yes]",
        doc: "shows the domains, accounts and aliases of another system, and takes them over with --yes",
        run: import::import,
    },
];

fn run(words: Vec<OsString>) -> u8 {
    super::run("directory", VERBS, words)
}

fn migrate(options: &Options) -> Result<(), String> {
    let [] = options.exactly()?;
    let to = options.number("to")?.unwrap_or(VERSION);
    let from = wait(existing(options)?.migrate(to))?;
    println!("schema {from} is now schema {to}");
    Ok(())
}
