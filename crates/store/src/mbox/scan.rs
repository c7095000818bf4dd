//! Finds the messages of an mbox file, reading it once from front to back in pieces.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use jiff::tz::TimeZone;

use super::from_line::{self, FromLine};
use super::head::{self, Marks};

/// Where a message lies in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where its `From ` line starts.
    pub start: u64,
    /// Where its header starts.
    pub header: u64,
    /// Where its body starts.
    pub body: u64,
    /// Where its body ends. An empty line that separates it from the next message is not part of it.
    pub body_end: u64,
    /// Where the next message starts.
    pub end: u64,
}

/// A message that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// Its `From ` line.
    pub from: FromLine,
    /// What its header says.
    pub marks: Marks,
    /// Octets of the header that clients do not see.
    pub hidden: u64,
    /// Line ends without CR in what clients see: with CRLF, it is longer by as many octets.
    pub bare_lines: u64,
}

/// What is read at a time.
const PIECE: usize = 256 << 10;
/// A longer header is cut here: what follows counts as body.
const LONGEST_HEADER: usize = 4 << 20;

/// Reads all messages. `None` where the file is not an mbox: its first octets are no `From ` line.
pub fn scan(file: &File, zone: &TimeZone) -> io::Result<Option<Vec<Found>>> {
    let mut window = Window { file, at: 0, bytes: Vec::new(), ended: false };
    let mut found = Vec::new();
    let mut start = 0;
    // Empty lines at the front do no harm.
    while window.have(start, 1)? && window.from(start)[0] == b'\n' {
        start += 1;
    }
    while window.have(start, 1)? {
        window.forget(start);
        let line_end = window.find(b"\n", start, LONGEST_HEADER)?;
        let Some(from) = from_line::parse(&window.from(start)[..(line_end - start) as usize], zone) else {
            if found.is_empty() {
                return Ok(None);
            }
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no From line at offset {start}"),
            ));
        };
        let body = header_end(&mut window, line_end)?;
        let header = &window.from(line_end)[..(body - line_end) as usize];
        let marks = head::read(header);
        let (hidden, hidden_lines) = head::hidden(header);
        let mut bare = bare_lines(header).saturating_sub(hidden_lines as u64);
        let end = match marks.content_length.map(|length| body.saturating_add(length)) {
            Some(end) if window.ends_at(end)? => end,
            _ => body,
        };
        let (body_end, end) = body_ends(&mut window, body, end, &mut bare)?;
        found.push(Found {
            place: Place { start, header: line_end, body, body_end, end },
            from,
            marks,
            hidden: hidden as u64,
            bare_lines: bare,
        });
        start = end;
    }
    Ok(Some(found))
}

/// The offset after the empty line that ends a header; the start of the next message where there is none.
fn header_end(window: &mut Window<'_>, header: u64) -> io::Result<u64> {
    let mut line = header;
    loop {
        if !window.have(line, 1)? || line - header > LONGEST_HEADER as u64 {
            return Ok(line);
        }
        let end = window.find(b"\n", line, LONGEST_HEADER)?;
        let text = &window.from(line)[..(end - line) as usize];
        if text == b"\n" || text == b"\r\n" {
            return Ok(end);
        }
        if from_line::parse(text, &TimeZone::UTC).is_some() {
            return Ok(line);
        }
        line = end;
    }
}

