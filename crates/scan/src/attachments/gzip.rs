//! gzip: one file, whose name stands in its head or is that of the archive.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::{Disk, File, Spending, State, Stop, bare, look, within};

pub(super) fn list(
    spending: &mut Spending,
    disk: &mut dyn Disk,
    outer: &File,
    depth: usize,
) -> Result<Result<(), State>, Stop> {
    let mut unpacked = MultiGzDecoder::new(disk);
    // The head is read with the first byte.
    let mut first = [0];
    let Ok(len) = unpacked.read(&mut first) else { return Ok(Err(State::Unreadable)) };
    let told = unpacked.header().and_then(|header| header.filename());
    let name = match told {
        Some(name) => bare(&String::from_utf8_lossy(name)),
        None => match outer.name.strip_suffix(".tgz") {
            Some(stem) => format!("{stem}.tar"),
            None => outer.name.strip_suffix(".gz").unwrap_or_default().to_owned(),
        },
    };
    let inner = File { path: within(&outer.path, &name), name, ..File::default() };
    look::file(spending, inner, &mut (&first[..len]).chain(unpacked), depth)?;
    Ok(Ok(()))
}
