//! Looking for a text in messages, one after the other.

use mime::fold::casemap as fold;

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

/// Addresses of a field that are looked at.
const MOST_ADDRESSES: usize = 1000;

/// Bytes of header, and of text, that are looked through in one message.
pub(crate) const LOOKED_AT: usize = 16 << 20;

/// Does a message contain a folded text?
pub(crate) fn contains(message: &[u8], within: Within<'_>, needle: &str) -> bool {
    let structure = mime::parse(message, &mime::Limits::default());
    if let Within::Field(name) = within {
        return field_contains(&message[structure.root().header_range()], name, needle);
    }
    let text = mime::text::searchable(message, &structure, LOOKED_AT);
    fold(&text.body).contains(needle) || within == Within::Text && fold(&text.header).contains(needle)
}

/// Does a header have a field of this name that contains a folded text? An empty text asks for the field alone.
pub(crate) fn field_contains(header: &[u8], name: &str, needle: &str) -> bool {
    let mut found = false;
    each_field(header, &mut |other, value| {
        if other.eq_ignore_ascii_case(name.as_bytes()) {
            each_text(other, value, &mut |text| {
                found |= text.contains(needle);
                !found
            });
        }
        !found
    });
    found
}

/// Gives `each` the names and values of a header's fields, until it says no.
pub(crate) fn each_field(header: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
    let mut rest = header;
    while !rest.is_empty() {
        let mut len = mail::header::next_line(rest).len();
        while matches!(rest.get(len), Some(b' ' | b'\t')) {
            len += mail::header::next_line(&rest[len..]).len();
        }
        let (field, after) = rest.split_at(len);
        rest = after;
        let Some(colon) = memchr::memchr(b':', field) else { continue };
        if !each(field[..colon].trim_ascii_end(), field[colon + 1..].trim_ascii()) {
            return;
        }
    }
}

/// Gives `each` the folded texts that a value is searched as, until it says no: addresses as they are written, and
/// without the comments and spaces within them.
pub(crate) fn each_text(name: &[u8], value: &[u8], each: &mut dyn FnMut(String) -> bool) {
    if !each(fold(&mime::words::decode(value))) {
        return;
    }
    if !is_address_field(name) || !value.contains(&b'(') && !value.contains(&b'\n') {
        return;
    }
    let mut addresses = Vec::new();
    mime::address::parse(value, MOST_ADDRESSES, &mut addresses);
    let specs = addresses.iter().filter_map(mime::Address::addr_spec);
    let _ = specs.into_iter().all(|spec| each(fold(&String::from_utf8_lossy(&spec))));
}

fn is_address_field(name: &[u8]) -> bool {
    ["From", "To", "Cc", "Bcc", "Sender", "Reply-To"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The longest piece of a text that stands together wherever the text is found: an address may have comments
/// around its `@`.
pub(crate) fn rarest<'a>(within: Within<'_>, needle: &'a str) -> &'a str {
    match within {
        Within::Field(name) if is_address_field(name.as_bytes()) => {
            needle.split('@').max_by_key(|piece| piece.len()).unwrap_or(needle)
        }
        _ => needle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read_is_searched() {
        let message = "Subject: =?utf-8?q?=C3=84rger?=\r\n =?utf-8?q?_hier?=\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            <p>Sch=C3=B6n=\r\ne Gr=C3=BC=C3=9Fe</p>\r\n";
        let check = |within, needle: &str| contains(message.as_bytes(), within, &fold(needle));
        assert!(check(Within::Text, "ÄRGER HIER") && check(Within::Field("subject"), "ärger"));
        assert!(check(Within::Body, "schöne grüße") && check(Within::Text, "SCHÖNE"));
        assert!(!check(Within::Body, "ärger") && !check(Within::Field("from"), "ärger"));
        assert!(check(Within::Field("Subject"), "") && !check(Within::Field("From"), ""));

        let message = b"From: <joe (at work)@ (near) example.org>\r\n\r\n";
        let check = |within, needle: &str| contains(message, within, &fold(needle));
        assert!(check(Within::Field("from"), "joe@example.org") && check(Within::Field("From"), "at work"));
        assert!(!check(Within::Field("From"), "jim@example.org"));
        assert_eq!(rarest(Within::Field("From"), "joe@example.org"), "example.org");
        assert_eq!(rarest(Within::Text, "joe@example.org"), "joe@example.org");
    }
}