/// Where a body ends and the next message starts; nothing before `from` is searched. Counts line ends without CR.
fn body_ends(window: &mut Window<'_>, body: u64, from: u64, bare: &mut u64) -> io::Result<(u64, u64)> {
    let mut counted = body;
    let mut search = from;
    let end = loop {
        // A `From ` line right behind the header belongs to the next message.
        let next = window.find_from_line(search)?;
        // What lies behind is counted and let go in pieces, so that a long body is never held as a whole.
        let upto = next.unwrap_or(window.loaded());
        *bare += bare_lines_at(window, counted, upto);
        counted = upto;
        match next {
            Some(next) => break next,
            None if window.ended => break window.loaded(),
            None => {
                search = upto.saturating_sub(4096).max(search);
                window.forget(search.min(upto.saturating_sub(1)).max(body.saturating_sub(1)));
                window.more()?;
            }
        }
    };
    let from = end.saturating_sub(2).max(body);
    let tail = if window.have(from, end - from)? { window.from(from) } else { b"" };
    let separated = tail.starts_with(b"\n\n") || (end == body + 1 && tail.starts_with(b"\n"));
    let body_end = end - u64::from(separated);
    *bare = bare.saturating_sub(u64::from(separated));
    Ok((body_end, end))
}

fn bare_lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).filter(|at| *at == 0 || text[at - 1] != b'\r').count() as u64
}

/// Line ends without CR in a part of the window; the octet before it is looked at.
fn bare_lines_at(window: &Window<'_>, start: u64, end: u64) -> u64 {
    if end <= start {
        return 0;
    }
    let text = &window.from(start)[..(end - start) as usize];
    let before = start > window.at && window.from(start - 1)[0] == b'\r';
    bare_lines(text) - u64::from(before && text[0] == b'\n')
}

/// A part of the file that is in memory.
struct Window<'f> {
    file: &'f File,
    /// Offset of the first octet held.
    at: u64,
    bytes: Vec<u8>,
    /// Was the end of the file met?
    ended: bool,
}

