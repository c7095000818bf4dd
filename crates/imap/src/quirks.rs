//! What single clients need that the protocol does not ask for: the named list of `imap_client_workarounds`.
//!
//! What costs others nothing is always done, and stands where it happens: names in UTF-8 from clients that have not asked
//! for it (Outlook), keywords with brackets (Thunderbird), a space before a closing parenthesis, options of GETMETADATA
//! behind the name (Apple Mail), NUL in a message that is told as 0x80.

/// Workarounds that are switched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// `delay-newmail`: new messages are told in answer to NOOP and CHECK alone. Outlook Express and the first Apple Mail
    /// miss them elsewhere.
    pub delay_new_mail: bool,
    /// `tb-extra-mailbox-sep`: a separator at the end of a name is passed over. Thunderbird sends it with
    /// `LAYOUT=fs`.
    pub extra_separator: bool,
    /// `tb-lsub-flags`: LSUB answers with the flags of LIST, so that Thunderbird greys out what cannot be selected.
    pub lsub_flags: bool,
}

/// The names that there are.
pub const NAMES: &str = "delay-newmail tb-extra-mailbox-sep tb-lsub-flags";

impl Quirks {
    /// By their names.
    ///
    /// # Errors
    /// The first name that is not known.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Quirks, &'a str> {
        let mut quirks = Quirks::default();
        for name in names {
            match name {
                "delay-newmail" => quirks.delay_new_mail = true,
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
        assert!(Quirks::named(NAMES.split(' ')).is_ok());
    }
}
