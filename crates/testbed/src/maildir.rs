//! Reads a Maildir.

use std::fs;
use std::path::{Path, PathBuf};

use crate::wait;

/// A Maildir, which need not exist yet.
pub struct Maildir {
    directory: PathBuf,
    /// Told when mail does not come.
    log: Option<PathBuf>,
}

impl Maildir {
    /// The one in `directory`.
    pub fn at(directory: impl Into<PathBuf>) -> Maildir {
        Maildir { directory: directory.into(), log: None }
    }

    /// A failure shows this log.
    pub fn with_log(self, log: impl Into<PathBuf>) -> Maildir {
        Maildir { log: Some(log.into()), ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// The messages in `new` as they are on disk, in no order.
    pub fn messages(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.directory.join("new")) else { return Vec::new() };
        let files = entries.map(|entry| entry.expect("a Maildir can be listed").path());
        files
            .map(|file| String::from_utf8_lossy(&fs::read(file).expect("mail can be read")).into_owned())
            .collect()
    }

    /// Waits until there are so many messages; more are wrong.
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let found = wait::within(wait::LIMIT, || Some(self.messages()).filter(|found| found.len() >= count));
        let found = found.unwrap_or_else(|| {
            let log = self.log.as_ref().and_then(|log| fs::read_to_string(log).ok()).unwrap_or_default();
            panic!(
                "{}: {count} expected, there are only {:#?}\n{log}",
                self.directory.display(),
                self.messages()
            )
        });
        assert_eq!(found.len(), count, "{}: {found:#?}", self.directory.display());
        found
    }

    /// Waits for the only message.
    pub fn one(&self) -> String {
        self.wait_for(1).remove(0)
    }
}
