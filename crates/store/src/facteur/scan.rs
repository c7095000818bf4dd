//! Reading body files from one record to the next, past whatever is damaged.

use super::bodies::{BodyFile, Spot};
use super::record::{self, Meta, RECORD_HEAD};
use crate::Result;

/// How much is read at a time while looking for the next record.
const WINDOW: usize = 64 << 10;

/// What lies at a place of a body file.
#[derive(Debug)]
pub(crate) enum Found {
    /// A whole record.
    Record(Box<Record>),
    /// Bytes that are no record, up to the next one or the end.
    Damage { from: u64, to: u64 },
    /// The end of the file.
    End,
}

/// A whole record.
#[derive(Debug)]
pub(crate) struct Record {
    /// Where the next one begins.
    pub(crate) next: u64,
    pub(crate) meta: Meta,
    pub(crate) spot: Spot,
    pub(crate) content: Vec<u8>,
}

/// What lies at `at`, in a file of which the first `end` bytes are looked at.
pub(crate) fn find(file: &BodyFile, at: u64, end: u64) -> Result<Found> {
    if at >= end {
        return Ok(Found::End);
    }
    if let Some(record) = read(file, at, end)? {
        return Ok(Found::Record(Box::new(record)));
    }
    let mut from = at + 1;
    while let Some(next) = marker(file, from, end)? {
        if read(file, next, end)?.is_some() {
            return Ok(Found::Damage { from: at, to: next });
        }
        from = next + 1;
    }
    Ok(Found::Damage { from: at, to: end })
}

/// The record at `at`, if there is an intact one.
fn read(file: &BodyFile, at: u64, end: u64) -> Result<Option<Record>> {
    let mut start = [0; RECORD_HEAD];
    if end - at < RECORD_HEAD as u64 {
        return Ok(None);
    }
    file.read(&mut start, at)?;
    let Some(head) = record::read_head(file.salt, &start) else { return Ok(None) };
    let len = head.record_len(file.ended);
    if len > end - at {
        return Ok(None);
    }
    let mut rest = vec![0; (len - RECORD_HEAD as u64) as usize];
    file.read(&mut rest, at + RECORD_HEAD as u64)?;
    if file.ended && rest.pop() != Some(record::END) {
        return Ok(None);
    }
    let content = rest.split_off(head.meta_len as usize);
    let Some(meta) = record::read_meta(&head, &start, &rest) else { return Ok(None) };
    if crc32fast::hash(&content) != head.content_crc {
        return Ok(None);
    }
    let spot =
        Spot { file: file.number, at: at + head.content_at(), len: head.content_len, crc: head.content_crc };
    Ok(Some(Record { next: at + len, meta, spot, content }))
}

/// The next place that begins like a record.
fn marker(file: &BodyFile, mut from: u64, end: u64) -> Result<Option<u64>> {
    let finder = memchr::memmem::Finder::new(&file.salt);
    let mut window = vec![0; WINDOW];
    while from < end {
        let len = (end - from).min(WINDOW as u64) as usize;
        file.read(&mut window[..len], from)?;
        if let Some(found) = finder.find(&window[..len]) {
            return Ok(Some(from + found as u64));
        }
        if len < WINDOW {
            break;
        }
        // The marker may lie across the border.
        from += (len - (file.salt.len() - 1)) as u64;
    }
    Ok(None)
}
