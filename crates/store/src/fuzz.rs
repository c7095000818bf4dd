//! What the fuzz targets call: names and places that others choose.

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_lead_nowhere_else(text in "[-.~/&,A-Za-z\\PC]{0,40}") {
            super::names(text.as_bytes());
        }

        #[test]
        fn locations_stay_where_they_are(text in "(facteur|maildir|mbox):[~/%.a-zA-Z:=0-9{}]{0,30}(\n[@./a-z\\PC]{0,20})?") {
            super::locations(text.as_bytes());
        }
    }
}
