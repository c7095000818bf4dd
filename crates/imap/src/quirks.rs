//! What single clients need that the protocol does not ask for: the named list of `imap_client_workarounds`.

/// Workarounds that are switched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// `tb-extra-mailbox-sep`: a separator at the end of a name is passed over. Thunderbird sends it with
    /// `LAYOUT=fs`.
    pub extra_separator: bool,
    /// `tb-lsub-flags`: LSUB answers with the flags of LIST, so that Thunderbird greys out what cannot be selected.
    pub lsub_flags: bool,
}

impl Quirks {
    /// By their names.
    ///
    /// # Errors
    /// The first name that is not known.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Quirks, &'a str> {
        let mut quirks = Quirks::default();
        for name in names {
            match name {
                "tb-extra-mailbox-sep" => quirks.extra_separator = true,
                "tb-lsub-flags" => quirks.lsub_flags = true,
                unknown => return Err(unknown),
            }
        }
        Ok(quirks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workarounds_have_dovecots_names() {
        assert!(Quirks::named(["tb-lsub-flags", "tb-extra-mailbox-sep"]).unwrap().lsub_flags);
        assert_eq!(Quirks::named(["outlook-idle"]), Err("outlook-idle"));
    }
}
