//! The parts of a message as it streams by.

use std::fs::File as Aside;
use std::io::{BufWriter, Seek, Write};

use mime::transfer::{Decoder, Encoding};
use mime::{Limits, Parameters, words};

use super::{Budget, File, Spending, State, Stop, bare, look, magic, trouble, within};

/// Bytes of a line that are looked at in one piece.
const LINE: usize = 64 << 10;

/// Bytes of the header of a part.
const HEADER: usize = 256 << 10;

/// Multiparts within each other.
const NESTING: usize = 100;

/// A message on its way: [`Walk::feed`] with any pieces, lines ended by LF, then [`Walk::finish`]. Blocks.
pub struct Walk {
    spending: Spending,
    mime: mail::mime::Mime,
    line: Vec<u8>,
    /// The line began in an earlier piece, so it is no boundary.
    within_line: bool,
    header: Option<Vec<u8>>,
    part: Option<Part>,
}

/// A part whose body comes in.
struct Part {
    file: File,
    decoder: Decoder,
    /// An unencoded text may have files within its lines.
    plain: bool,
    head: Vec<u8>,
    aside: Option<BufWriter<Aside>>,
}

impl Walk {
    /// At the beginning of a message.
    pub fn new(budget: Budget) -> Walk {
        Walk {
            spending: Spending::new(budget),
            mime: mail::mime::Mime::new(NESTING, 200),
            line: Vec::new(),
            within_line: false,
            header: Some(Vec::new()),
            part: None,
        }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// The budget is used up, or a disk failed.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Stop> {
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.line.is_empty() && line.ends_with(b"\n") && !self.within_line {
                self.take(line)?;
                continue;
            }
            self.line.extend_from_slice(line);
            if line.ends_with(b"\n") || self.line.len() >= LINE {
                let whole = std::mem::take(&mut self.line);
                self.take(&whole)?;
                self.within_line = !whole.ends_with(b"\n");
            }
        }
        Ok(())
    }

    /// The message is over: the files, and why it was not looked at to its end.
    pub fn finish(mut self) -> (Vec<File>, Option<Stop>) {
        let rest = std::mem::take(&mut self.line);
        let mut done = if rest.is_empty() { Ok(()) } else { self.take(&rest) };
        if done.is_ok() {
            done = match self.header.take() {
                // A header without a body.
                Some(header) => self.header_end(&header).and_then(|()| self.part_end()),
                None => self.part_end(),
            };
        }
        (self.spending.found, done.err())
    }

    /// What was found before it ended early.
    pub fn found(self) -> Vec<File> {
        self.spending.found
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Stop> {
        let follows = match self.within_line {
            true => mail::mime::Follows::Body,
            false if self.mime.is_within() => self.mime.line(line),
            false => mail::mime::Follows::Body,
        };
        if follows != mail::mime::Follows::Body {
            if let Some(header) = self.header.take() {
                self.header_end(&header)?;
            }
            self.part_end()?;
            self.header = (follows == mail::mime::Follows::Header).then(Vec::new);
            return Ok(());
        }
        let Some(header) = &mut self.header else { return self.body(line) };
        if matches!(line, b"\n" | b"\r\n") {
            let header = std::mem::take(header);
            self.header = None;
            return self.header_end(&header);
        }
        if header.len() + line.len() <= HEADER {
            header.extend_from_slice(line);
        }
        Ok(())
    }

    fn header_end(&mut self, header: &[u8]) -> Result<(), Stop> {
        for field in mail::header::fields(header) {
            if field.is("content-type") {
                let deep = self.mime.content_type(field.value());
                deep.map_err(|mail::mime::TooDeep| Stop::TooMuch("parts within each other"))?;
            }
        }
        let composite = self.mime.is_composite();
        let limits = Limits { parts: 2, ..Limits::default() };
        // Programs that show mail take its fields at their word, also where nothing says that it is MIME.
        let header = [b"MIME-Version: 1.0\n", header].concat();
        let structure = mime::parse(&header, &limits);
        let told = &structure.root().mime;
        if self.mime.header_end() == mail::mime::Follows::Header {
            self.header = Some(Vec::new());
            return Ok(());
        }
        if composite && told.is("multipart", None) {
            return Ok(());
        }
        let (kind, subtype) = told.media();
        let media = format!("{}/{}", String::from_utf8_lossy(kind), String::from_utf8_lossy(subtype));
        let disposition = told.disposition.as_ref().map(|(_, parameters)| parameters);
        let name = disposition
            .and_then(|parameters| value(parameters, "filename"))
            .or_else(|| value(&told.parameters, "name"))
            .unwrap_or_default();
        let name = bare(&name);
        let encoding = told.encoding.as_deref().and_then(Encoding::named).unwrap_or(Encoding::Identity);
        self.part = Some(Part {
            plain: encoding == Encoding::Identity && told.is("text", None),
            file: File {
                path: within("", &name),
                name,
                media: media.to_ascii_lowercase(),
                ..File::default()
            },
            decoder: encoding.decoder(),
            head: Vec::new(),
            aside: None,
        });
        Ok(())
    }

    fn body(&mut self, line: &[u8]) -> Result<(), Stop> {
        let Some(part) = &mut self.part else { return Ok(()) };
        if part.plain
            && !self.within_line
            && let Some(name) = uuencoded(line)
        {
            let name = bare(&name);
            self.spending.add(File { path: within("", &name), name, ..File::default() })?;
        }
        if part.head.len() >= magic::ENOUGH && part.aside.is_none() {
            return Ok(());
        }
        let mut decoded = Vec::new();
        part.decoder.push(line, &mut decoded);
        part.take(&decoded, &self.spending)
    }

    fn part_end(&mut self) -> Result<(), Stop> {
        let Some(mut part) = self.part.take() else { return Ok(()) };
        let mut rest = Vec::new();
        let decoder = std::mem::replace(&mut part.decoder, Encoding::Identity.decoder());
        decoder.finish(&mut rest);
        part.take(&rest, &self.spending)?;
        let mut file = part.file;
        file.magic = magic::kind(&part.head);
        if file.name.is_empty() && file.magic.is_empty() && file.media.starts_with("text/") {
            return Ok(());
        }
        if magic::is_closed(file.magic) {
            file.state = Some(State::Unreadable);
        }
        self.spending.add(file.clone())?;
        if !magic::is_opened(file.magic) {
            return Ok(());
        }
        let broken = |error: &std::io::Error| trouble(error, "an archive written aside");
        let mut aside = match part.aside {
            Some(aside) => aside.into_inner().map_err(|error| broken(error.error()))?,
            // All of it is in the head.
            None => {
                let mut aside = self.spending.aside()?;
                aside.write_all(&part.head).map_err(|error| broken(&error))?;
                aside
            }
        };
        aside.rewind().map_err(|error| broken(&error))?;
        look::archive(&mut self.spending, file.magic, &mut aside, &file, 0)
    }
}

