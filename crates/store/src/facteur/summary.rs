//! What the catalogue keeps of a message so that lists need not read it.

use rusqlite::params;

use super::bodies::Spot;
use super::catalogue::Catalogue;
use super::signature;
use crate::Result;
use crate::search::LOOKED_AT;

/// References looked at in one message: threads are not made longer by more.
const REFERENCES: usize = 64;

/// Enters a body, under a number that it had before or a new one; gives the number.
pub(super) fn add(catalogue: &Catalogue, id: Option<i64>, spot: &Spot, content: &[u8]) -> Result<i64> {
    let structure = mime::parse(content, &mime::Limits::default());
    let (mut envelope, mut bodystructure) = (Vec::new(), Vec::new());
    if let Some(values) = &structure.root().envelope {
        mime::imap::envelope(values, &mut envelope);
    }
    mime::imap::bodystructure(&structure, &mut bodystructure);
    let header = &content[structure.root().header_range()];
    let thread = thread(catalogue, header)?;
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
        header.len() as i64,
        thread,
        envelope,
        bodystructure
    ])?;
    let body = catalogue.db.last_insert_rowid();
    let text = mime::text::searchable(content, &structure, LOOKED_AT);
    let mut note = catalogue.db.prepare_cached("INSERT INTO signature VALUES (?, ?)")?;
    note.execute(params![body, signature::of(&text)])?;
    Ok(body)
}

/// The thread of a message: that of the first message known among itself and those it refers to.
fn thread(catalogue: &Catalogue, header: &[u8]) -> Result<i64> {
    let ids = references(header);
    let mut find = catalogue.db.prepare_cached("SELECT thread FROM thread WHERE reference = ?")?;
    let mut known = None;
    for id in &ids {
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
    for id in &ids {
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
