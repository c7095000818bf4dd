//! What commands share that read the journal of accepted and refused mail.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::{self, Config};
use crate::trace::{self, Event};

/// A command line of such a command.
pub struct Asked {
    config: Option<PathBuf>,
    /// `--json`.
    pub json: bool,
    /// What is looked for.
    pub words: Vec<String>,
}

impl Asked {
    /// Reads `[-c config_dir] [--json] WORD ...`.
    ///
    /// # Errors
    /// An option that is none of these: a sentence, and the usage.
    pub fn parse(words: Vec<OsString>, usage: &str) -> Result<Asked, String> {
        let mut parser = lexopt::Parser::from_args(words);
        let mut asked = Asked { config: None, json: false, words: Vec::new() };
        while let Some(argument) = parser.next().map_err(|error| format!("{error}\n{usage}"))? {
            match argument {
                lexopt::Arg::Short('c') => asked.config = Some(super::value(&mut parser)?.into()),
                lexopt::Arg::Long("json") | lexopt::Arg::Short('j') => asked.json = true,
                lexopt::Arg::Value(value) => asked.words.push(value.to_string_lossy().into_owned()),
                other => return Err(format!("{}\n{usage}", other.unexpected())),
            }
        }
        Ok(asked)
    }

    /// The events of the journal, the oldest first.
    ///
    /// # Errors
    /// There is no journal to read: a sentence.
    pub fn events(&self) -> Result<Vec<Event>, String> {
        let config = Config::main_only(&config::directory(self.config.as_deref()), "facteur");
        trace::read(Path::new(&config.view.get("data_directory"))).map_err(|error| {
            format!(
                "no journal to read: {error}; the program keeps one while it runs, unless trace_size_limit is 0"
            )
        })
    }
}
