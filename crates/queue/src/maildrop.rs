//! Mail that `sendmail` left in `queue_directory/maildrop` because the program was down.
//!
//! Anybody may write there, so nothing in it is trusted: a file is read without following links, once, up to a
//! limit, and only when it is a plain file with one name. Its owner is who submitted it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use mail::Address;

use crate::{Failure, Kind, Submission};

/// A message in the maildrop.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// The file it is in; the reader removes it when the message is in the queue.
    pub path: PathBuf,
    /// When it was submitted: the time of the file.
    pub arrival: Timestamp,
    /// Owner of the file, which no submitter can forge.
    pub uid: u32,
    /// The message.
    pub submission: Submission,
}

/// Files under way begin with this; those that are complete do not.
const UNDER_WAY: &str = "new.";

/// Writes a message into the maildrop, durably. Works for any user that may write to the directory.
pub fn write(directory: &Path, submission: &Submission, now: Timestamp) -> Result<PathBuf, Failure> {
    let stamp = format!("{}.{}", now.as_microsecond(), std::process::id());
    let under_way = directory.join(format!("{UNDER_WAY}{stamp}"));
    let path = directory.join(stamp);
    let failure =
        |what: &str, path: &Path, error| Failure::from_io(format!("{what} {}", path.display()), error);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&under_way)
        .map_err(|error| failure("cannot create", &under_way, error))?;
    let written = file.write_all(&submission.encode()).and_then(|()| file.sync_all());
    let named = written.and_then(|()| fs::rename(&under_way, &path));
    if let Err(error) = named {
        // Half a file is no mail; the caller keeps the message.
        let _ = fs::remove_file(&under_way);
        return Err(failure("cannot write", &under_way, error));
    }
    // The directory may be writable and not readable for us: then its name is as safe as the file system makes it.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(path)
}

/// The complete files in the maildrop, oldest first.
pub fn scan(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::from_io(format!("cannot read {}", directory.display()), error)),
    };
    let mut found: Vec<(std::time::SystemTime, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with(UNDER_WAY))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// A message of the maildrop as `postqueue -p` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Name of its file.
    pub name: String,
    /// When it was submitted.
    pub arrival: Timestamp,
    /// Length of the content, in bytes.
    pub size: u64,
    /// Reverse-path, as it was given.
    pub sender: Address,
    /// Recipients, as they were given.
    pub recipients: Vec<Address>,
}

/// Most messages that are listed.
const LISTED: usize = 1000;

/// What waits in the maildrop, oldest first; what is no message, or cannot be read, is left out.
pub fn list(directory: &Path) -> Vec<Listed> {
    let files = scan(directory).unwrap_or_default();
    files.iter().take(LISTED).filter_map(|path| look(path)).collect()
}

fn look(path: &Path) -> Option<Listed> {
    let mut file = open(path).ok()?;
    let found = file.metadata().ok().filter(|found| found.is_file())?;
    let (envelope, head) = Submission::peek(&mut file)?;
    Some(Listed {
        name: path.file_name()?.to_string_lossy().into_owned(),
        arrival: arrival(&found),
        size: found.len().saturating_sub(head),
        sender: envelope.sender,
        recipients: envelope.recipients.into_iter().map(|recipient| recipient.address).collect(),
    })
}

fn arrival(found: &fs::Metadata) -> Timestamp {
    let nanoseconds = i32::try_from(found.mtime_nsec()).unwrap_or_default();
    Timestamp::new(found.mtime(), nanoseconds).unwrap_or_default()
}

/// Opens a file that anybody may have put there.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).or_else(|error| match error.kind() {
        // It is its submitter's; who looks after us may read it.
        std::io::ErrorKind::PermissionDenied => conf::secrets::open(path),
        _ => Err(error),
    })
}

/// Reads one file. What is not ours (links, other types, bad checksum, too large) is an error that names it.
pub fn read(path: &Path, size_limit: u64) -> Result<Dropped, Failure> {
    let bad = |what: &str| Failure::new(Kind::Disk, format!("{}: {what}", path.display()));
    let file =
        open(path).map_err(|error| Failure::from_io(format!("cannot read {}", path.display()), error))?;
    let found = file.metadata().map_err(|error| Failure::from_io(format!("{}", path.display()), error))?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(bad("not a plain file with one name"));
    }
    if found.len() > size_limit {
        return Err(bad("larger than message_size_limit allows"));
    }
    let mut bytes = Vec::new();
    file.take(size_limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::from_io(format!("cannot read {}", path.display()), error))?;
    let submission =
        Submission::decode(&Bytes::from(bytes)).ok_or_else(|| bad("not a message, or damaged"))?;
    Ok(Dropped { path: path.to_owned(), arrival: arrival(&found), uid: found.uid(), submission })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Open;
    use mail::{Envelope, Recipient};

    fn submission() -> Submission {
        let envelope = Envelope { recipients: vec![Recipient::new("a@y.test")], ..Envelope::default() };
        Submission { envelope, open: Open::default(), content: Bytes::from_static(b"Subject: a\n\nb\n") }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a date")
    }

    #[test]
    fn what_is_dropped_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(directory.path(), &submission(), at(1_000_000)).unwrap();
        fs::write(directory.path().join("new.1.2"), "half").unwrap();
        assert_eq!(scan(directory.path()).unwrap(), vec![path.clone()]);
        let [listed] = &list(directory.path())[..] else { panic!("one") };
        assert_eq!((listed.size, &listed.recipients[..]), (14, &["a@y.test".into()][..]));
        assert_eq!(listed.name, path.file_name().unwrap().to_str().unwrap());
        let dropped = read(&path, 1000).unwrap();
        assert_eq!((dropped.submission, dropped.uid), (submission(), nix::unistd::getuid().as_raw()));
    }

    #[test]
    fn hostile_files_are_named_and_harmless() {
        let directory = tempfile::tempdir().unwrap();
        let real = write(directory.path(), &submission(), at(1_000_000)).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let twin = directory.path().join("twin");
        let junk = directory.path().join("junk");
        fs::write(&junk, "junk").unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&link, &junk, &fifo, &directory.path().to_path_buf()] {
            let failure = read(path, 1000).unwrap_err().to_string();
            assert!(failure.contains(&path.display().to_string()), "{failure}");
        }
        assert!(read(&real, 10).is_err(), "the limit holds");
        fs::hard_link(&real, &twin).unwrap();
        assert!(read(&real, 1000).is_err(), "a file with two names is somebody's trick");
    }
}
