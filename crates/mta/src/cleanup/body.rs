//! The body of a message under way: passed on as it is, or line by line when somebody looks.

use mail::header::{Field, next_line, trim_line_end};
use mail::{Blame, Detail, Refusal};

use super::pieces::{Piece, piece};
use super::visit::Part;
use super::{Cleaner, Cleaning, Sink, fields};
use mail::mime::{Follows, Mime};

/// What visitors of a body need to know of where they are.
#[derive(Debug)]
pub struct Looking {
    pub mime: Mime,
    /// The text at hand is a header of this kind.
    header: Option<Part>,
    /// Bytes of the part at hand that were shown.
    offset: u64,
}

impl Looking {
    /// At the top of a message.
    pub fn new(cleaner: &Cleaner) -> Looking {
        let mime = Mime::new(cleaner.nesting_limit, cleaner.boundary_limit);
        Looking { mime, header: None, offset: 0 }
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

impl<S: Sink> Cleaning<S> {
    /// Does anybody look at this message?
    pub(super) fn is_watched(&self) -> bool {
        !self.visitors.is_empty() && !self.skip.checks
    }

    /// Notes the structure that a Content-Type header announces.
    pub(super) fn note_structure(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if !self.is_watched() || self.cleaner.ignores_mime {
            return Ok(());
        }
        self.looking
            .mime
            .content_type(value)
            .map_err(|_| Refusal::never(50, Detail(6, 0), Blame::Peer, "MIME nesting exceeds safety limit"))
    }

    /// Body text, of any length.
    pub(super) async fn body(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if !self.is_watched() {
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

    async fn show(&mut self, chunk: &[u8], last: bool) -> Result<(), Refusal> {
        let mut buffer = std::mem::take(&mut self.pending);
        buffer.extend_from_slice(chunk);
        let mut text = &buffer[..];
        while !text.is_empty() {
            let taken = match self.looking.header {
                Some(part) => self.part_header(part, text, last).await?,
                None => self.line(text, last).await?,
            };
            match taken {
                Some(len) => text = &text[len..],
                None => break,
            }
        }
        self.pending = text.to_vec();
        Ok(())
    }

    /// A header field within the body. `None` when more text is needed.
    async fn part_header(&mut self, part: Part, text: &[u8], last: bool) -> Result<Option<usize>, Refusal> {
        let len = match piece(text, last, self.cleaner.header_size_limit) {
            Piece::Field(len) => len,
            Piece::More if text.len() > self.cleaner.header_size_limit => text.len(),
            Piece::More => return Ok(None),
            Piece::End(true) => {
                let follows = self.looking.mime.header_end();
                self.looking.follows(follows, Part::Nested);
                self.show_line(b"", b"\n").await?;
                return Ok(Some(1));
            }
            Piece::End(false) => {
                self.looking.follows(Follows::Body, part);
                return Ok(Some(0));
            }
        };
        let field = trim_line_end(&text[..len]);
        let known = Field::parse(field).and_then(|field| fields::find(field.name()));
        if let Some(known) = known
            && known.name == "content-type"
        {
            self.note_structure(Field::parse(field).map_or(b"", |field| field.value()))?;
        }
        let part = if known.is_some_and(|known| known.mime) { Part::Mime } else { part };
        if let Some(kept) = self.visit(Some(part), 0, field).await? {
            self.out.write(&kept)?;
            self.out.write(&text[field.len()..len])?;
        }
        Ok(Some(len))
    }

    /// A body line. One that is longer than any should be is looked at piece by piece.
    async fn line(&mut self, text: &[u8], last: bool) -> Result<Option<usize>, Refusal> {
        let line = next_line(text);
        let whole = line.ends_with(b"\n");
        if !whole && !last && line.len() < self.cleaner.line_limit {
            return Ok(None);
        }
        let (line, end) = line.split_at(line.len() - usize::from(whole));
        let follows = self.looking.mime.line(line);
        self.show_line(line, end).await?;
        if follows == Follows::Header {
            self.looking.follows(follows, Part::Mime);
        }
        Ok(Some(line.len() + end.len()))
    }

    async fn show_line(&mut self, line: &[u8], end: &[u8]) -> Result<(), Refusal> {
        let offset = self.looking.offset;
        self.looking.offset += line.len() as u64 + 1;
        if let Some(kept) = self.visit(None, offset, line).await? {
            self.out.write(&kept)?;
            self.out.write(end)?;
        }
        Ok(())
    }
}
