//! Looking for a text in messages, one after the other.

use crate::{Error, Mailbox, Result, Within};

/// Which of the messages contain a text, found by reading them.
///
/// # Errors
/// When one cannot be read; those that are gone meanwhile do not match.
pub fn by_reading(
    mailbox: &dyn Mailbox,
    within: Within<'_>,
    needle: &str,
    among: &[u32],
) -> Result<Vec<u32>> {
    let needle = fold(needle);
    let mut found = Vec::new();
    if let Within::Field(name) = within {
        mailbox.headers(among, &mut |uid, header| {
            if field_contains(&header, name, &needle) {
                found.push(uid);
            }
            true
        })?;
        return Ok(found);
    }
    for uid in among {
        match mailbox.body(*uid) {
            Err(Error::NoMessage) => {}
            message => {
                if contains(&message?, within, &needle) {
                    found.push(*uid);
                }
            }
        }
    }
    Ok(found)
}

/// Text as it is compared.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Does a message contain a folded text?
pub(crate) fn contains(message: &[u8], within: Within<'_>, needle: &str) -> bool {
    let structure = mime::parse(message, &mime::Limits::default());
    let header = &message[structure.root().header_range()];
    let has = |bytes: &[u8]| fold(&String::from_utf8_lossy(bytes)).contains(needle);
    match within {
        Within::Field(name) => field_contains(header, name, needle),
        Within::Body => has(&message[header.len()..]),
        Within::Text => has(message),
    }
}

/// Does a header have a field of this name that contains a folded text? An empty text asks for the field alone.
pub(crate) fn field_contains(header: &[u8], name: &str, needle: &str) -> bool {
    let mut rest = header;
    while !rest.is_empty() {
        let mut len = mail::header::next_line(rest).len();
        while matches!(rest.get(len), Some(b' ' | b'\t')) {
            len += mail::header::next_line(&rest[len..]).len();
        }
        let (field, after) = rest.split_at(len);
        rest = after;
        let Some(colon) = memchr::memchr(b':', field) else { continue };
        if field[..colon].trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
            && fold(&String::from_utf8_lossy(&field[colon + 1..])).contains(needle)
        {
            return true;
        }
    }
    false
}
