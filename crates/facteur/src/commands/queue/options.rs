//! The command line of `facteur queue`.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::Arg;

use super::filter::Filter;
use crate::commands::value;

/// What was asked for.
#[derive(Debug, Default)]
pub struct Options {
    /// The first word.
    pub command: String,
    /// `-c`: our own configuration.
    pub config: Option<PathBuf>,
    /// Which messages.
    pub filter: Filter,
    /// Queue ids, or a directory.
    pub names: Vec<String>,
    /// `--json`
    pub json: bool,
    /// `--yes`
    pub yes: bool,
    /// `--dry-run`
    pub dry_run: bool,
    /// `--config`: the configuration of a Postfix.
    pub postfix: Option<PathBuf>,
}

/// Reads the words after `facteur queue`. The error is a sentence.
pub fn parse(words: Vec<OsString>) -> Result<Options, String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('c') => options.config = Some(text(&mut parser)?.into()),
            Arg::Long("config") => options.postfix = Some(text(&mut parser)?.into()),
            Arg::Long("json") | Arg::Short('j') => options.json = true,
            Arg::Long("yes") => options.yes = true,
            Arg::Long("dry-run") | Arg::Short('n') => options.dry_run = true,
            Arg::Long(name) => {
                let name = name.to_owned();
                options.filter.add(&name, &text(&mut parser)?)?;
            }
            Arg::Short(other) => return Err(format!("invalid option -- '{other}'")),
            Arg::Value(word) if options.command.is_empty() => {
                options.command = word.to_string_lossy().into_owned();
            }
            Arg::Value(word) => options.names.push(word.to_string_lossy().into_owned()),
        }
    }
    if options.command.is_empty() {
        return Err("a command is missing".to_owned());
    }
    Ok(options)
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    value(parser).map(|value| value.to_string_lossy().into_owned())
}
