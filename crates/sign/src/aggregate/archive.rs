//! Reports as they are attached: XML, gzip, or a zip of one file. What unpacks to more than a report may be is none.

use std::io::Read;

use flate2::read::{DeflateDecoder, GzDecoder};

/// Bytes of a report, unpacked.
pub(super) const MOST: usize = 32 << 20;

/// The text of an attached file.
pub(super) fn unpacked(bytes: &[u8]) -> Result<String, &'static str> {
    let bytes = match bytes {
        [0x1f, 0x8b, ..] => within(GzDecoder::new(bytes))?,
        [b'P', b'K', 3, 4, ..] => first_of_zip(bytes)?,
        _ if bytes.len() > MOST => return Err("it is too large"),
        _ => bytes.to_vec(),
    };
    String::from_utf8(bytes).or_else(|wrong| {
        // Old writers say UTF-8 and write Latin-1 in names of organizations.
        Ok(wrong.into_bytes().into_iter().map(char::from).collect())
    })
}

fn within(reader: impl Read) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    reader.take(MOST as u64 + 1).read_to_end(&mut out).map_err(|_| "it cannot be unpacked")?;
    if out.len() > MOST { Err("it is too large unpacked") } else { Ok(out) }
}

/// The first file, by the list at the end: the head before a file need not tell its length (APPNOTE 4.4.4).
fn first_of_zip(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    const DAMAGED: &str = "the zip is damaged";
    let number = |at: usize, width: usize| -> Option<usize> {
        let digits = bytes.get(at..at.checked_add(width)?)?;
        Some(digits.iter().rev().fold(0, |sum, digit| sum << 8 | usize::from(*digit)))
    };
    let tail = bytes.len().saturating_sub((64 << 10) + 22);
    let end = bytes[tail..].windows(4).rposition(|four| four == b"PK\x05\x06").ok_or(DAMAGED)? + tail;
    let entry = number(end + 16, 4).ok_or(DAMAGED)?;
    if bytes.get(entry..).is_none_or(|entry| !entry.starts_with(b"PK\x01\x02")) {
        return Err(DAMAGED);
    }
    let of = |at, width| number(entry + at, width).ok_or(DAMAGED);
    if of(8, 2)? & 1 != 0 {
        return Err("the zip has a password");
    }
    let (method, packed, head) = (of(10, 2)?, of(20, 4)?, of(42, 4)?);
    let lengths = (number(head + 26, 2).ok_or(DAMAGED)?, number(head + 28, 2).ok_or(DAMAGED)?);
    let start = head + 30 + lengths.0 + lengths.1;
    let data = start.checked_add(packed).and_then(|end| bytes.get(start..end)).ok_or(DAMAGED)?;
    match method {
        0 => within(data),
        8 => within(DeflateDecoder::new(data)),
        _ => Err("the zip is of an unknown kind"),
    }
}
