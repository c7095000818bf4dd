//! Where things are within `queue_directory`.

use std::path::{Path, PathBuf};

/// The places of one queue.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Layout {
        Layout { root: root.to_owned() }
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What `sendmail` left for us.
    pub(crate) fn maildrop(&self) -> PathBuf {
        self.root.join("maildrop")
    }

    /// Segments of the journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// One segment.
    pub(crate) fn segment(&self, number: u32) -> PathBuf {
        self.journal().join(format!("{number:010}"))
    }

    /// Contents too large for the journal.
    pub(crate) fn bodies(&self) -> PathBuf {
        self.root.join("journal/body")
    }

    /// Contents that are still coming in.
    pub(crate) fn drafts(&self) -> PathBuf {
        self.root.join("journal/draft")
    }

    /// Damaged records.
    pub(crate) fn corrupt(&self) -> PathBuf {
        self.root.join("corrupt")
    }

    /// Held by the program that has the queue open.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("journal/lock")
    }
}

/// The number of a segment with this file name.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    (name.len() == 10).then(|| name.parse().ok()).flatten()
}
