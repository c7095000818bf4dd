//! Sections: `1.2.TEXT`, `HEADER.FIELDS (…)`, `1.MIME` (RFC 9051 6.4.5.1), cut out of a stored message.

use std::borrow::Cow;
use std::ops::Range;

use crate::fields::{Field, fields};
use crate::structure::{Kind, Structure};
use crate::{crlf, transfer};

/// What of a part is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum What {
    /// All of a message, or the body of a part.
    #[default]
    All,
    /// The header of a message.
    Header,
    /// The body of a message.
    Text,
    /// The header of a part.
    Mime,
    /// These fields of the header of a message.
    Fields(Vec<Vec<u8>>),
    /// All but these.
    FieldsNot(Vec<Vec<u8>>),
}

/// A section of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Part numbers; empty for the message itself.
    pub path: Vec<u32>,
    /// What of it.
    pub what: What,
}

/// A section of a header that is read without its message: its path is empty, and it is no text. Lines end in CRLF.
pub fn of_header<'h>(header: &'h [u8], what: &What) -> Option<Cow<'h, [u8]>> {
    Some(match what {
        What::Header => crlf::wire(header),
        What::Fields(names) => {
            Cow::Owned(choose(header, true, |field| names.iter().any(|name| has(field, name))))
        }
        What::FieldsNot(names) => {
            Cow::Owned(choose(header, ends(header), |field| !names.iter().any(|name| has(field, name))))
        }
        What::All | What::Text | What::Mime => return None,
    })
}

/// A part whose transfer encoding cannot be undone (RFC 3516 `UNKNOWN-CTE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEncoding;

impl Structure {
    /// Index of the part that `path` names.
    ///
    /// In what is no multipart, 1 is the body itself. Numbers behind an attached message are those of its parts.
    pub fn locate(&self, path: &[u32]) -> Option<usize> {
        let mut at = 0;
        for (step, number) in path.iter().enumerate() {
            if step > 0 && self.parts[at].kind == Kind::Message {
                at += 1;
            } else if step > 0 && self.parts[at].kind == Kind::Leaf {
                return None;
            }
            if self.parts[at].kind == Kind::Multipart {
                at = self.children(at).nth(number.checked_sub(1)? as usize)?;
            } else if *number != 1 {
                return None;
            }
        }
        Some(at)
    }

    /// Where the section is stored: all of it for [`What::All`], [`What::Text`] and [`What::Mime`], the header that is
    /// chosen from for the others. `None` when there is no such part, or it has no such section.
    pub fn range(&self, section: &Section) -> Option<Range<usize>> {
        let index = self.locate(&section.path)?;
        let part = &self.parts[index];
        let message = if section.path.is_empty() {
            Some(part)
        } else {
            (part.kind == Kind::Message).then(|| &self.parts[index + 1])
        };
        match section.what {
            What::All if section.path.is_empty() => Some(0..self.size().stored as usize),
            What::All => Some(part.body_range()),
            What::Mime if section.path.is_empty() => None,
            What::Mime => Some(part.header_range()),
            What::Text => message.map(|message| message.body_range()),
            What::Header | What::Fields(_) | What::FieldsNot(_) => {
                message.map(|message| message.header_range())
            }
        }
    }

    /// The section of the stored `message`, lines ending in CRLF.
    pub fn section<'m>(&self, message: &'m [u8], section: &Section) -> Option<Cow<'m, [u8]>> {
        let stored = message.get(self.range(section)?)?;
        of_header(stored, &section.what).or_else(|| Some(crlf::wire(stored)))
    }

    /// The body of a part with its transfer encoding undone (RFC 3516 `BINARY`).
    pub fn binary(&self, message: &[u8], path: &[u32]) -> Option<Result<Vec<u8>, UnknownEncoding>> {
        let index = self.locate(path)?;
        let part = &self.parts[index];
        if path.is_empty() {
            return Some(Ok(crlf::wire(message).into_owned()));
        }
        let stored = crlf::wire(message.get(part.body_range())?);
        let name = part.mime.encoding.as_deref().unwrap_or(b"7bit");
        Some(match transfer::Encoding::named(name) {
            Some(encoding) => Ok(encoding.decode(&stored)),
            None => Err(UnknownEncoding),
        })
    }
}

fn has(field: &Field, name: &[u8]) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

/// Does the header end with an empty line?
fn ends(header: &[u8]) -> bool {
    matches!(header, b"\n" | b"\r\n") || header.ends_with(b"\n\n") || header.ends_with(b"\n\r\n")
}

/// The chosen fields of a header, and an empty line.
fn choose(header: &[u8], empty_line: bool, wanted: impl Fn(&Field) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(header).filter(wanted) {
        out.extend(&*crlf::wire(field.raw));
        if !out.ends_with(b"\n") {
            out.extend(b"\r\n");
        }
    }
    if empty_line {
        out.extend(b"\r\n");
    }
    out
}
