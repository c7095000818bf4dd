//! Opening a file that a user may have put traps around.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::failure::{Failure, Unexplained};

/// Opens `path` for appending, or makes it with mode 0600 and gives it to `owner`.
///
/// Refused are a file with several hard links and a symbolic link that root did not make: either may point
/// to somebody else's file.
pub fn open_append(path: &Path, owner: Option<(u32, u32)>, kind: Unexplained) -> Result<File, Failure> {
    loop {
        match existing(path, kind) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) => {}
            Err(failure) => return Err(failure),
        }
        match OpenOptions::new().append(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => {
                if let Some((uid, gid)) = owner {
                    std::os::unix::fs::fchown(&file, Some(uid), Some(gid))
                        .map_err(|error| Failure::io("cannot change file ownership", &error, kind))?;
                }
                return Ok(file);
            }
            // Somebody was faster: open that one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => {}
            Err(error) => return Err(Failure::io("cannot create file exclusively", &error, kind)),
        }
    }
}

fn existing(path: &Path, kind: Unexplained) -> Result<Option<File>, Failure> {
    // Without O_NONBLOCK a FIFO would stop the thread for ever.
    let file =
        match OpenOptions::new().append(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("cannot open file", &error, kind)),
        };
    let denied = |text: String| Failure { denied: true, ..Failure::plain(text, kind) };
    let unreadable = |error| Failure::io("cannot open file", &error, kind);
    let open = file.metadata().map_err(unreadable)?;
    if open.nlink() != 1 {
        return Err(denied(format!("file has {} hard links", open.nlink())));
    }
    let named = std::fs::symlink_metadata(path).map_err(unreadable)?;
    if named.file_type().is_symlink() {
        if named.uid() != 0 {
            return Err(denied("file is a symbolic link".to_owned()));
        }
    } else if (named.dev(), named.ino()) != (open.dev(), open.ino()) {
        return Err(denied("file status changed unexpectedly".to_owned()));
    }
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        open_append(&a, None, Unexplained::NEVER).expect("a new file");
        open_append(&a, None, Unexplained::NEVER).expect("an existing file");
        std::fs::hard_link(&a, &b).expect("a link");
        let failure = open_append(&b, None, Unexplained::NEVER).expect_err("hard links");
        assert_eq!(failure.text, "file has 2 hard links");
        let none = dir.path().join("none/such");
        let failure = open_append(&none, None, Unexplained::NEVER).expect_err("no directory");
        assert_eq!(failure.text, "cannot create file exclusively: No such file or directory");
    }
}
