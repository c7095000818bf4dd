//! postmap(1), and what postalias(1) and newaliases(1) share with it.

mod build;
mod message;
mod options;
mod query;

use conf::Block;
use std::ffi::OsString;

use tables::{Keys, MainCf, SourceFormat, Spec, Tables};

use super::Command;
use crate::config::{self, Config};
use crate::logging;
use options::{Asked, Options};

/// The command.
pub const COMMAND: Command =
    Command { name: "postmap", summary: "compile, ask or change lookup tables", run };

fn run(words: Vec<OsString>) -> u8 {
    run_as(&POSTMAP, words)
}

/// What tells postmap and postalias apart.
pub struct Dialect {
    /// The name in messages.
    pub name: &'static str,
    /// Letters of the options that it takes.
    pub letters: &'static str,
    /// Shown when it is called wrongly.
    pub usage: &'static str,
    /// How source text is read.
    pub format: SourceFormat,
    /// What stands after a key in output.
    pub after_key: &'static str,
}

const POSTMAP: Dialect = Dialect {
    name: "postmap",
    letters: "bcdfFhimnNopqrsuUvw",
    usage: "postmap [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    format: SourceFormat::Map,
    after_key: "",
};

/// Exit status of success, and of "not found" or failure.
const FOUND: u8 = 0;
const FAILED: u8 = 1;

/// Runs postmap or postalias.
pub fn run_as(dialect: &'static Dialect, words: Vec<OsString>) -> u8 {
    let options = match Options::read(dialect, words) {
        Ok(options) => options,
        Err(what) => return fatal(dialect, &what),
    };
    if let Err(what) = logging::start(logging::Target::Command(dialect.name), "postfix", options.verbose) {
        return fatal(dialect, &what);
    }
    let directory = config::directory(options.config.as_deref());
    let config = Config::main_only(&directory, dialect.name);
    if let Err(what) = config.usable() {
        return fatal(dialect, &what);
    }
    match Tool::new(dialect, options, &config).run() {
        Ok(status) => status,
        Err(what) => fatal(dialect, &what),
    }
}

fn fatal(dialect: &Dialect, what: &str) -> u8 {
    eprintln!("{}: fatal: {what}", dialect.name);
    FAILED
}

/// The command at work.
struct Tool {
    dialect: &'static Dialect,
    options: Options,
    tables: Tables,
    keys: Keys,
    specs: Vec<Spec>,
    utf8: bool,
    myhostname: String,
}

impl Tool {
    fn new(dialect: &'static Dialect, options: Options, config: &Config) -> Tool {
        let view = &config.view;
        let utf8 = view.get("smtputf8_enable") == "yes" && !options.no_utf8;
        let default_type = view.get("default_database_type");
        let main_cf = view.clone();
        let settings = tables::Settings {
            utf8,
            aliases: format!("{} {}", view.get("alias_maps"), view.get("alias_database")),
            myhostname: view.get("myhostname"),
            program: dialect.name,
            main_cf: MainCf::new(move |name| main_cf.is_set(name).then(|| main_cf.get(name))),
            databases: tables::params::Settings::read(view, &mut Vec::new()).databases(),
        };
        let spec = |word: &String| match word.split_once(':') {
            Some((kind, name)) => Spec { kind: kind.to_owned(), name: name.to_owned() },
            None => Spec { kind: default_type.clone(), name: word.clone() },
        };
        Tool {
            dialect,
            specs: options.tables.iter().map(spec).collect(),
            // Header and body lines may hold anything; -U wants them checked all the same.
            keys: Keys {
                fold: !options.no_fold,
                utf8: utf8 && (options.force_utf8 || !options.as_message()),
                substitute: true,
            },
            tables: Tables::new(settings),
            myhostname: view.get("myhostname"),
            utf8,
            options,
        }
    }

    fn run(&self) -> Result<u8, String> {
        match &self.options.asked {
            Asked::Build => self.build(),
            Asked::Dump => self.dump(),
            Asked::Query(key) => query::run(self, key),
            Asked::Delete(key) => self.delete(key),
        }
    }

    fn warn_of_empty_value(&self, spec: &Spec, key: &[u8]) {
        let key = mail::logline::printable(&String::from_utf8_lossy(key));
        let name = self.dialect.name;
        log::warn!(target: name, "table {spec}: key {key}: empty string result is not allowed");
        log::warn!(target: name, "table {spec} should return NO RESULT in case of NOT FOUND");
    }

    fn open(&self, spec: &Spec) -> Result<tables::Single, String> {
        if spec.kind.is_empty() || spec.name.is_empty() {
            return Err(format!("open dictionary: expecting \"type:name\" form instead of \"{spec}\""));
        }
        self.tables.open(spec, self.keys)
    }
}
