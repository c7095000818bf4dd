//! Finds and reads the configuration for a command.

use std::path::{Path, PathBuf};

use conf::{Facts, MainCf, MasterCf, Mistake, Severity, View};

/// A configuration directory, read.
pub struct Config {
    /// main.cf, declarations and facts.
    pub view: View,
    /// master.cf.
    pub master: MasterCf,
    /// What is wrong with either, with file and line.
    pub mistakes: Vec<Mistake>,
}

impl Config {
    /// Reads the configuration in `directory` for the program called `program` (`$process_name`).
    pub fn read(directory: &Path, program: &str) -> Config {
        let (main, mut mistakes) = MainCf::read(directory);
        let (master, more) = MasterCf::read(directory);
        mistakes.extend(more);
        let view = View::new(crate::params::registry(), main, facts(directory, program));
        Config { view, master, mistakes }
    }

    /// Only main.cf: what commands need that do not look at services.
    pub fn main_only(directory: &Path, program: &str) -> Config {
        let (main, mistakes) = MainCf::read(directory);
        let view = View::new(crate::params::registry(), main, facts(directory, program));
        Config { view, master: MasterCf::default(), mistakes }
    }

    /// The mistakes that forbid going on.
    pub fn fatal(&self) -> impl Iterator<Item = &Mistake> {
        self.mistakes.iter().filter(|mistake| mistake.severity == Severity::Fatal)
    }
}

/// The configuration directory: `-c` on the command line, `MAIL_CONFIG` in the environment, or /etc/postfix.
///
/// It is made absolute, so that it stays right after a change of directory.
pub fn directory(given: Option<&Path>) -> PathBuf {
    let found = match given {
        Some(given) => given.to_owned(),
        None => std::env::var_os("MAIL_CONFIG").map_or_else(|| PathBuf::from("/etc/postfix"), PathBuf::from),
    };
    std::path::absolute(&found).unwrap_or(found)
}

/// What this machine says of itself.
pub fn facts(directory: &Path, program: &str) -> Facts {
    let host_name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    Facts {
        host_name: host_name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned()),
        config_directory: directory.to_owned(),
        process_name: program.to_owned(),
        process_id: std::process::id(),
        interfaces: crate::interfaces::networks(),
    }
}
