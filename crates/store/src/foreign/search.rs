//! SEARCH by text, message by message: these formats have no index of words.

use super::{Files, Shared};
use crate::{Error, Mailbox, Result, Within};

impl<F: Files> Shared<F> {
    pub(super) fn search(&self, within: Within<'_>, needle: &str, among: &[u32]) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        let needle = Needle::new(needle);
        if let Within::Field(field) = within {
            self.read_headers(among, &mut |uid, header| {
                if values(&header, field).any(|value| needle.is_in(value)) {
                    found.push(uid);
                }
                true
            })?;
            return Ok(found);
        }
        for uid in among {
            match self.body(*uid) {
                Ok(message) if text_has(&message, within == Within::Text, &needle) => found.push(*uid),
                Ok(_) | Err(Error::NoMessage) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// A text to be found whatever its case.
struct Needle {
    lower: String,
    finder: memchr::memmem::Finder<'static>,
    ascii: bool,
}

impl Needle {
    fn new(text: &str) -> Needle {
        let lower = text.to_lowercase();
        let finder = memchr::memmem::Finder::new(lower.as_bytes()).into_owned();
        Needle { ascii: lower.is_ascii(), finder, lower }
    }

    fn is_in(&self, text: &[u8]) -> bool {
        if self.lower.is_empty() {
            return true;
        }
        match self.ascii {
            true => self.finder.find(&text.to_ascii_lowercase()).is_some(),
            false => self.finder.find(String::from_utf8_lossy(text).to_lowercase().as_bytes()).is_some(),
        }
    }
}

/// The values of a field in a header, unfolded.
fn values<'h>(header: &'h [u8], field: &'h str) -> impl Iterator<Item = &'h [u8]> {
    let mut rest = header;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let mut end = 0;
            while end == 0 || rest.get(end).is_some_and(|next| matches!(next, b' ' | b'\t')) {
                end = memchr::memchr(b'\n', &rest[end..]).map_or(rest.len(), |at| end + at + 1);
                if end == rest.len() {
                    break;
                }
            }
            let (line, after) = rest.split_at(end);
            rest = after;
            if let Some(colon) = memchr::memchr(b':', line)
                && line[..colon].trim_ascii_end().eq_ignore_ascii_case(field.as_bytes())
            {
                return Some(line[colon + 1..].trim_ascii());
            }
        }
        None
    })
}

/// Is the needle in a text part, or in a header?
fn text_has(message: &[u8], headers: bool, needle: &Needle) -> bool {
    let structure = mime::parse(message, &mime::Limits::default());
    structure.parts.iter().any(|part| {
        if headers && message.get(part.header_range()).is_some_and(|header| needle.is_in(header)) {
            return true;
        }
        if part.kind != mime::Kind::Leaf || !part.mime.is("text", None) {
            return false;
        }
        let Some(body) = message.get(part.body_range()) else { return false };
        let encoding = part.mime.encoding.as_deref().and_then(mime::transfer::Encoding::named);
        match encoding {
            None | Some(mime::transfer::Encoding::Identity) => needle.is_in(body),
            Some(encoding) => needle.is_in(&encoding.decode(body)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_texts_are_found_whatever_their_case() {
        let header = b"Subject: one\r\n two\r\nFrom: Me\r\nsubject : Three\r\n\r\n";
        assert_eq!(values(header, "SUBJECT").collect::<Vec<_>>(), [&b"one\r\n two"[..], b"Three"]);
        let message = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8gV29ybGQ=\r\n";
        assert!(text_has(message, false, &Needle::new("o wORLD")));
        assert!(!text_has(message, false, &Needle::new("subject")));
        assert!(text_has(message, true, &Needle::new("subject")));
        assert!(Needle::new("ÄRGER").is_in("kein ärger".as_bytes()));
    }
}