impl Part {
    fn take(&mut self, decoded: &[u8], spending: &Spending) -> Result<(), Stop> {
        let write = |aside: &mut BufWriter<Aside>, bytes: &[u8]| {
            aside.write_all(bytes).map_err(|error| trouble(&error, "an archive written aside"))
        };
        if let Some(aside) = &mut self.aside {
            return write(aside, decoded);
        }
        if self.head.len() < magic::ENOUGH {
            self.head.extend_from_slice(decoded);
            if self.head.len() >= magic::ENOUGH && magic::is_opened(magic::kind(&self.head)) {
                let mut aside = BufWriter::with_capacity(1 << 16, spending.aside()?);
                write(&mut aside, &self.head)?;
                self.aside = Some(aside);
            }
        }
        Ok(())
    }
}

/// The value of a parameter, whichever way its letters are written.
fn value(parameters: &Parameters, name: &str) -> Option<String> {
    let extended = mime::parameter(parameters, &format!("{name}*"));
    if let Some(value) = extended {
        // charset'language'percent-encoded
        let mut parts = value.splitn(3, |byte| *byte == b'\'');
        let (charset, _, text) = (parts.next()?, parts.next(), parts.next());
        let text = text.unwrap_or(value);
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
            match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &after[2..];
                }
                None => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        return Some(mime::charset::to_utf8(&bytes, Some(charset)).into_owned());
    }
    mime::parameter(parameters, name).map(words::decode)
}

/// `begin 644 name` of a uuencoded file.
fn uuencoded(line: &[u8]) -> Option<String> {
    let rest = line.strip_prefix(b"begin ")?;
    let text = String::from_utf8_lossy(rest);
    let (mode, name) = text.trim_end().split_once(' ')?;
    let octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    (octal && !name.is_empty()).then(|| name.to_owned())
}
