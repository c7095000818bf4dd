//! The body of a message under way: passed on as it is, or line by line when somebody looks.

use mail::Refusal;
use mail::header::{Field, next_line, trim_line_end};
use mail::mime::{Encoding, Follows, Mime};

use super::pieces::{Piece, piece};
use super::visit::Part;
use super::visiting::{Fate, Seen};
use super::{Cleaner, Cleaning, Sink, header};

/// What visitors of a body need to know of where they are.
#[derive(Debug)]
pub struct Looking {
    pub mime: Mime,
    /// The text at hand is a header of this kind.
    header: Option<Part>,
    /// Bytes of the part at hand that were shown.
    offset: u64,
    /// The text at hand goes on within a line that is longer than any should be.
    mid_line: bool,
}

impl Looking {
    /// At the top of a message.
    pub fn new(cleaner: &Cleaner) -> Looking {
        let mime = Mime::new(cleaner.nesting_limit, cleaner.boundary_limit);
        Looking { mime, header: None, offset: 0, mid_line: false }
    }

    fn follows(&mut self, follows: Follows, part: Part) {
        self.header = (follows == Follows::Header).then_some(part);
        self.offset = 0;
    }

    /// The message's own header is over.
    pub fn header_end(&mut self) {
        let follows = self.mime.header_end();
        self.follows(follows, Part::Nested);
    }
}

/// A header field or line that was looked at.
struct Taken {
    /// Bytes of it, its line end included.
    len: usize,
    /// Of these, the line end.
    end: usize,
    /// What visitors want done with it.
    seen: Seen,
}

impl Taken {
    /// Text that stays as it is.
    fn as_it_is(len: usize) -> Taken {
        Taken { len, end: 0, seen: Seen::unchanged() }
    }
}

impl<S: Sink> Cleaning<S> {
    /// Does anybody look at this message?
    pub(super) fn is_watched(&self) -> bool {
        !self.visitors.is_empty() && !self.skip.checks
    }

    /// Is more wanted of the body than to pass it on?
    fn looks_inside(&self) -> bool {
        !self.skip.checks && (!self.visitors.is_empty() || self.cleaner.strict.any())
    }

    /// Notes what a field tells of the structure.
    pub(super) fn note_structure(&mut self, field: Field<'_>) -> Result<(), Refusal> {
        if !self.looks_inside() || self.cleaner.ignores_mime {
            return Ok(());
        }
        if field.is("Content-Type") {
            let noted = self.looking.mime.content_type(field.value());
            noted.map_err(|_| self.mime_error("MIME nesting exceeds safety limit", field.raw))?;
        } else if field.is("Content-Transfer-Encoding") {
            self.looking.mime.transfer_encoding(field.value());
        }
        if self.cleaner.strict.headers && !field.raw.is_ascii() {
            return Err(self.mime_error("improper use of 8-bit data in message header", field.raw));
        }
        Ok(())
    }

    /// At the end of a header: may a part of this kind be encoded like this (`strict_mime_encoding_domain`)?
    pub(super) fn check_encoding(&self) -> Result<(), Refusal> {
        let mime = &self.looking.mime;
        if self.cleaner.strict.encodings && !self.skip.checks && mime.is_misencoded() {
            let name = mime.encoding().name().as_bytes();
            return Err(self.mime_error("invalid message/* or multipart/* encoding domain", name));
        }
        Ok(())
    }

    /// Body text, of any length.
    pub(super) async fn body(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if !self.looks_inside() {
            let pending = std::mem::take(&mut self.pending);
            self.out.write(&pending)?;
            return self.out.write(chunk);
        }
        self.show(chunk, false).await
    }

    /// The body is over: shows what is left of it.
    pub(super) async fn body_end(&mut self) -> Result<(), Refusal> {
        self.show(b"", true).await
    }

