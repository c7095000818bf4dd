//! One pass over a stored message, line by line, that finds its parts. Linear in the message whatever it holds.

use memchr::{memchr, memchr_iter};

use crate::structure::{Kind, Part, Size, Structure};
use crate::{Limits, header};

/// Boundaries are told apart by this many bytes.
const BOUNDARY: usize = 80;

/// Finds the parts of a stored message, whose lines may end in LF, CRLF or both.
pub fn parse(message: &[u8], limits: &Limits) -> Structure {
    let mut walk = Walk {
        message,
        limits,
        at: Mark::default(),
        before: Mark::default(),
        parts: Vec::new(),
        open: Vec::new(),
        boundaries: 0,
        in_header: true,
    };
    walk.begin(false);
    while walk.at.offset < message.len() {
        walk.step();
    }
    walk.finish();
    Structure { parts: walk.parts }
}

/// A place in the message, and what was counted up to it.
#[derive(Clone, Copy, Default)]
struct Mark {
    offset: usize,
    lines: u64,
    /// Line ends that are LF alone.
    bare: u64,
}

impl Mark {
    fn since(self, start: Mark) -> Size {
        let stored = (self.offset - start.offset) as u64;
        Size { stored, wire: stored + self.bare - start.bare, lines: self.lines - start.lines }
    }
}

/// A part whose end is not seen yet.
struct Open {
    part: usize,
    body: Mark,
    boundary: Option<Vec<u8>>,
    digest: bool,
}

struct Walk<'a> {
    message: &'a [u8],
    limits: &'a Limits,
    at: Mark,
    /// Before the line end of the line read last.
    before: Mark,
    parts: Vec<Part>,
    open: Vec<Open>,
    /// How many of the open parts have a boundary.
    boundaries: usize,
    in_header: bool,
}

impl<'a> Walk<'a> {
    /// A part begins here; `digest`: it is a message unless its header says otherwise.
    fn begin(&mut self, digest: bool) {
        let part = self.parts.len();
        self.parts.push(Part { start: self.at.offset as u64, ..Part::default() });
        self.open.push(Open { part, body: self.at, boundary: None, digest });
        self.in_header = true;
    }

    fn step(&mut self) {
        if !self.in_header && self.boundaries == 0 {
            return self.skip_to_end();
        }
        let rest = &self.message[self.at.offset..];
        let line = match memchr(b'\n', rest) {
            Some(end) => &rest[..=end],
            None => rest,
        };
        if self.boundaries > 0 && line.starts_with(b"--") && self.boundary(line) {
            return;
        }
        self.pass(line);
        if self.in_header && matches!(line, b"\n" | b"\r\n") {
            self.header_end();
        }
    }

    fn pass(&mut self, line: &[u8]) {
        self.before = self.at;
        self.at.offset += line.len();
        if let Some(text) = line.strip_suffix(b"\n") {
            self.at.lines += 1;
            self.at.bare += u64::from(!text.ends_with(b"\r"));
            self.before.offset += text.strip_suffix(b"\r").unwrap_or(text).len();
        } else {
            self.before = self.at;
        }
    }

    /// No boundary can come any more: what is left is counted and no longer looked at.
    fn skip_to_end(&mut self) {
        let rest = &self.message[self.at.offset..];
        for end in memchr_iter(b'\n', rest) {
            self.at.lines += 1;
            self.at.bare += u64::from(end == 0 || rest[end - 1] != b'\r');
        }
        self.at.offset = self.message.len();
    }

    /// The header of the innermost part is over.
    fn header_end(&mut self) {
        self.in_header = false;
        let depth = self.open.len();
        let digest = self.open.last().is_some_and(|open| open.digest);
        let index = self.parts.len() - 1;
        let start = self.parts[index].start as usize;
        let text = &self.message[start..self.at.offset];
        let is_message = depth == 1 || self.parts[self.open[depth - 2].part].kind == Kind::Message;
        let part = &mut self.parts[index];
        let boundary = header::read(text, is_message, digest, self.limits, part);
        if depth > self.limits.depth || (part.kind == Kind::Message && index + 1 >= self.limits.parts) {
            part.kind = Kind::Leaf;
        }
        let kind = part.kind;
        let Some(open) = self.open.last_mut() else { return };
        let header = self.at.since(open.body);
        self.parts[index].header = header;
        open.body = self.at;
        open.digest = self.parts[index].mime.is("multipart", Some("digest"));
        match kind {
            Kind::Multipart => {
                if let Some(mut boundary) = boundary {
                    boundary.truncate(BOUNDARY);
                    open.boundary = Some(boundary);
                    self.boundaries += 1;
                }
            }
            Kind::Message => self.begin(false),
            Kind::Leaf => {}
        }
    }

    /// A line that begins with two dashes: true when it was a boundary, and is dealt with.
    fn boundary(&mut self, line: &[u8]) -> bool {
        let text = mail::header::trim_line_end(&line[2..]);
        let Some((level, len)) = self.level_of(text) else { return false };
        let last = text[len..].starts_with(b"--");
        if !last && self.parts.len() >= self.limits.parts {
            return false;
        }
        let end = if self.in_header { self.at } else { self.before };
        if self.in_header {
            self.header_end_at_boundary();
        }
        self.close(level + 1, end);
        self.pass(line);
        // The line end behind this boundary does not belong to the next.
        self.before = self.at;
        let open = &mut self.open[level];
        if last {
            open.boundary = None;
            self.boundaries -= 1;
            self.in_header = false;
        } else {
            let digest = open.digest;
            self.begin(digest);
        }
        true
    }

    /// The boundary whose text begins the line: the longest, and of equal ones the innermost.
    fn level_of(&self, text: &[u8]) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        for (level, open) in self.open.iter().enumerate().rev() {
            let Some(boundary) = &open.boundary else { continue };
            if best.is_none_or(|(_, len)| boundary.len() > len) && text.starts_with(boundary) {
                best = Some((level, boundary.len()));
            }
        }
        best
    }

    /// A boundary follows a header directly, or the message ends in one: what was open has no body.
    fn header_end_at_boundary(&mut self) {
        let open = self.open.len();
        self.header_end();
        if self.open.len() > open {
            // The empty message within a message/rfc822.
            self.header_end();
        }
    }

    /// Ends all parts from this level on.
    fn close(&mut self, level: usize, end: Mark) {
        // A boundary right behind an empty line: its line end belongs to the header.
        let body = self.open.last().map_or(end, |open| open.body);
        let end = if end.offset < body.offset { body } else { end };
        for open in self.open.drain(level..).rev() {
            self.parts[open.part].body = end.since(open.body);
            self.boundaries -= usize::from(open.boundary.is_some());
            let last = self.parts.len();
            self.parts[open.part].end = last;
        }
    }

    fn finish(&mut self) {
        if self.in_header {
            self.header_end_at_boundary();
        }
        self.close(0, self.at);
    }
}
