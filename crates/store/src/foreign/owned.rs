//! Files and directories that belong to the owner of the mail, also when root makes them.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, chown, fchown};
use std::path::Path;

use crate::{Error, Owner, Result};

/// Makes a directory and those above it, for its owner alone.
pub fn directories(path: &Path, owner: &Owner) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        directories(parent, owner)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => give(path, owner),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::io("create", path, error)),
    }
}

/// Gives a file or directory to its owner.
pub fn give(path: &Path, owner: &Owner) -> Result<()> {
    if owner.uid.is_none() && owner.gid.is_none() {
        return Ok(());
    }
    chown(path, owner.uid, owner.gid).map_err(|error| Error::io("change the owner of", path, error))
}

/// Gives an open file to its owner.
pub fn give_file(file: &File, path: &Path, owner: &Owner) -> Result<()> {
    if owner.uid.is_none() && owner.gid.is_none() {
        return Ok(());
    }
    fchown(file, owner.uid, owner.gid).map_err(|error| Error::io("change the owner of", path, error))
}
