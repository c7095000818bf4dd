//! The options that all of these commands share, and the values of the others.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::Arg;

use crate::config::{self, Config};

/// What stands behind the verb.
#[derive(Debug, Default)]
pub struct Options {
    /// Words that are no options.
    pub words: Vec<String>,
    /// `--json`: for programs.
    pub json: bool,
    directory: Option<PathBuf>,
    values: Vec<(String, String)>,
    switches: Vec<String>,
}

/// Options with a value.
const VALUES: &[&str] = &[
    "hash", "scheme", "role", "uid", "gid", "home", "mail", "quota", "fields", "domain", "scope", "expires",
    "to", "via",
];

/// Options without.
const SWITCHES: &[&str] = &["no-password", "queued", "yes"];

impl Options {
    /// Reads the words behind the verb.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(words: Vec<OsString>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut parser = lexopt::Parser::from_args(words);
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            match argument {
                Arg::Short('c') => options.directory = Some(super::super::value(&mut parser)?.into()),
                Arg::Long("json") => options.json = true,
                Arg::Long(name) if SWITCHES.contains(&name) => options.switches.push(name.to_owned()),
                Arg::Long(name) if VALUES.contains(&name) => {
                    let name = name.to_owned();
                    let value = super::super::value(&mut parser)?;
                    let value = value.into_string().map_err(|_| format!("--{name}: not UTF-8"))?;
                    options.values.push((name, value));
                }
                Arg::Value(word) => {
                    options
                        .words
                        .push(word.into_string().map_err(|_| "an argument is not UTF-8".to_owned())?);
                }
                other => return Err(other.unexpected().to_string()),
            }
        }
        Ok(options)
    }

    /// The value of an option.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of an option that is a number.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&self, name: &str) -> Result<Option<u32>, String> {
        let number = |text: &str| text.parse().map_err(|_| format!("--{name} {text}: a number is expected"));
        self.value(name).map(number).transpose()
    }

    /// Is a switch on?
    pub fn has(&self, name: &str) -> bool {
        self.switches.iter().any(|known| known == name)
    }

    /// The words, of which there must be so many.
    ///
    /// # Errors
    /// There are fewer or more.
    pub fn exactly<const N: usize>(&self) -> Result<[&str; N], String> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        words.try_into().map_err(|words: Vec<&str>| match N.cmp(&words.len()) {
            std::cmp::Ordering::Greater => "an argument is missing; see --help".to_owned(),
            _ => format!("too many arguments: {}", words.join(" ")),
        })
    }

    /// The configuration.
    pub fn config(&self) -> Config {
        Config::main_only(&config::directory(self.directory.as_deref()), "facteur")
    }

    /// `directory_database`.
    pub fn database(&self) -> String {
        self.config().view.get("directory_database")
    }
}
