//! Rebuilds the index from the journal when the queue is opened.

use std::collections::HashSet;
use std::path::PathBuf;

use mail::QueueId;

use crate::disk::{Disk, DiskFile, read_up_to, write_all_at};
use crate::frame::Head;
use crate::index::{Index, Message, Note, Place, SegmentInfo};
use crate::layout::{Layout, segment_number};
use crate::record::{RecordKind, read_message_head, read_removed, read_settled, read_status};
use crate::scan::{Found, scan};
use crate::wire::Reader;
use crate::{Change, Damage, Failure, Left, Recovered, State};

/// What replay found.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) index: Index,
    /// Of the segment to be written next.
    pub(crate) next_number: u32,
    pub(crate) recovered: Recovered,
}

/// Reads all segments. Nothing on disk is touched when `look_only` is set.
pub(crate) fn replay(disk: &dyn Disk, layout: &Layout, look_only: bool) -> Result<Replayed, Failure> {
    let mut index = Index::default();
    let mut recovered = Recovered::default();
    let journal = layout.journal();
    let names = disk
        .list(&journal)
        .map_err(|error| Failure::from_io(format!("read directory {}", journal.display()), error))?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    for number in &numbers {
        let path = layout.segment(*number);
        let failed = |error| Failure::from_io(format!("open {}", path.display()), error);
        let file = disk.open(&path, !look_only).map_err(failed)?;
        index.segments.insert(*number, SegmentInfo { file: file.clone(), len: 0, live: 0 });
        let mut damaged: Vec<(u64, u64, String)> = Vec::new();
        let end = scan(&*file, (*number).into(), &mut |found| match found {
            Found::Frame { offset, head, meta } => {
                if apply(&mut index, *number, offset, &head, meta).is_none() {
                    damaged.push((offset, head.len(), "record of an unknown kind".to_owned()));
                }
            }
            Found::Damage { offset, len, meta } => damaged.push((offset, len, describe(meta))),
        })
        .map_err(failed)?;
        for (offset, len, what) in damaged {
            let set_aside =
                if look_only { None } else { set_aside(disk, layout, &*file, *number, offset, len) };
            let aside =
                set_aside.as_ref().map_or_else(String::new, |to| format!(", set aside in {}", to.display()));
            let at = path.display();
            log::warn!(target: "qmgr", "{at}: damaged at offset {offset}, {len} bytes: {what}{aside}");
            recovered.damaged.push(Damage { segment: path.clone(), offset, len, set_aside });
        }
        if end.torn > 0 {
            recovered.cut += end.torn;
            log::info!(target: "qmgr", "{}: cut {} bytes of an unfinished record", path.display(), end.torn);
        }
        if !look_only && let Err(error) = file.truncate(end.good) {
            log::warn!(target: "qmgr", "{}: cannot cut its end: {error}", path.display());
        }
        if let Some(info) = index.segments.get_mut(number) {
            info.len = end.good;
        }
    }
    let mut changes = Vec::new();
    for (id, message) in index.after(None, usize::MAX) {
        match message.status.state {
            State::Incoming | State::Active => changes.push(Change::Ready(id.clone())),
            State::Deferred => {
                changes.push(Change::Waiting(id.clone(), message.brief(id).next_attempt));
            }
            State::Hold => {}
        }
    }
    index.changes.extend(changes);
    recovered.messages = index.len();
    check_bodies(disk, layout, &index, &recovered, look_only)?;
    Ok(Replayed { index, next_number: numbers.last().map_or(1, |last| last + 1), recovered })
}

/// Applies a whole frame. `None` when it is not a record we know.
fn apply(index: &mut Index, segment: u32, offset: u64, head: &Head, meta: &[u8]) -> Option<()> {
    let place = Place { segment, offset: u32::try_from(offset).ok()?, meta: head.meta, blob: head.blob };
    match RecordKind::from_byte(head.kind)? {
        RecordKind::Message => {
            let (head, fates) = read_message_head(&mut Reader(meta))?;
            let mut message = Message::new(&head, place);
            message.inherited = true;
            message.apply(&fates);
            match message.left {
                0 => drop(index.remove(&head.id)),
                _ => index.insert(head.id, message),
            }
        }
        RecordKind::Settled => {
            let (id, status, fates) = read_settled(meta)?;
            if index.settle(&id, status, &fates, Note::Disk(place)) == Left::Removed {
                index.remove(&id);
            }
        }
        RecordKind::Status => {
            let (id, status) = read_status(meta)?;
            index.change(&id, |message| message.status = status);
        }
        RecordKind::Removed => {
            for id in read_removed(meta)? {
                index.remove(&id);
            }
        }
    }
    Some(())
}

/// What a damaged frame was, as far as it can be told.
fn describe(meta: Option<&[u8]>) -> String {
    let head = meta.and_then(|meta| read_message_head(&mut Reader(meta)));
    match head {
        Some((head, _)) => format!("content of message {}", head.id),
        None => "unreadable".to_owned(),
    }
}

/// Copies damaged bytes to `corrupt`, where they stay until somebody looks.
fn set_aside(
    disk: &dyn Disk,
    layout: &Layout,
    from: &dyn DiskFile,
    number: u32,
    offset: u64,
    len: u64,
) -> Option<PathBuf> {
    let path = layout.corrupt().join(format!("{number:010}-{offset}"));
    let copy = || -> std::io::Result<()> {
        let to = disk.create(&path)?;
        let mut done = 0;
        while done < len {
            let mut piece = vec![0; (len - done).min(1 << 20) as usize];
            // What cannot be read stays zero.
            let _ = read_up_to(from, &mut piece, offset + done);
            write_all_at(&*to, &mut [std::io::IoSlice::new(&piece)], done)?;
            done += piece.len() as u64;
        }
        to.sync()
    };
    match copy() {
        Ok(()) => Some(path),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Some(path),
        Err(error) => {
            log::warn!(target: "qmgr", "cannot set damaged record aside as {}: {error}", path.display());
            None
        }
    }
}

/// Removes drafts and contents that no message owns; names messages whose content is missing.
fn check_bodies(
    disk: &dyn Disk,
    layout: &Layout,
    index: &Index,
    recovered: &Recovered,
    look_only: bool,
) -> Result<(), Failure> {
    let list = |directory: PathBuf| {
        disk.list(&directory)
            .map_err(|error| Failure::from_io(format!("read directory {}", directory.display()), error))
    };
    let owned = |id: &QueueId| index.get(id).is_some_and(|message| message.in_file);
    let names = list(layout.bodies())?;
    if !look_only {
        for name in list(layout.drafts())? {
            let _ = disk.remove(&layout.drafts().join(name));
        }
        for name in &names {
            if QueueId::parse(name).is_some_and(|id| owned(&id)) {
                continue;
            }
            let path = layout.bodies().join(name);
            if recovered.damaged.is_empty() {
                let _ = disk.remove(&path);
            } else {
                // Its message may be the one that was damaged.
                let _ = disk.rename(&path, &layout.corrupt().join(name));
            }
        }
    }
    let names: HashSet<&str> = names.iter().map(String::as_str).collect();
    for (id, message) in index.after(None, usize::MAX) {
        if message.in_file && !names.contains(id.as_str()) {
            log::error!(target: "qmgr", "{id}: its content is missing from {}", layout.bodies().display());
        }
    }
    Ok(())
}
