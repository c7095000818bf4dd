//! The parts of a message, where they lie in it, and what their headers say. RFC 2045, RFC 2046.

use std::ops::Range;

use crate::Envelope;
use crate::params::{self, Parameters};

/// How large a stretch of a stored message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes as stored.
    pub stored: u64,
    /// Bytes when every line ends in CRLF: what IMAP and POP3 call the size.
    pub wire: u64,
    /// Line ends.
    pub lines: u64,
}

impl Size {
    /// Two stretches side by side.
    pub fn with(self, next: Size) -> Size {
        Size {
            stored: self.stored + next.stored,
            wire: self.wire + next.wire,
            lines: self.lines + next.lines,
        }
    }
}

/// What a part holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Text or data.
    #[default]
    Leaf,
    /// Parts between boundaries.
    Multipart,
    /// `message/rfc822`: one message.
    Message,
}

/// What the fields of a part's header say of its body. A value is as it stood there, unfolded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mime {
    /// Type and subtype in their case, when there is a Content-Type; empty where it cannot be read.
    pub media_type: Option<(Vec<u8>, Vec<u8>)>,
    /// Of Content-Type.
    pub parameters: Parameters,
    /// Content-Transfer-Encoding.
    pub encoding: Option<Vec<u8>>,
    /// Content-ID.
    pub id: Option<Vec<u8>>,
    /// Content-Description.
    pub description: Option<Vec<u8>>,
    /// Content-MD5.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition and its parameters.
    pub disposition: Option<(Vec<u8>, Parameters)>,
    /// Content-Language.
    pub languages: Vec<Vec<u8>>,
    /// Content-Location.
    pub location: Option<Vec<u8>>,
}

impl Mime {
    /// Is the type `kind` and, when given, the subtype `subtype`? Without a Content-Type it is `text/plain`.
    pub fn is(&self, kind: &str, subtype: Option<&str>) -> bool {
        let (own, sub) = self.media();
        own.eq_ignore_ascii_case(kind.as_bytes())
            && subtype.is_none_or(|name| sub.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Type and subtype; `text/plain` when nothing is said.
    pub fn media(&self) -> (&[u8], &[u8]) {
        match &self.media_type {
            Some((kind, subtype)) => (kind, subtype),
            None => (b"text", b"plain"),
        }
    }

    /// The charset of a text, lower case not guaranteed.
    pub fn charset(&self) -> Option<&[u8]> {
        params::get(&self.parameters, "charset")
    }
}

/// One part. The message itself is the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Offset of its header in the stored message.
    pub start: u64,
    /// The header, its empty line included.
    pub header: Size,
    /// The body. The line end before a boundary belongs to the boundary.
    pub body: Size,
    /// What it holds.
    pub kind: Kind,
    /// What its header says of its body.
    pub mime: Mime,
    /// Of the message itself and of each attached one.
    pub envelope: Option<Box<Envelope>>,
    /// Index behind its last descendant.
    pub end: usize,
}

impl Part {
    /// Where its header is stored.
    pub fn header_range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.header.stored as usize
    }

    /// Where its body is stored.
    pub fn body_range(&self) -> Range<usize> {
        let start = (self.start + self.header.stored) as usize;
        start..start + self.body.stored as usize
    }
}

/// The parts of a message in the order of their headers; a part's descendants follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Never empty: the first is the message.
    pub parts: Vec<Part>,
}

impl Structure {
    /// The message itself.
    pub fn root(&self) -> &Part {
        &self.parts[0]
    }

    /// Size of the message; `wire` is RFC822.SIZE.
    pub fn size(&self) -> Size {
        self.root().header.with(self.root().body)
    }

    /// The parts directly within the part at `index`.
    pub fn children(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let last = self.parts[index].end;
        let mut next = index + 1;
        std::iter::from_fn(move || {
            let child = (next < last).then_some(next)?;
            next = self.parts[child].end;
            Some(child)
        })
    }
}
