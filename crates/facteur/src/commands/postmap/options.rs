//! The command line of postmap and postalias.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Dialect;

/// The command line.
pub struct Options {
    /// `-c`
    pub config: Option<PathBuf>,
    /// What to do.
    pub asked: Asked,
    /// `-b`, `-h`, `-m`: standard input is a message.
    pub body: bool,
    pub header: bool,
    pub mime: bool,
    /// `-f`
    pub no_fold: bool,
    /// `-F`
    pub files: bool,
    /// `-i`
    pub incremental: bool,
    /// `-N` and `-n`
    pub trailing_nul: Option<bool>,
    /// `-o`
    pub keep_root: bool,
    /// `-p`
    pub own_mode: bool,
    /// `-r`
    pub replace: bool,
    /// `-w`
    pub ignore: bool,
    /// `-u`
    pub no_utf8: bool,
    /// `-U`
    pub force_utf8: bool,
    /// `-v`
    pub verbose: bool,
    /// `type:name …`
    pub tables: Vec<String>,
}

/// What a call is for.
pub enum Asked {
    /// Compile, or add rows with `-i`.
    Build,
    /// `-s`
    Dump,
    /// `-q key`; `-` reads keys from standard input.
    Query(String),
    /// `-d key`; `-` reads keys from standard input.
    Delete(String),
}

impl Options {
    /// Reads the words after the name of the command.
    pub fn read(dialect: &Dialect, words: Vec<OsString>) -> Result<Options, String> {
        let usage = |what: String| {
            eprintln!("{}: {what}", dialect.name);
            format!("usage: {}", dialect.usage)
        };
        let mut options = Options {
            config: None,
            asked: Asked::Build,
            body: false,
            header: false,
            mime: false,
            no_fold: false,
            files: false,
            incremental: false,
            trailing_nul: None,
            keep_root: false,
            own_mode: false,
            replace: false,
            ignore: false,
            no_utf8: false,
            force_utf8: false,
            verbose: false,
            tables: Vec::new(),
        };
        let mut asked = Vec::new();
        let mut parser = lexopt::Parser::from_args(words);
        while let Some(argument) = parser.next().map_err(|error| usage(error.to_string()))? {
            let letter = match argument {
                lexopt::Arg::Value(word) => {
                    options.tables.push(word.to_string_lossy().into_owned());
                    continue;
                }
                lexopt::Arg::Short(letter) if dialect.letters.contains(letter) => letter,
                lexopt::Arg::Short(letter) => return Err(usage(format!("invalid option -- '{letter}'"))),
                lexopt::Arg::Long(name) => return Err(usage(format!("invalid option -- '{name}'"))),
            };
            let mut value = || {
                let value = super::super::value(&mut parser).map_err(|error| usage(error.to_string()))?;
                Ok::<_, String>(value.to_string_lossy().into_owned())
            };
            match letter {
                'c' => options.config = Some(value()?.into()),
                'd' => asked.push(Asked::Delete(value()?)),
                'q' => asked.push(Asked::Query(value()?)),
                's' => asked.push(Asked::Dump),
                'b' => options.body = true,
                'h' => options.header = true,
                'm' => options.mime = true,
                'f' => options.no_fold = true,
                'F' => options.files = true,
                'i' => options.incremental = true,
                'N' => options.trailing_nul = Some(true),
                'n' => options.trailing_nul = Some(false),
                'o' => options.keep_root = true,
                'p' => options.own_mode = true,
                'r' => options.replace = true,
                'w' => options.ignore = true,
                'u' => options.no_utf8 = true,
                'U' => options.force_utf8 = true,
                _ => options.verbose = true,
            }
        }
        if asked.len() > 1 {
            return Err("specify only one of -s -q or -d".to_owned());
        }
        options.asked = asked.pop().unwrap_or(Asked::Build);
        if options.tables.is_empty() {
            return Err(format!("usage: {}", dialect.usage));
        }
        let keys = matches!(&options.asked, Asked::Query(key) if key == "-");
        if (options.body || options.header || options.mime) && !keys {
            return Err("specify -b -h or -m only with \"-q -\"".to_owned());
        }
        Ok(options)
    }

    /// Is standard input a message, of which parts are the keys?
    pub fn as_message(&self) -> bool {
        self.body || self.header
    }
}
