//! newaliases(1): compiles the tables of `alias_database`. Other programs' options are accepted and ignored.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Command;
use super::postalias::POSTALIAS;
use super::postmap::run_as;
use crate::config::{self, Config};

/// The command.
pub const COMMAND: Command =
    Command { name: "newaliases", summary: "compile the tables of alias_database", run };

fn run(words: Vec<OsString>) -> u8 {
    let mut words = words.into_iter();
    let mut given: Option<PathBuf> = None;
    while let Some(word) = words.next() {
        // `-C dir`, as sendmail has it.
        if word == "-C" {
            given = words.next().map(PathBuf::from);
        }
    }
    let directory = config::directory(given.as_deref());
    let databases = Config::main_only(&directory, "newaliases").view.get("alias_database");
    let tables = tables::divide(&databases);
    if tables.is_empty() {
        return 0;
    }
    let mut arguments = vec![OsString::from("-c"), directory.into_os_string(), OsString::from("--")];
    arguments.extend(tables.into_iter().map(OsString::from));
    run_as(&POSTALIAS, arguments)
}
