//! Where the files of messages go that are in our queue.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use queue::spool::Place;

/// Below the spool.
pub const DIRECTORY: &str = "imported";

/// `imported/`, and what has to be synced of it.
pub struct Aside {
    root: PathBuf,
    touched: BTreeSet<PathBuf>,
}

impl Aside {
    /// Makes the directory.
    pub fn new(spool: &Path) -> Result<Aside, String> {
        let root = spool.join(DIRECTORY);
        make(&root)?;
        Ok(Aside { root, touched: BTreeSet::new() })
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Moves a message's file.
    pub fn take(&mut self, place: &Place) -> Result<(), String> {
        self.take_file(place.queue, &place.name, &place.path)
    }

    /// Moves a file. Nothing that is there already is overwritten.
    pub fn take_file(&mut self, queue: &str, name: &str, from: &Path) -> Result<(), String> {
        let directory = self.root.join(queue);
        make(&directory)?;
        let mut to = directory.join(name);
        let mut number = 1;
        while fs::symlink_metadata(&to).is_ok() {
            to = directory.join(format!("{name}.{number}"));
            number += 1;
        }
        fs::rename(from, &to)
            .map_err(|error| format!("cannot move {} to {}: {error}", from.display(), to.display()))?;
        self.touched.extend(from.parent().map(Path::to_owned));
        self.touched.insert(directory);
        Ok(())
    }

    /// Makes the moves durable.
    pub fn sync(&mut self) -> Result<(), String> {
        for directory in std::mem::take(&mut self.touched) {
            File::open(&directory)
                .and_then(|open| open.sync_all())
                .map_err(|error| format!("cannot sync {}: {error}", directory.display()))?;
        }
        Ok(())
    }
}

fn make(directory: &Path) -> Result<(), String> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| format!("cannot make {}: {error}", directory.display()))
}