    /// Hands on runs of text that stays as it is, and between them what changes.
    async fn show(&mut self, chunk: &[u8], last: bool) -> Result<(), Refusal> {
        let mut buffer = std::mem::take(&mut self.pending);
        let text = match buffer.is_empty() {
            true => chunk,
            false => {
                buffer.extend_from_slice(chunk);
                &buffer[..]
            }
        };
        let (mut handed_on, mut at) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            let is_header = self.looking.header.is_some();
            let taken = match self.looking.header {
                Some(part) => self.part_header(part, rest, last).await?,
                None if self.nobody_wants_lines() => Some(Taken::as_it_is(rest.len())),
                None => self.line(rest, last).await?,
            };
            let Some(Taken { len, end, seen }) = taken else { break };
            if !seen.is_unchanged() {
                self.out.write(&text[handed_on..at])?;
                handed_on = match seen.line {
                    Fate::Stays => at,
                    Fate::Goes | Fate::Becomes(_) => at + len,
                };
                for line in &seen.before {
                    self.put_line(is_header, line, b"\n")?;
                }
                if let Fate::Becomes(line) = &seen.line {
                    self.put_line(is_header, line, &rest[len - end..len])?;
                }
            }
            at += len;
        }
        self.out.write(&text[handed_on..at])?;
        self.pending = text[at..].to_vec();
        Ok(())
    }

    fn put_line(&mut self, is_header: bool, line: &str, end: &[u8]) -> Result<(), Refusal> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        if is_header {
            header::push(&mut bytes, line.as_bytes());
        } else {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(end);
        }
        self.out.write(&bytes)
    }

    /// Outside multiparts nothing but lines themselves can matter, and those only up to a limit.
    fn nobody_wants_lines(&self) -> bool {
        let wants_bytes = self.cleaner.strict.bodies && self.looking.mime.encoding() == Encoding::SevenBit;
        !self.looking.mime.is_within() && self.looking.offset >= self.body_limit && !wants_bytes
    }

    /// A header field within the body. `None` when more text is needed.
    async fn part_header(&mut self, part: Part, text: &[u8], last: bool) -> Result<Option<Taken>, Refusal> {
        let len = match piece(text, last, self.cleaner.header_size_limit) {
            Piece::Field(len) => len,
            Piece::More if text.len() > self.cleaner.header_size_limit => text.len(),
            Piece::More => return Ok(None),
            Piece::End(true) => {
                self.check_encoding()?;
                let follows = self.looking.mime.header_end();
                self.looking.follows(follows, Part::Nested);
                // The line between counts as body text.
                self.looking.offset = 1;
                return Ok(Some(Taken::as_it_is(1)));
            }
            Piece::End(false) => {
                self.check_encoding()?;
                self.looking.follows(Follows::Body, part);
                return Ok(Some(Taken::as_it_is(0)));
            }
        };
        let raw = trim_line_end(&text[..len]);
        let Some(field) = Field::parse(raw) else { return Ok(Some(Taken::as_it_is(len))) };
        self.note_structure(field)?;
        let part = if mail::mime::is_field(field.name()) { Part::Mime } else { part };
        let seen = self.visit(Some(part), 0, raw).await?;
        Ok(Some(Taken { len, end: len - raw.len(), seen }))
    }

    /// A body line. One that is longer than any should be is looked at piece by piece.
    async fn line(&mut self, text: &[u8], last: bool) -> Result<Option<Taken>, Refusal> {
        let limit = self.cleaner.line_limit.max(1);
        let line = next_line(&text[..text.len().min(limit)]);
        let whole = line.ends_with(b"\n");
        if !whole && !last && line.len() < limit {
            return Ok(None);
        }
        let len = line.len();
        let line = &line[..len - usize::from(whole)];
        let looking = &mut self.looking;
        if self.cleaner.strict.bodies && looking.mime.encoding() == Encoding::SevenBit && !line.is_ascii() {
            return Err(self.mime_error("improper use of 8-bit data in message body", line));
        }
        let follows = if looking.mid_line { Follows::Body } else { looking.mime.line(line) };
        looking.mid_line = !whole;
        if follows == Follows::Epilog {
            looking.offset = 0;
        }
        let offset = looking.offset;
        looking.offset += line.len() as u64 + 1;
        let seen = match offset < self.body_limit {
            true => self.visit(None, offset, line).await?,
            false => Seen::unchanged(),
        };
        if follows == Follows::Header {
            self.looking.follows(follows, Part::Mime);
        }
        Ok(Some(Taken { len, end: usize::from(whole), seen }))
    }
}
