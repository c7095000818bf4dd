//! The header fields that cleanup knows by name.

/// Whose addresses a header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No addresses.
    None,
    /// Those of senders: `sender_canonical_maps` and header_sender classes.
    Sender,
    /// Those of recipients.
    Recipient,
}

/// A header field with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Name in lower case.
    pub name: &'static str,
    /// Its addresses.
    pub role: Role,
    /// It belongs to a message sent again (RFC 5322 3.6.6).
    pub resent: bool,
}

const fn plain(name: &'static str) -> Known {
    Known { name, role: Role::None, resent: false }
}

const fn sender(name: &'static str) -> Known {
    Known { role: Role::Sender, ..plain(name) }
}

const fn recipient(name: &'static str) -> Known {
    Known { role: Role::Recipient, ..plain(name) }
}

impl Known {
    const fn again(mut self) -> Known {
        self.resent = true;
        self
    }
}

/// All of them.
const KNOWN: &[Known] = &[
    recipient("apparently-to"),
    recipient("bcc"),
    recipient("cc"),
    plain("content-description"),
    plain("content-disposition"),
    plain("content-id"),
    plain("content-length"),
    plain("content-transfer-encoding"),
    plain("content-type"),
    plain("date"),
    plain("delivered-to"),
    sender("disposition-notification-to"),
    sender("errors-to"),
    sender("from"),
    sender("mail-followup-to"),
    plain("message-id"),
    plain("mime-version"),
    plain("received"),
    sender("reply-to"),
    recipient("resent-bcc").again(),
    recipient("resent-cc").again(),
    plain("resent-date").again(),
    sender("resent-from").again(),
    plain("resent-message-id").again(),
    recipient("resent-reply-to").again(),
    sender("resent-sender").again(),
    recipient("resent-to").again(),
    sender("return-path"),
    sender("return-receipt-to"),
    sender("sender"),
    recipient("to"),
];

/// Finds a field by name, in any case.
pub fn find(name: &[u8]) -> Option<&'static Known> {
    let at = KNOWN.partition_point(|known| less(known.name.as_bytes(), name));
    KNOWN.get(at).filter(|known| known.name.as_bytes().eq_ignore_ascii_case(name))
}

fn less(known: &[u8], name: &[u8]) -> bool {
    known.iter().copied().lt(name.iter().map(u8::to_ascii_lowercase))
}

/// The known fields a message has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen(u64);

impl Seen {
    /// Notes a field.
    pub fn add(&mut self, known: &'static Known) {
        self.0 |= Self::bit(known.name);
    }

    /// Is there one of this (lower case, known) name?
    pub fn has(self, name: &str) -> bool {
        self.0 & Self::bit(name) != 0
    }

    fn bit(name: &str) -> u64 {
        KNOWN.binary_search_by(|known| known.name.cmp(name)).map_or(0, |at| 1 << at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_case() {
        assert!(KNOWN.is_sorted_by(|one, next| one.name < next.name) && KNOWN.len() <= 64);
        for known in KNOWN {
            assert_eq!(find(known.name.to_uppercase().as_bytes()), Some(known));
            let mut seen = Seen::default();
            seen.add(known);
            assert!(seen.has(known.name));
        }
        assert_eq!((find(b"subject"), find(b""), find(b"zzz")), (None, None, None));
        assert!(!Seen::default().has("to"));
    }
}
