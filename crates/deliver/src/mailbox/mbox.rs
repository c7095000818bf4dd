//! Appending to an mbox file, or to any file: locked, and cut back to its old length when something fails.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use super::failure::{Failure, Unexplained};
use super::frame::{self, Content};
use super::open::open_append;
use super::{MailboxJob, MboxPlace, OpenAs};
use crate::privilege::{Acting, Rights};

/// Delivers one message.
pub fn deliver(
    job: &MailboxJob,
    place: &MboxPlace,
    content: Content<'_>,
    now: &dyn Fn() -> u64,
) -> Result<(), Failure> {
    let kind = place.unexplained;
    let act = |rights| {
        Acting::as_user(rights)
            .map_err(|e| Failure::io("cannot act as the recipient", &e, Unexplained::LATER))
    };
    let (_acting, owner) = match place.open_as {
        OpenAs::User => (act(job.rights)?, None),
        OpenAs::Group(gid) => (act(Rights { gid, ..job.rights })?, None),
        OpenAs::Ourselves => (Acting::as_ourselves(), Some((job.rights.uid, job.rights.gid))),
    };
    // A device or a pipe has no neighbours that look for a lock file.
    // The file is closed first, then its lock file removed, then the rights given back.
    let regular = std::fs::metadata(&place.path).map_or(true, |meta| meta.is_file());
    let _dotlock = if regular { place.locking.dotlock(&place.path, now, kind)? } else { None };
    let file = open_append(&place.path, owner, kind)?;
    let meta = file.metadata().map_err(|error| Failure::io("cannot open file", &error, kind))?;
    if !meta.is_file() {
        return special(job, place, content, &file);
    }
    let _locked = place
        .locking
        .lock(&file)
        .map_err(|error| Failure::io("unable to lock for exclusive access", &error, Unexplained::LATER))?;
    if place.strict_owner && meta.uid() != job.rights.uid {
        return Err(Failure::plain(
            format!("destination {} is not owned by recipient", place.path.display()),
            Unexplained::LATER,
        ));
    }
    append(job, content, &file)
        .map_err(|error| Failure::io("error writing message", &error, Unexplained::WRITE))?;
    Ok(())
}

fn append(job: &MailboxJob, content: Content<'_>, mut file: &File) -> io::Result<()> {
    let before = file.metadata()?.len();
    let result = frame::copy(
        &job.head,
        content,
        &frame::Dress::mbox(),
        &mut Limited {
            file: &mut file,
            left: if job.limit == 0 { u64::MAX } else { job.limit.saturating_sub(before) },
        },
    )
    .and_then(|_| file.sync_data());
    if result.is_err()
        && let Err(error) = file.set_len(before)
    {
        log::warn!("truncate mailbox after failed delivery: {error}");
    }
    result
}

fn special(
    job: &MailboxJob,
    place: &MboxPlace,
    content: Content<'_>,
    mut file: &File,
) -> Result<(), Failure> {
    if !place.special {
        return Err(Failure::plain(
            format!("destination {} is not a regular file", place.path.display()),
            Unexplained::NEVER,
        ));
    }
    frame::copy(&job.head, content, &frame::Dress::mbox(), &mut file)
        .map(|_| ())
        .map_err(|error| Failure::io("error writing message", &error, Unexplained::WRITE))
}

/// Fails as the kernel does at a file size limit.
struct Limited<'a> {
    file: &'a mut dyn io::Write,
    left: u64,
}

impl io::Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        let len = self.file.write(bytes)?;
        self.left -= len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
