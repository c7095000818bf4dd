//! A copy of an account at one moment, while it is in use.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use mail::Trouble;
use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::super::catalogue;
use super::super::record::{FILE_HEAD, read_file_head};
use crate::{Clock, Error, Result};

/// Pages of the catalogue copied at a time.
const PAGES: i32 = 1000;
/// How often it is begun again when bodies are moved meanwhile.
const TRIES: usize = 5;

/// Copies the account in `root` to the new directory `to`: an account in its own right.
///
/// The catalogue is copied first. Bodies are only ever appended, so those copied after it hold everything it names.
///
/// # Errors
/// When something cannot be read or written; then `to` is not complete.
pub fn backup(root: &Path, to: &Path, clock: Clock) -> Result<()> {
    let account = super::account(root, clock)?;
    fs::create_dir_all(to.parent().unwrap_or(to)).map_err(|error| Error::io("create", to, error))?;
    fs::create_dir(to).map_err(|error| Error::io("create", to, error))?;
    let bodies = to.join("bodies");
    for _ in 0..TRIES {
        copy_catalogue(&account.enter()?.catalogue().db, &catalogue::path(to))?;
        copy_bodies(account.bodies.directory(), &bodies)?;
        if is_complete(to, &bodies)? {
            return Ok(());
        }
    }
    Err(Trouble::new(format!("{}: bodies are moved all the time; try again later", root.display())).into())
}

/// Is every file there that the copied catalogue names? One may have been compacted away meanwhile.
fn is_complete(to: &Path, bodies: &Path) -> Result<bool> {
    let copy = Connection::open(catalogue::path(to))?;
    let mut all =
        copy.prepare("SELECT DISTINCT body.file FROM message JOIN body ON body.id = message.body")?;
    let numbers = all.query_map([], |row| row.get::<_, u32>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut current = [0; FILE_HEAD];
    let head = File::open(bodies.join("current")).and_then(|mut file| file.read_exact(&mut current));
    let current = head.ok().and_then(|()| read_file_head(&current)).map(|head| head.number);
    Ok(numbers.iter().all(|number| Some(*number) == current || bodies.join(format!("{number:08}")).exists()))
}

fn copy_catalogue(from: &Connection, path: &Path) -> Result<()> {
    let _ = fs::remove_file(path);
    let mut to = Connection::open(path)?;
    Backup::new(from, &mut to)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    // Whoever opens the copy skips the UIDs that the original gives out from now on.
    to.execute("UPDATE state SET value = 'copied' WHERE name = 'boot'", [])?;
    to.close().map_err(|(_, error)| error)?;
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| Error::io("sync", path, error))
}

fn copy_bodies(from: &Path, to: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).map_err(|error| Error::io("create", to, error))?;
    // What becomes an old file meanwhile is copied twice, and both copies are good.
    copy_file(&from.join("current"), &to.join("current"))?;
    let entries = fs::read_dir(from).map_err(|error| Error::io("list", from, error))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for name in names.filter(|name| name.parse::<u32>().is_ok()) {
        copy_file(&from.join(&name), &to.join(&name))?;
    }
    File::open(to).and_then(|directory| directory.sync_all()).map_err(|error| Error::io("sync", to, error))
}

/// Copies a file, unless it is gone.
fn copy_file(from: &Path, to: &Path) -> Result<()> {
    match fs::copy(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        copied => copied.map_err(|error| Error::io("copy", from, error))?,
    };
    File::open(to).and_then(|file| file.sync_all()).map_err(|error| Error::io("sync", to, error))
}
