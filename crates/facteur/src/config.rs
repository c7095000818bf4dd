//! Finds and reads the configuration for a command.

use std::path::{Path, PathBuf};

use conf::{Facts, Kind, MainCf, MasterCf, Mistake, Severity, View};

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
        let (mut master, more) = MasterCf::read(directory);
        mistakes.extend(more);
        let view = View::new(crate::params::registry(), main, facts(directory, program));
        add_store(&view, &mut master);
        Config { view, master, mistakes }
    }

    /// Only main.cf: what commands need that do not look at services.
    pub fn main_only(directory: &Path, program: &str) -> Config {
        let (main, mistakes) = MainCf::read(directory);
        let view = View::new(crate::params::registry(), main, facts(directory, program));
        Config { view, master: MasterCf::default(), mistakes }
    }

    /// Only main.cf, without a look at the network: what sendmail reads for each message.
    pub fn for_submission(directory: &Path) -> Config {
        let (main, mistakes) = MainCf::read(directory);
        let facts = facts_with(directory, "sendmail", Vec::new());
        let view = View::new(crate::params::registry_for_few(), main, facts);
        Config { view, master: MasterCf::default(), mistakes }
    }

    /// Whether a command can work with this: warnings are logged; a line that is no setting, or a wrong value
    /// among those that every program reads, is an error, all of them in one text.
    pub fn usable(&self) -> Result<(), String> {
        let (fatal, others): (Vec<&Mistake>, Vec<&Mistake>) =
            self.mistakes.iter().partition(|mistake| mistake.severity == Severity::Fatal);
        for mistake in others {
            log::warn!("{mistake}");
        }
        let mut texts: Vec<String> = fatal.iter().map(ToString::to_string).collect();
        let shared = crate::params::GROUPS.iter().filter(|group| ["conf", "queue"].contains(&group.room));
        for row in shared.flat_map(|group| group.rows) {
            let Some(text) = self.view.raw(row.name).filter(|_| row.kind != Kind::Raw) else { continue };
            let value = self.view.try_expand(text).map_err(|error| error.to_string());
            if let Err(wrong) = value.and_then(|value| row.check(&self.view, &value)) {
                let place = self.view.place(row.name);
                let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
                texts.push(Mistake::new(Severity::Error, place, wrong).to_string());
            }
        }
        if texts.is_empty() { Ok(()) } else { Err(texts.join("\n")) }
    }
}

/// Parameters that name a transport.
const TRANSPORTS: [&str; 6] = [
    "virtual_transport",
    "local_transport",
    "relay_transport",
    "default_transport",
    "mailbox_transport",
    "fallback_transport",
];

/// `virtual_transport = store` is all that delivery into our own mailboxes takes: no master.cf of Postfix has the
/// line for it, so it is there without one.
fn add_store(view: &View, master: &mut MasterCf) {
    let named = TRANSPORTS.iter().any(|name| view.get(name).split(':').next() == Some("store"));
    if named && !master.services.iter().any(|service| service.name == "store") {
        let (built_in, _) = MasterCf::parse("store unix - n n - - store", Path::new("master.cf"));
        master.services.extend(built_in.services);
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
    facts_with(directory, program, crate::interfaces::networks())
}

fn facts_with(directory: &Path, program: &str, interfaces: Vec<conf::Interface>) -> Facts {
    let host_name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    Facts {
        host_name: host_name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned()),
        config_directory: directory.to_owned(),
        process_name: program.to_owned(),
        process_id: std::process::id(),
        interfaces,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_needs_no_line_of_master_cf() {
        let check = |main: &str, master: &str| {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("main.cf"), main).unwrap();
            std::fs::write(directory.path().join("master.cf"), master).unwrap();
            let config = Config::read(directory.path(), "test");
            config.master.services.iter().filter(|service| service.name == "store").count()
        };
        assert_eq!(check("virtual_transport = store\n", ""), 1);
        assert_eq!(check("virtual_transport = store:\n", "store unix - - - - - store\n"), 1);
        assert_eq!(check("virtual_transport = virtual\n", ""), 0);
    }
}
