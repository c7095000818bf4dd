//! What the fuzz targets call: names and places that others choose, files that others write.

use jiff::tz::TimeZone;

use crate::maildir::uidlist::Uidlist;
use crate::mbox::{from_line, head, scan};
use crate::{Location, Name, Owner, from_utf7, to_utf7};

/// A name of a mailbox, as a client or a directory gives it, and what becomes of it on a disk.
///
/// # Panics
/// When a name that was taken could lead elsewhere, or does not come back as it was.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(name) = from_utf7(text) {
        assert_eq!(to_utf7(&name), text);
    }
    assert_eq!(from_utf7(&to_utf7(text)).as_deref(), Some(text));
    for separator in ['/', '.'] {
        let Ok(name) = Name::with_separator(text, separator) else { continue };
        assert!(name.levels().all(|level| !matches!(level, "" | "." | "..") && !level.contains('\0')));
        assert!(!name.as_str().starts_with(['/', '~']));
        if let Ok(again) = Name::new(name.as_str()) {
            assert_eq!(again, name);
        }
    }
}

/// A `mail_location` and the name of a user in it.
///
/// # Panics
/// When a place lies outside of where the location says.
pub fn locations(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (location, user) = text.split_once('\n').unwrap_or(("facteur:/srv/%d/%n/%1u", text));
    let Ok(location) = Location::parse(location) else { return };
    let owner = Owner { home: Some("/home/joe".into()), ..Owner::named(user) };
    if let Ok(place) = location.place(&owner) {
        assert!(place.root.is_absolute());
    }
    if let Ok(place) = Location::parse("facteur:/srv/%d/%n/%1u")
        .and_then(|fixed| fixed.place(&owner).map_err(|error| error.to_string()))
    {
        assert!(place.root.components().all(|part| part != std::path::Component::ParentDir));
    }
}

/// A `dovecot-uidlist`, and lines that were appended to it.
///
/// # Panics
/// When what was read is not what is read again, or UIDs do not rise.
pub fn uidlists(bytes: &[u8]) {
    let Ok((mut list, used)) = Uidlist::parse(bytes) else { return };
    assert!(used <= bytes.len());
    let _ = list.read_on(&bytes[used..]);
    assert!(list.records.windows(2).all(|pair| pair[0].uid < pair[1].uid));
    let written = list.write();
    let (again, all) = Uidlist::parse(&written).expect("it was just written");
    assert_eq!((&again, all), (&list, written.len()));
    for record in &list.records {
        let _ = (record.number(b'S'), record.extension(b'P'));
    }
}

/// An mbox file.
///
/// # Panics
/// When messages overlap or lie outside of the file.
pub fn mboxes(bytes: &[u8]) {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let _ = from_line::parse(line, &TimeZone::UTC);
    let marks = head::read(bytes);
    let _ = head::write(bytes, &marks);
    assert!(head::visible(bytes).len() + head::hidden(bytes).0 <= bytes.len());
    let path = std::env::temp_dir().join(format!("facteur-fuzz-{}", std::process::id()));
    if std::fs::write(&path, bytes).is_err() {
        return;
    }
    let found = std::fs::File::open(&path).and_then(|file| scan::scan(&file, &TimeZone::UTC));
    let _ = std::fs::remove_file(&path);
    let mut at = 0;
    for found in found.ok().flatten().unwrap_or_default() {
        let place = found.place;
        assert!(at <= place.start && place.start <= place.body && place.body <= place.body_end);
        assert!(place.body_end <= place.end && place.end <= bytes.len() as u64);
        at = place.end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_lead_nowhere_else(text in "[-.~/&,A-Za-z\\PC]{0,40}") {
            super::names(text.as_bytes());
        }

        #[test]
        fn lists_of_uids_are_read_as_they_are_written(
            text in "3 V[0-9]{1,3} N[0-9]{1,3}( G[0-9a-f]{4})?\n([0-9]{1,3} (S[0-9]{1,2} )?:[a-z.,=0-9]{0,9}\n?){0,6}",
        ) {
            super::uidlists(text.as_bytes());
        }

        #[test]
        fn messages_lie_one_after_the_other(
            text in "(From [a-z@]{1,5} (Sat Jan  3 01:05:34 1996)?\n?|(Status|X-UID|X-IMAP|Content-Length|To): ?[RO0-9 ]{0,9}\n|\n|[a-z>F]{0,5}\n?){0,14}",
        ) {
            super::mboxes(text.as_bytes());
        }

        #[test]
        fn locations_stay_where_they_are(text in "(facteur|maildir|mbox):[~/%.a-zA-Z:=0-9{}]{0,30}(\n[@./a-z\\PC]{0,20})?") {
            super::locations(text.as_bytes());
        }
    }
}