impl Window<'_> {
    /// The offset behind the last octet held.
    fn loaded(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    /// What is held from an offset on.
    fn from(&self, offset: u64) -> &[u8] {
        let skip = offset.saturating_sub(self.at) as usize;
        self.bytes.get(skip..).unwrap_or(&[])
    }

    /// Lets go of what lies before.
    fn forget(&mut self, offset: u64) {
        let before = (offset.saturating_sub(self.at) as usize).min(self.bytes.len());
        // Moving what stays for each small message would cost more than it saves.
        if before >= PIECE {
            self.bytes.drain(..before);
            self.at += before as u64;
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let held = self.bytes.len();
        self.bytes.resize(held + PIECE, 0);
        let read = self.file.read_at(&mut self.bytes[held..], self.at + held as u64);
        self.bytes.truncate(held + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(())
    }

    /// Are `count` octets there from this offset on?
    fn have(&mut self, offset: u64, count: u64) -> io::Result<bool> {
        while self.loaded() < offset + count && !self.ended {
            self.more()?;
        }
        Ok(self.loaded() >= offset + count)
    }

    /// The offset behind `what`, or the end of the file, or `most` octets further.
    fn find(&mut self, what: &[u8], offset: u64, most: usize) -> io::Result<u64> {
        let mut searched = 0;
        loop {
            let text = self.from(offset);
            if let Some(at) = memchr::memmem::find(&text[searched..], what) {
                return Ok(offset + (searched + at + what.len()) as u64);
            }
            if self.ended || text.len() > most {
                return Ok(offset + text.len() as u64);
            }
            searched = text.len().saturating_sub(what.len());
            self.more()?;
        }
    }

    /// The next line that starts a message, as far as is held. A line at the end that is not whole is not judged.
    fn find_from_line(&self, offset: u64) -> io::Result<Option<u64>> {
        let text = self.from(offset);
        let is = |line: &[u8]| {
            let end = memchr::memchr(b'\n', line);
            let line = &line[..end.unwrap_or(line.len())];
            (end.is_some() || self.ended) && from_line::parse(line, &TimeZone::UTC).is_some()
        };
        let at_line_start = offset <= self.at || self.from(offset - 1)[0] == b'\n';
        if at_line_start && text.starts_with(b"From ") && is(text) {
            return Ok(Some(offset));
        }
        let mut hits = memchr::memmem::find_iter(text, b"\nFrom ");
        Ok(hits.find(|at| is(&text[at + 1..])).map(|at| offset + at as u64 + 1))
    }

    /// Does a message that would end here end well: at the end of the file, or before a `From ` line?
    fn ends_at(&mut self, offset: u64) -> io::Result<bool> {
        // A length that leads far away would have the file read into memory only to be checked.
        if offset > self.loaded() + LONGEST_HEADER as u64 {
            return self.ends_at_far(offset);
        }
        if !self.have(offset, 1)? {
            return Ok(self.loaded() == offset);
        }
        self.have(offset, 512)?;
        Ok(ends(self.from(offset)))
    }

    fn ends_at_far(&self, offset: u64) -> io::Result<bool> {
        let mut text = [0; 512];
        let read = self.file.read_at(&mut text, offset)?;
        Ok(if read == 0 { self.file.metadata()?.len() == offset } else { ends(&text[..read]) })
    }
}

/// The text behind a body: an empty line or not, then the end or a `From ` line.
fn ends(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\n").unwrap_or(text);
    let line = &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())];
    text.is_empty() || from_line::parse(line, &TimeZone::UTC).is_some()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use proptest::prelude::*;

    const FROM: &str = "From a@b Sat Nov 21 16:00:00 2026\n";

    fn scanned(text: &[u8]) -> Option<Vec<Found>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        scan(&file, &TimeZone::UTC).unwrap()
    }

    fn bodies(text: &str) -> Vec<&str> {
        let found = scanned(text.as_bytes()).expect("an mbox");
        found.iter().map(|m| &text[m.place.body as usize..m.place.body_end as usize]).collect()
    }

    #[test]
    fn messages_are_found() {
        let text = format!(
            "{FROM}A: 1\n\none\n\n{FROM}B: 2\n\ntwo\nFrom me\n{FROM}\n\n{FROM}C: 3\n{FROM}D: 4\n\nlast"
        );
        assert_eq!(bodies(&text), ["one\n", "two\nFrom me\n", "", "", "last"]);
    }

    #[test]
    fn a_length_that_fits_is_believed() {
        let inner = format!("x\n\n{FROM}Y: z\n\n");
        let text = format!("{FROM}Content-Length: {}\n\n{inner}\n{FROM}B: 2\n\ntwo\n", inner.len());
        assert_eq!(bodies(&text), [inner.as_str(), "two\n"]);
        let text = format!("{FROM}Content-Length: 3\n\n{inner}\n{FROM}B: 2\n\ntwo\n");
        assert_eq!(bodies(&text).len(), 3);
    }

    #[test]
    fn not_an_mbox() {
        assert!(scanned(b"hello\n").is_none());
        assert!(scanned(b"").is_some_and(|found| found.is_empty()));
        assert!(scanned(b"\n\n").is_some_and(|found| found.is_empty()));
    }

    #[test]
    fn long_bodies_are_read_in_pieces() {
        let long = "0123456789abcdef\r\n0123456789abcde\n".repeat(40_000);
        let text = format!("{FROM}A: 1\n\n{long}\n{FROM}B: 2\n\ntwo\n\n");
        let found = scanned(text.as_bytes()).unwrap();
        assert_eq!(bodies(&text), [long.as_str(), "two\n"]);
        assert_eq!((found[0].bare_lines, found[1].bare_lines), (40_000 + 2, 3));
    }

    proptest! {
        #[test]
        fn every_octet_belongs_to_one_message(parts in proptest::collection::vec("(From a@b Sat Nov 21 16:00:00 2026\n|A: b\n|\n|From x\n|text\n|Content-Length: [0-9]{1,2}\n|é)", 0..20)) {
            let text = format!("{FROM}{}", parts.concat());
            let found = scanned(text.as_bytes()).unwrap();
            let mut at = 0;
            for message in &found {
                let place = &message.place;
                prop_assert_eq!(place.start, at);
                prop_assert!(place.start < place.header && place.header <= place.body && place.body <= place.body_end && place.body_end <= place.end);
                at = place.end;
            }
            prop_assert_eq!(at, text.len() as u64);
        }
    }
}
