//! zip: the list of files at its end (APPNOTE 4.3.12), and the first bytes of each.

use std::io::{self, Read, SeekFrom};

use flate2::read::DeflateDecoder;

use super::{Disk, File, Spending, State, Stop, bare, look, within};

/// The end record is looked for in so many last bytes: its comment may be 64 KB long.
const END: u64 = (64 << 10) + 22;

/// Bytes of the list that are read.
const LIST: u64 = 16 << 20;

/// One line of the list.
struct Entry {
    name: String,
    encrypted: bool,
    method: u16,
    packed: u64,
    offset: u64,
}

pub(super) fn list(
    spending: &mut Spending,
    disk: &mut dyn Disk,
    path: &str,
    depth: usize,
) -> Result<Result<(), State>, Stop> {
    let Ok(directory) = directory(disk) else { return Ok(Err(State::Unreadable)) };
    let mut rest = directory.as_slice();
    let mut count = 0_usize;
    while let Some((entry, after)) = entry(rest) {
        rest = after;
        count += 1;
        if count > spending.budget.files {
            return Err(Stop::TooMuch("files"));
        }
        if entry.name.ends_with('/') {
            continue;
        }
        let name = bare(&entry.name);
        let mut file = File { path: within(path, &name), name, ..File::default() };
        if entry.encrypted {
            file.state = Some(State::Encrypted);
            spending.add(file)?;
            continue;
        }
        if start(disk, &entry).is_err() {
            file.state = Some(State::Unreadable);
            spending.add(file)?;
            continue;
        }
        let mut packed = disk.take(entry.packed);
        match entry.method {
            0 => look::file(spending, file, &mut packed, depth)?,
            8 => look::file(spending, file, &mut DeflateDecoder::new(packed), depth)?,
            _ => {
                file.state = Some(State::Unreadable);
                spending.add(file)?;
            }
        }
    }
    // Something stands where the next line should: who knows what another program would find there.
    let whole = rest.is_empty() && (count > 0 || directory.is_empty());
    Ok(if whole { Ok(()) } else { Err(State::Unreadable) })
}

/// The list of files.
fn directory(disk: &mut dyn Disk) -> io::Result<Vec<u8>> {
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    let len = disk.seek(SeekFrom::End(0))?;
    let from = len.saturating_sub(END);
    disk.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    disk.take(END).read_to_end(&mut tail)?;
    let at = tail.windows(4).rposition(|four| four == b"PK\x05\x06").ok_or_else(damaged)?;
    let end = tail.get(at..at + 22).ok_or_else(damaged)?;
    let (mut size, mut offset) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    if size == 0xffff_ffff || offset == 0xffff_ffff {
        // zip64: a locator of 20 bytes stands before the end record and says where the long record is.
        let locator = at.checked_sub(20).and_then(|at| tail.get(at..at + 20)).ok_or_else(damaged)?;
        disk.seek(SeekFrom::Start(u64_at(locator, 8)))?;
        let mut long = [0; 56];
        disk.read_exact(&mut long)?;
        (size, offset) = (u64_at(&long, 40), u64_at(&long, 48));
    } else {
        // Something may stand before the archive: what counts is that the list ends where the end record begins.
        offset = (from + at as u64).checked_sub(size).ok_or_else(damaged)?;
    }
    if size > LIST || offset.checked_add(size).is_none_or(|end| end > len) {
        return Err(damaged());
    }
    disk.seek(SeekFrom::Start(offset))?;
    let mut list = Vec::new();
    disk.take(size).read_to_end(&mut list)?;
    if list.len() as u64 == size { Ok(list) } else { Err(damaged()) }
}

/// The next line of the list, and what follows it.
fn entry(list: &[u8]) -> Option<(Entry, &[u8])> {
    let head = list.get(..46).filter(|head| head.starts_with(b"PK\x01\x02"))?;
    let (name, extra, comment) =
        (usize::from(u16_at(head, 28)), usize::from(u16_at(head, 30)), usize::from(u16_at(head, 32)));
    let rest = list.get(46 + name + extra + comment..)?;
    let flags = u16_at(head, 8);
    let mut entry = Entry {
        name: String::from_utf8_lossy(&list[46..46 + name]).into_owned(),
        // Bit 6 is strong encryption; method 99 is AES.
        encrypted: flags & 0x41 != 0 || u16_at(head, 10) == 99,
        method: u16_at(head, 10),
        packed: u32_at(head, 20).into(),
        offset: u32_at(head, 42).into(),
    };
    let long = &list[46 + name..46 + name + extra];
    long_numbers(long, u32_at(head, 24), &mut entry);
    Some((entry, rest))
}

/// zip64's numbers stand in an extra field, in the order of those that do not fit.
fn long_numbers(mut extra: &[u8], unpacked: u32, entry: &mut Entry) {
    while extra.len() >= 4 {
        let (id, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(field) = extra.get(4..4 + len) else { return };
        if id == 1 {
            let mut numbers = field.chunks_exact(8).map(|eight| u64_at(eight, 0));
            if unpacked == u32::MAX {
                numbers.next();
            }
            if entry.packed == u64::from(u32::MAX) {
                entry.packed = numbers.next().unwrap_or(entry.packed);
            }
            if entry.offset == u64::from(u32::MAX) {
                entry.offset = numbers.next().unwrap_or(entry.offset);
            }
        }
        extra = &extra[4 + len..];
    }
}

/// Goes to the content of an entry, behind its own head.
fn start(disk: &mut dyn Disk, entry: &Entry) -> io::Result<()> {
    disk.seek(SeekFrom::Start(entry.offset))?;
    let mut head = [0; 30];
    disk.read_exact(&mut head)?;
    if !head.starts_with(b"PK\x03\x04") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let skip = i64::from(u16_at(&head, 26)) + i64::from(u16_at(&head, 28));
    disk.seek(SeekFrom::Current(skip))?;
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
