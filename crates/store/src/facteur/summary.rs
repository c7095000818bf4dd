//! What the catalogue keeps of a message so that lists need not read it.

use std::borrow::Cow;
use std::sync::LazyLock;

use rusqlite::params;

use super::bodies::Spot;
use super::catalogue::Catalogue;
use super::{fields, signature};
use crate::Result;
use crate::search::LOOKED_AT;

/// References looked at in one message: threads are not made longer by more.
const REFERENCES: usize = 64;

/// Messages for which it is worth to start threads.
const MANY: usize = 8;
/// Most threads that are started.
const THREADS: usize = 4;

/// What is kept of a message, worked out without the catalogue.
pub(super) struct Kept {
    /// Length of the header, in bytes.
    header: usize,
    /// Itself and what it refers to.
    references: Vec<i64>,
    envelope: Vec<u8>,
    bodystructure: Vec<u8>,
    signature: Vec<u8>,
    fields: Option<Vec<u8>>,
}

impl Kept {
    /// Of one message.
    pub(super) fn of(content: &[u8]) -> Kept {
        let structure = mime::parse(content, &mime::Limits::default());
        let (mut envelope, mut bodystructure) = (Vec::new(), Vec::new());
        if let Some(values) = &structure.root().envelope {
            mime::imap::envelope(values, &mut envelope);
        }
        mime::imap::bodystructure(&structure, &mut bodystructure);
        let header = &content[structure.root().header_range()];
        let text = mime::text::searchable(content, &structure, LOOKED_AT);
        Kept {
            header: header.len(),
            references: references(header),
            envelope,
            bodystructure,
            signature: signature::of(&text),
            fields: fields::of(header),
        }
    }

    /// Of several, in their order; on several processors where there are many.
    pub(super) fn of_all(contents: &[Cow<'_, [u8]>]) -> Vec<Kept> {
        // Asking costs a dozen system calls.
        static PROCESSORS: LazyLock<usize> =
            LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from).min(THREADS));
        let processors = if contents.len() < MANY { 1 } else { *PROCESSORS };
        if processors == 1 {
            return contents.iter().map(|content| Kept::of(content)).collect();
        }
        let share = contents.len().div_ceil(processors);
        std::thread::scope(|scope| {
            let work = |some: &'_ [Cow<'_, [u8]>]| some.iter().map(|one| Kept::of(one)).collect::<Vec<_>>();
            let mut shares = contents.chunks(share);
            let own = shares.next().unwrap_or_default();
            let others: Vec<_> = shares.map(|some| scope.spawn(move || work(some))).collect();
            let mut all = work(own);
            for other in others {
                all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            all
        })
    }

    /// Enters the body, under a number that it had before or a new one; gives the number.
    pub(super) fn enter(&self, catalogue: &Catalogue, id: Option<i64>, spot: &Spot) -> Result<i64> {
        let thread = thread(catalogue, &self.references)?;
        let mut insert = catalogue.db.prepare_cached(
            "INSERT INTO body (id, file, at, size, crc, header, thread, envelope, bodystructure) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        insert.execute(params![
            id,
            spot.file,
            spot.at as i64,
            spot.len,
            spot.crc,
            self.header as i64,
            thread,
            self.envelope,
            self.bodystructure
        ])?;
        let body = catalogue.db.last_insert_rowid();
        let mut note = catalogue.db.prepare_cached("INSERT INTO signature VALUES (?, ?)")?;
        note.execute(params![body, self.signature])?;
        if let Some(fields) = &self.fields {
            let mut note = catalogue.db.prepare_cached("INSERT INTO fields VALUES (?, ?)")?;
            note.execute(params![body, fields])?;
        }
        Ok(body)
    }
}

/// The thread of a message: that of the first message known among itself and those it refers to.
fn thread(catalogue: &Catalogue, ids: &[i64]) -> Result<i64> {
    let mut find = catalogue.db.prepare_cached("SELECT thread FROM thread WHERE reference = ?")?;
    let mut known = None;
    for id in ids {
        let mut rows = find.query([id])?;
        if let Some(row) = rows.next()? {
            known = Some(row.get::<_, i64>(0)?);
            break;
        }
    }
    let thread = match known {
        Some(thread) => thread,
        None => {
            let next = catalogue.state("thread")? + 1;
            catalogue.set_state("thread", next)?;
            next
        }
    };
    let mut note = catalogue.db.prepare_cached("INSERT OR IGNORE INTO thread VALUES (?, ?)")?;
    for id in ids {
        note.execute(params![id, thread])?;
    }
    Ok(thread)
}

/// The Message-ID of a message and those of the messages it refers to, as numbers.
fn references(header: &[u8]) -> Vec<i64> {
    let mut ids = Vec::new();
    let mut rest = header;
    while !rest.is_empty() {
        let mut len = mail::header::next_line(rest).len();
        while matches!(rest.get(len), Some(b' ' | b'\t')) {
            len += mail::header::next_line(&rest[len..]).len();
        }
        let (field, after) = rest.split_at(len);
        rest = after;
        let Some(colon) = memchr::memchr(b':', field) else { continue };
        let name = field[..colon].trim_ascii_end();
        let of_interest = ["message-id", "in-reply-to", "references"];
        if of_interest.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            let words = field[colon + 1..].split(|byte| *byte == b'<').skip(1);
            ids.extend(words.filter_map(|word| Some(number(&word[..memchr::memchr(b'>', word)?]))));
        }
        if ids.len() > REFERENCES {
            ids.truncate(REFERENCES);
            break;
        }
    }
    ids
}

/// FNV-1a, which is the same in every release.
fn number(id: &[u8]) -> i64 {
    let hash = id.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_in_folded_fields() {
        let header = b"References: <a@x>\r\n\t<b@x>\r\nSubject: <c@x>\r\nMessage-Id : <d@x>\r\n\r\n";
        assert_eq!(references(header), [number(b"a@x"), number(b"b@x"), number(b"d@x")]);
        assert_eq!(references(b"Message-ID: <open\r\nno colon\r\n"), Vec::<i64>::new());
    }
}
