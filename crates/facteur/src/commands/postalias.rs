//! postalias(1): as postmap, with sources in the format of aliases(5).

use std::ffi::OsString;

use tables::SourceFormat;

use super::Command;
use super::postmap::{Dialect, run_as};

/// The command.
pub const COMMAND: Command =
    Command { name: "postalias", summary: "compile, ask or change alias tables", run };

/// What tells it from postmap.
pub const POSTALIAS: Dialect = Dialect {
    name: "postalias",
    letters: "cdfinNopqrsuvw",
    usage: "postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    format: SourceFormat::Aliases,
    after_key: ":",
};

fn run(words: Vec<OsString>) -> u8 {
    run_as(&POSTALIAS, words)
}
