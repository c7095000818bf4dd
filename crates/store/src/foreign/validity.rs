//! `dovecot-uidvalidity`: which UIDVALIDITY the next mailbox of an account gets, so that none is given twice.
//!
//! The number is kept twice: in the file, and in the name of an empty file beside it, whose renaming decides who of
//! two gets it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::owned;
use crate::{Error, Owner, Result};

const NAME: &str = "dovecot-uidvalidity";

/// Takes the next number. `now`, seconds since 1970, is the first one.
pub fn next(directory: &Path, owner: &Owner, now: i64) -> Result<u32> {
    owned::directories(directory, owner)?;
    let main = directory.join(NAME);
    loop {
        let last = last(directory).map_err(|error| Error::io("read", directory, error))?;
        let next = match last {
            Some(last) => last.wrapping_add(1).max(1),
            None => u32::try_from(now).unwrap_or(u32::MAX - 1).max(1),
        };
        let named = directory.join(format!("{NAME}.{next:08x}"));
        let taken = match last {
            Some(last) => std::fs::rename(directory.join(format!("{NAME}.{last:08x}")), &named),
            None => create(&named, 0o444, b"").and_then(|()| {
                owned::give(&named, owner).map_err(|error| io::Error::other(error.to_string()))
            }),
        };
        match taken {
            Ok(()) => {}
            // Another process was faster.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
                continue;
            }
            Err(error) => return Err(Error::io("create", &named, error)),
        }
        let new = directory.join(format!("{NAME}.tmp"));
        let written = std::fs::remove_file(&new).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        });
        written
            .and_then(|()| create(&new, 0o600, format!("{next:08x}").as_bytes()))
            .map_err(|error| Error::io("write", &new, error))?;
        owned::give(&new, owner)?;
        std::fs::rename(&new, &main).map_err(|error| Error::io("rename to", &main, error))?;
        return Ok(next);
    }
}

/// The number in the name; that is the one to be believed.
fn last(directory: &Path) -> io::Result<Option<u32>> {
    let mut last = None;
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(NAME)?.strip_prefix('.'));
        if let Some(number) = digits.filter(|digits| digits.len() == 8)
            && let Ok(number) = u32::from_str_radix(number, 16)
        {
            last = last.max(Some(number));
        }
    }
    Ok(last)
}

fn create(path: &Path, mode: u32, text: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_once() {
        let directory = tempfile::tempdir().unwrap();
        let take = |now| next(directory.path(), &Owner::default(), now).unwrap();
        assert_eq!((take(0x6b01c8b2), take(5), take(5)), (0x6b01c8b2, 0x6b01c8b3, 0x6b01c8b4));
        assert_eq!(std::fs::read(directory.path().join(NAME)).unwrap(), b"6b01c8b4");
        assert!(directory.path().join("dovecot-uidvalidity.6b01c8b4").exists());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
