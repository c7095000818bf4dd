//! Mail in the maildrop: it was not cleaned up yet, so it goes into our maildrop and is picked up from there.
//!
//! The order of steps is the same as for queued mail: our file, under a name that pickup passes over; the file of
//! Postfix aside; our file under its name.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use queue::spool::{self, Place, Wrong};
use queue::{Open, Submission};

use super::aside::Aside;

/// Names of files that are not complete begin with `new.`: pickup passes them over.
const UNDER_WAY: &str = "new.import.";

/// Did our own sendmail write this?
pub fn is_ours(path: &Path) -> bool {
    let mut start = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && Submission::begins_with(&start)
}

/// Gives their names to files whose originals were moved aside before an import was cut off.
pub fn finish(maildrop: &Path, spool: &Path) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(maildrop) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(old) = name.strip_prefix(UNDER_WAY) else { continue };
        if !spool.join("maildrop").join(old).exists() {
            publish(maildrop, old)?;
        }
    }
    Ok(())
}

/// Takes one over.
pub fn take(place: &Place, maildrop: &Path, aside: &mut Aside) -> Result<(), String> {
    let mut content = Vec::new();
    let letter = spool::read(&place.path, &mut |piece| {
        content.extend_from_slice(piece);
        Ok(())
    });
    let letter = match letter {
        Ok(letter) => letter,
        Err(Wrong::Damaged(what)) => return Err(format!("{}: {what}", place.path.display())),
        Err(Wrong::Ours(failure)) => return Err(failure.to_string()),
    };
    let submission = Submission { envelope: letter.envelope, open: Open::default(), content: content.into() };
    let path = maildrop.join(format!("{UNDER_WAY}{}", place.name));
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(maildrop)?;
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(&submission.encode())?;
        let owner = fs::metadata(&place.path)?;
        // The owner of the file is who submitted it; the time of the file is when.
        std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        file.set_modified(owner.modified()?)?;
        file.sync_all()
    };
    write().map_err(|error| format!("{}: {error}", path.display()))?;
    aside.take(place)?;
    aside.sync()?;
    publish(maildrop, &place.name)
}

fn publish(maildrop: &Path, old: &str) -> Result<(), String> {
    let from = maildrop.join(format!("{UNDER_WAY}{old}"));
    let to = maildrop.join(format!("imported.{old}"));
    fs::rename(&from, &to)
        .and_then(|()| File::open(maildrop)?.sync_all())
        .map_err(|error| format!("cannot name {}: {error}", to.display()))
}
