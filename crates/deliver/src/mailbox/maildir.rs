//! Maildir delivery: `tmp`, sync, then `new`, under a name that is unique for ever.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::MailboxJob;
use super::failure::{Failure, Unexplained};
use super::frame::{self, Content};
use crate::privilege::Acting;

/// Tells apart the files this process writes in one second.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Delivers one message; makes the directories when they are missing.
pub fn deliver(
    job: &MailboxJob,
    directory: &Path,
    (seconds, micros): (i64, u32),
    host: &str,
    content: Content<'_>,
) -> Result<(), Failure> {
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let tmp = directory.join("tmp").join(format!("{seconds}.P{}Q{count}.{host}", std::process::id()));
    let _acting = Acting::as_user(job.rights).map_err(|error| {
        let text = format!("create maildir file {}", tmp.display());
        Failure::io(text, &error, Unexplained::LATER)
    })?;
    let create = |error: io::Error, path: &Path| {
        Failure::io(format!("create maildir file {}", path.display()), &error, Unexplained::LATER)
    };
    let file = with_directories(directory, || exclusive(&tmp)).map_err(|error| create(error, &tmp))?;
    let unwritten = Unwritten(Some(&tmp));
    write(job, content, &file)
        .map_err(|error| Failure::io("error writing message", &error, Unexplained::WRITE))?;
    let meta = file.metadata().map_err(|error| create(error, &tmp))?;
    // The inode exists as long as the message does: no other file has this name on this host.
    let name = format!("{seconds}.V{:x}I{:x}M{micros}.{host}", meta.dev(), meta.ino());
    let new = directory.join("new").join(name);
    with_directories(directory, || std::fs::rename(&tmp, &new)).map_err(|error| create(error, &new))?;
    unwritten.done();
    Ok(())
}

fn exclusive(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn write(job: &MailboxJob, content: Content<'_>, mut file: &File) -> io::Result<()> {
    if job.limit > 0 && job.head.len() as u64 + content.size() > job.limit {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    frame::copy(&job.head, content, &frame::Dress::plain(), &mut file)?;
    file.sync_data()
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
struct Unwritten<'a>(Option<&'a Path>);

impl Unwritten<'_> {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.0
            && let Err(error) = std::fs::remove_file(path)
        {
            log::warn!("remove {}: {error}", path.display());
        }
    }
}
