//! How a queue is opened, and what is found in it.

use std::path::PathBuf;

/// How a queue is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `queue_directory`.
    pub directory: PathBuf,
    /// `enable_long_queue_ids`.
    pub long_ids: bool,
    /// Content up to this many bytes lives in the journal; more goes to a file of its own.
    pub inline_limit: usize,
    /// A new segment is begun after so many bytes.
    pub segment_size: u64,
    /// So many bytes of fresh messages are kept in memory for the delivery that follows.
    pub cache_size: usize,
}

impl Settings {
    /// The usual sizes.
    pub fn new(directory: impl Into<PathBuf>) -> Settings {
        Settings {
            directory: directory.into(),
            long_ids: false,
            inline_limit: 64 << 10,
            segment_size: 32 << 20,
            cache_size: 16 << 20,
        }
    }
}

/// What was found when the queue was opened.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Messages in the queue.
    pub messages: usize,
    /// Bytes of torn records cut from the end of segments: nobody was told that they are safe.
    pub cut: u64,
    /// Damaged records, set aside in `corrupt`.
    pub damaged: Vec<Damage>,
}

/// A piece of the journal that could not be read.
#[derive(Clone, Debug)]
pub struct Damage {
    /// The segment.
    pub segment: PathBuf,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
    /// Where its bytes are now.
    pub set_aside: Option<PathBuf>,
}
