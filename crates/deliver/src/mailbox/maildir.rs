//! Maildir delivery: `tmp`, sync, then `new`, under a name that is unique for ever.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::failure::{Failure, Unexplained};
use super::frame::{self, Content};
use super::{MailboxJob, MaildirPlace};
use crate::privilege::{Acting, Rights};

/// Tells apart the files this process writes in one second.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A message in `tmp` that is not on disk yet. Dropped, its file is removed.
pub struct Written {
    rights: Rights,
    device: u64,
    file: File,
    tmp: Temporary,
    new: PathBuf,
}

/// Writes one message into `tmp`; makes the directories when they are missing. `None` when an earlier attempt has
/// delivered it.
pub fn write(
    job: &MailboxJob,
    place: &MaildirPlace,
    content: Content<'_>,
) -> Result<Option<Written>, Failure> {
    let MaildirPlace { directory, stamp: (seconds, micros), token, host, again } = place;
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let tmp = directory.join("tmp").join(format!("{seconds}.P{}Q{count}.{host}", std::process::id()));
    let _acting = Acting::as_user(job.rights).map_err(|error| {
        let text = format!("create maildir file {}", tmp.display());
        Failure::io(text, &error, Unexplained::LATER)
    })?;
    if *again && is_there(directory, &format!("{token}.")) {
        log::info!("{}: message {token} is there since an earlier attempt", directory.display());
        return Ok(None);
    }
    let file =
        with_directories(directory, || exclusive(&tmp)).map_err(|error| cannot_create(&error, &tmp))?;
    let tmp = Temporary(tmp);
    copy(job, content, &file)
        .map_err(|error| Failure::io("error writing message", &error, Unexplained::WRITE))?;
    let meta = file.metadata().map_err(|error| cannot_create(&error, &tmp.0))?;
    // The inode exists as long as the message does: no other file has this name on this host.
    let name = format!("{seconds}.V{:x}I{:x}M{micros}{token}.{host}", meta.dev(), meta.ino());
    let new = directory.join("new").join(name);
    Ok(Some(Written { rights: job.rights, device: meta.dev(), file, tmp, new }))
}

impl Written {
    /// The file, and on which device it is.
    pub fn file(&self) -> (u64, &File) {
        (self.device, &self.file)
    }

    /// Returns once the message is on disk and in `new`; files on the devices of `synced` are on disk already.
    pub fn show(self, synced: &[u64]) -> Result<(), Failure> {
        let _acting = Acting::as_user(self.rights).map_err(|error| cannot_create(&error, &self.new))?;
        let Written { device, file, tmp, new, .. } = self;
        if !synced.contains(&device) {
            file.sync_data()
                .map_err(|error| Failure::io("error writing message", &error, Unexplained::WRITE))?;
        }
        let directory = new.parent().and_then(Path::parent).expect("it was put into a Maildir");
        with_directories(directory, || std::fs::rename(&tmp.0, &new))
            .map_err(|error| cannot_create(&error, &new))?;
        tmp.moved();
        Ok(())
    }
}

fn cannot_create(error: &io::Error, path: &Path) -> Failure {
    Failure::io(format!("create maildir file {}", path.display()), error, Unexplained::LATER)
}

/// Is a message with this in its name among those that were not removed? Whoever reads mail moves it to `cur`, and adds
/// flags at the end.
fn is_there(directory: &Path, token: &str) -> bool {
    ["new", "cur"].iter().any(|name| {
        let entries = std::fs::read_dir(directory.join(name)).into_iter().flatten().flatten();
        entries
            .into_iter()
            .any(|entry| memchr::memmem::find(entry.file_name().as_bytes(), token.as_bytes()).is_some())
    })
}

fn exclusive(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn copy(job: &MailboxJob, content: Content<'_>, mut file: &File) -> io::Result<()> {
    if job.limit > 0 && job.head.len() as u64 + content.size() > job.limit {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    frame::copy(&job.head, content, &frame::Dress::plain(), &mut file).map(|_| ())
}

/// Tries `act`; when a directory is missing, makes all of them and tries again.
fn with_directories<T>(directory: &Path, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match act() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            for name in ["tmp", "cur", "new"] {
                DirBuilder::new().recursive(true).mode(0o700).create(directory.join(name))?;
            }
            act()
        }
        other => other,
    }
}

/// Removes the temporary file of a delivery that failed.
struct Temporary(PathBuf);

impl Temporary {
    fn moved(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty()
            && let Err(error) = std::fs::remove_file(&self.0)
        {
            log::warn!("remove {}: {error}", self.0.display());
        }
    }
}
