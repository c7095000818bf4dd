//! Looks into an archive, by its kind, and into those within it.

use std::io::Read;

use super::{Disk, File, Spending, State, Stop, magic};

/// Looks into an archive of this kind. `depth` is how many there are around it.
pub(super) fn archive(
    spending: &mut Spending,
    kind: &str,
    disk: &mut dyn Disk,
    outer: &File,
    depth: usize,
) -> Result<(), Stop> {
    if depth >= spending.budget.depth {
        return Err(Stop::TooMuch("archives within each other"));
    }
    let done = match kind {
        "zip" => super::zip::list(spending, disk, &outer.path, depth)?,
        "gzip" => super::gzip::list(spending, disk, outer, depth)?,
        "tar" => super::tar::list(spending, disk, &outer.path, depth)?,
        "7z" => super::seven::list(spending, disk, &outer.path)?,
        _ => Err(State::Unreadable),
    };
    if let Err(state) = done {
        spending.add(File { state: Some(state), ..outer.clone() })?;
    }
    Ok(())
}

/// Looks at one file of an archive: its first bytes, and what is in it when it is an archive itself. All of what is
/// read is charged.
pub(super) fn file(
    spending: &mut Spending,
    mut file: File,
    content: &mut dyn Read,
    depth: usize,
) -> Result<(), Stop> {
    let mut head = Vec::new();
    if content.take(magic::ENOUGH as u64).read_to_end(&mut head).is_err() {
        file.state = Some(State::Unreadable);
        return spending.add(file);
    }
    spending.unpacked(head.len())?;
    file.magic = magic::kind(&head);
    if magic::is_closed(file.magic) {
        file.state = Some(State::Unreadable);
    }
    spending.add(file.clone())?;
    if !magic::is_opened(file.magic) {
        return Ok(());
    }
    match super::put_aside(spending, &head, content)? {
        Ok(mut aside) => archive(spending, file.magic, &mut aside, &file, depth + 1),
        Err(state) => spending.add(File { state: Some(state), ..file }),
    }
}
