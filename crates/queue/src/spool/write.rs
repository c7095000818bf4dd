//! From a message to a queue file.

use std::io::{self, Seek, SeekFrom, Write};

use super::attributes;
use super::records::{kind, write as record};
use crate::{Failure, Fate, Stored};

/// Longest piece of a line in one record, as Postfix's `line_length_limit` has it.
const PIECE: usize = 2048;

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The recipients, by index in the envelope, and the places of their records.
    pub recipients: Vec<(usize, u64)>,
}

/// Writes the recipients that are still to be delivered, and the content.
///
/// # Errors
/// Either disk.
pub fn write(stored: &Stored, out: &mut (impl Write + Seek)) -> Result<Written, Failure> {
    let failed = |error: io::Error| Failure::from_io(format!("{}: write queue file", stored.id), error);
    let envelope = &stored.envelope;
    let pending = stored.fates.iter().enumerate().filter(|(_, fate)| fate.is_pending());
    let pending: Vec<usize> = pending.map(|(index, _)| index).collect();
    let sizes = |content: u64, offset: u64| {
        let utf8 = u8::from(envelope.smtputf8);
        let count = pending.len();
        format!("{content:>15} {offset:>15} {count:>15} {:>15} {content:>15} {utf8:>15}", 0)
    };
    let mut written = Written { recipients: Vec::with_capacity(pending.len()) };
    let mut begin = || -> io::Result<u64> {
        record(out, kind::SIZE, sizes(0, 0).as_bytes())?;
        let micros = stored.arrival.as_microsecond();
        let time = format!("{} {}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        record(out, kind::TIME, time.as_bytes())?;
        record(out, kind::ATTRIBUTE, format!("create_time={}", micros.div_euclid(1_000_000)).as_bytes())?;
        let (before, after) = attributes::of_envelope(envelope);
        for attribute in before {
            record(out, kind::ATTRIBUTE, attribute.as_bytes())?;
        }
        if let Some(filter) = &envelope.content_filter {
            record(out, kind::FILTER_OR_PART, filter.as_bytes())?;
        }
        if let Some(name) = &envelope.full_name {
            record(out, kind::FULL_NAME, name.as_bytes())?;
        }
        record(out, kind::SENDER, envelope.sender.as_str().as_bytes())?;
        if let Some(verp) = &envelope.verp {
            record(out, kind::VERP, verp.as_bytes())?;
        }
        for attribute in after {
            record(out, kind::ATTRIBUTE, attribute.as_bytes())?;
        }
        for &index in &pending {
            let recipient = &envelope.recipients[index];
            let flags = attributes::notify_flags(recipient.notify);
            if flags != 0 {
                record(out, kind::ATTRIBUTE, format!("notify_flags={flags}").as_bytes())?;
            }
            if let Some(orcpt) = &recipient.orcpt {
                record(out, kind::ATTRIBUTE, format!("dsn_orig_rcpt={orcpt}").as_bytes())?;
            }
            record(out, kind::ORIGINAL, recipient.original.as_str().as_bytes())?;
            written.recipients.push((index, out.stream_position()?));
            record(out, kind::RECIPIENT, recipient.address.as_str().as_bytes())?;
        }
        record(out, kind::CONTENT, b"")?;
        out.stream_position()
    };
    let start = begin().map_err(failed)?;
    let mut line = Vec::new();
    for chunk in stored.body.chunks() {
        content(out, &mut line, &chunk?).map_err(failed)?;
    }
    let mut finish = || -> io::Result<()> {
        if !line.is_empty() {
            record(out, kind::LINE, &line)?;
        }
        let end = out.stream_position()?;
        record(out, kind::EXTRACTED, b"")?;
        record(out, kind::END, b"")?;
        out.seek(SeekFrom::Start(0))?;
        record(out, kind::SIZE, sizes(end - start, start).as_bytes())?;
        out.flush()
    };
    finish().map_err(failed)?;
    Ok(written)
}

/// Writes the lines of a chunk; what is left of the last one stays in `line`.
fn content(out: &mut impl Write, line: &mut Vec<u8>, chunk: &[u8]) -> io::Result<()> {
    for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
        let (text, ended) = match piece.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (piece, false),
        };
        line.extend_from_slice(text);
        while line.len() > PIECE {
            let rest = line.split_off(PIECE);
            record(out, kind::FILTER_OR_PART, line)?;
            *line = rest;
        }
        if ended {
            record(out, kind::LINE, line)?;
            line.clear();
        }
    }
    Ok(())
}

impl Stored {
    /// Is a notice owed for a recipient of it? A queue file cannot say so.
    pub fn owes_notice(&self) -> bool {
        self.fates.iter().any(|fate| matches!(fate, Fate::Failed(_) | Fate::Delivered(_)))
    }
}
