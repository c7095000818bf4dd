//! The header fields that people search, as they are compared: decoded and folded, kept beside the catalogue's rows so
//! that a search by subject or sender reads no message.
//!
//! ```text
//! fields = *(number:u8 length:u16 text)      number: the place in KNOWN; little-endian
//! ```

use crate::search;

/// The fields that are kept, by their numbers in what is stored: only to be added to.
const KNOWN: [&str; 8] = ["Subject", "From", "To", "Cc", "Bcc", "Sender", "Reply-To", "Message-ID"];
/// More than this is not kept of a message, in bytes; its header is read instead.
const LONGEST: usize = 4096;

/// What is kept of a header; `None` where it is too much.
pub(super) fn of(header: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut fits = true;
    search::each_field(header, &mut |name, value| {
        let Some(number) = KNOWN.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes())) else {
            return fits;
        };
        search::each_text(name, value, &mut |text| {
            fits &= out.len() + text.len() < LONGEST;
            if fits {
                out.push(number as u8);
                out.extend((text.len() as u16).to_le_bytes());
                out.extend(text.as_bytes());
            }
            fits
        });
        fits
    });
    fits.then_some(out)
}

/// A text that is looked for in a field.
pub(super) struct Wanted<'a> {
    number: u8,
    needle: memchr::memmem::Finder<'a>,
}

impl<'a> Wanted<'a> {
    /// `needle` is folded. `None` where the field is not kept.
    pub(super) fn new(name: &str, needle: &'a str) -> Option<Wanted<'a>> {
        let number = KNOWN.iter().position(|known| name.eq_ignore_ascii_case(known))?;
        Some(Wanted { number: number as u8, needle: memchr::memmem::Finder::new(needle) })
    }

    /// Is it in what is kept of a header?
    pub(super) fn is_in(&self, mut fields: &[u8]) -> bool {
        while let Some(([number, low, high], rest)) = fields.split_first_chunk() {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let Some((text, rest)) = rest.split_at_checked(length) else { return false };
            if *number == self.number && self.needle.find(text).is_some() {
                return true;
            }
            fields = rest;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is kept answers as the header itself does.
        #[test]
        fn the_answer_is_that_of_the_header(
            names in prop::collection::vec(prop::sample::select(vec!["Subject", "FROM", "to", "X-Other", "cc"]), 0..6),
            values in prop::collection::vec("(=\\?utf-8\\?q\\?=C3=84b\\?=|[a-c@<>()\", ]|\r\n |é){0,12}", 6),
            wanted in prop::sample::select(vec!["subject", "From", "TO", "Cc", "Bcc"]),
            needle in "[A-C@ ]{0,3}",
        ) {
            let fields = names.iter().zip(&values).map(|(name, value)| format!("{name}: {value}\r\n"));
            let header = fields.collect::<String>() + "\r\n";
            let kept = of(header.as_bytes()).unwrap();
            let answer = Wanted::new(wanted, &needle).unwrap().is_in(&kept);
            prop_assert_eq!(answer, search::field_contains(header.as_bytes(), wanted, &needle));
        }
    }

    #[test]
    fn too_much_is_not_kept_and_what_is_torn_ends() {
        assert_eq!(of(format!("Subject: {}\r\n\r\n", "x".repeat(LONGEST)).as_bytes()), None);
        let kept = of(b"Subject: abc\r\n\r\n").unwrap();
        let wanted = Wanted::new("SUBJECT", "ABC").unwrap();
        assert!(wanted.is_in(&kept) && !wanted.is_in(&kept[..kept.len() - 1]) && !wanted.is_in(&kept[..2]));
        assert!(Wanted::new("X-Other", "").is_none());
    }
}
