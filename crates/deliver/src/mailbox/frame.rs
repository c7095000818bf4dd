//! How a message is dressed for a mailbox or a program: lines put before it, quoting, line ends.

use std::io::{self, Read, Write};

use jiff::{Timestamp, tz::TimeZone};
use mail::Address;
use memchr::memchr;

use queue::Body;

/// Bytes collected before they are written.
const PIECE: usize = 64 * 1024;

/// The lines put before a message. What is `None` or false is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// `From sender  date` of mbox files.
    pub from_line: Option<(Timestamp, &'a TimeZone)>,
    /// The sender of the `From ` line and of `Return-Path:`; quoted where needed.
    pub sender: Option<&'a Address>,
    /// `Return-Path:`.
    pub return_path: bool,
    /// `X-Original-To:`; the null address is left out.
    pub original: Option<&'a Address>,
    /// `Delivered-To:`.
    pub delivered: Option<&'a str>,
}

impl Head<'_> {
    /// The lines, with LF.
    pub fn lines(&self) -> Vec<u8> {
        let mut out = String::with_capacity(200);
        let sender = self
            .sender
            .map(Address::external)
            .filter(|text| self.sender.is_some_and(|s| !s.is_null()) && !text.is_empty());
        if let Some((at, zone)) = self.from_line {
            let name = sender.as_deref().unwrap_or("MAILER-DAEMON");
            // Postfix leaves two blanks before the date.
            out.push_str(&format!("From {}  {}\n", one_line(name), mail::date::ctime(at, zone)));
        }
        if self.return_path {
            out.push_str(&format!("Return-Path: <{}>\n", one_line(sender.as_deref().unwrap_or_default())));
        }
        if let Some(original) = self.original.filter(|o| !o.is_null()) {
            out.push_str(&format!("X-Original-To: {}\n", one_line(&original.external())));
        }
        if let Some(delivered) = self.delivered.filter(|d| !d.is_empty()) {
            out.push_str(&format!("Delivered-To: {}\n", one_line(delivered)));
        }
        out.into_bytes()
    }
}

/// Nobody adds header lines through an address.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// What is done to each line, and what follows the last one.
#[derive(Clone, Debug)]
pub struct Dress {
    /// Put `>` before a line that starts with `From `.
    pub quote_from: bool,
    /// Double a dot at the start of a line.
    pub stuff_dots: bool,
    /// Line end.
    pub eol: Vec<u8>,
    /// Put an empty line after the message.
    pub blank: bool,
}

impl Dress {
    /// As it is, for a Maildir.
    pub fn plain() -> Dress {
        Dress { quote_from: false, stuff_dots: false, eol: b"\n".to_vec(), blank: false }
    }

    /// As an mbox wants it.
    pub fn mbox() -> Dress {
        Dress { quote_from: true, stuff_dots: false, eol: b"\n".to_vec(), blank: true }
    }

    fn changes_nothing(&self) -> bool {
        !self.quote_from && !self.stuff_dots && self.eol == b"\n"
    }
}

/// The content of a message, once.
pub enum Content<'a> {
    /// Of our queue.
    Queued(&'a Body),
    /// So many bytes of a stream.
    Stream(u64, &'a mut dyn Read),
}

impl Content<'_> {
    /// In bytes.
    pub fn size(&self) -> u64 {
        match self {
            Content::Queued(body) => body.len(),
            Content::Stream(length, _) => *length,
        }
    }

    /// Hands it over piece by piece.
    pub fn each(self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Content::Queued(body) => {
                body.chunks().try_for_each(|piece| take(&piece.map_err(io::Error::other)?))
            }
            Content::Stream(length, from) => {
                let mut left = usize::try_from(length).map_err(io::Error::other)?;
                let mut piece = vec![0; left.min(PIECE)];
                while left > 0 {
                    let length = left.min(PIECE);
                    from.read_exact(&mut piece[..length])?;
                    take(&piece[..length])?;
                    left -= length;
                }
                Ok(())
            }
        }
    }
}

/// Writes `head` and `content` to `out`, dressed; returns how many bytes that were.
pub fn copy(head: &[u8], content: Content<'_>, dress: &Dress, out: &mut dyn Write) -> io::Result<u64> {
    let mut written = Counted { out, bytes: 0 };
    let mut dresser = Dresser::new(dress);
    let size = usize::try_from(content.size()).unwrap_or(usize::MAX).min(PIECE);
    let mut buffer = Vec::with_capacity(head.len() + size + size / 8 + 64);
    dresser.head(head, &mut buffer);
    content.each(&mut |piece| {
        dresser.push(piece, &mut buffer);
        if buffer.len() >= PIECE {
            written.write_all(&buffer)?;
            buffer.clear();
        }
        Ok(())
    })?;
    dresser.finish(&mut buffer);
    written.write_all(&buffer)?;
    Ok(written.bytes)
}

/// Dresses a message that comes in pieces.
pub struct Dresser<'a> {
    dress: &'a Dress,
    /// The start of a line that is not long enough to be judged.
    held: Vec<u8>,
    line_start: bool,
    any: bool,
}

impl<'a> Dresser<'a> {
    /// Nothing seen yet.
    pub fn new(dress: &'a Dress) -> Dresser<'a> {
        Dresser { dress, held: Vec::new(), line_start: true, any: false }
    }

    /// Adds the lines that are put before the message: they get its line ends and no quoting.
    pub fn head(&mut self, head: &[u8], out: &mut Vec<u8>) {
        for line in head.split_inclusive(|byte| *byte == b'\n') {
            out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            out.extend_from_slice(&self.dress.eol);
        }
    }

    /// Adds the dressed form of `piece` to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if piece.is_empty() {
            return;
        }
        self.any = true;
        if self.dress.changes_nothing() {
            out.extend_from_slice(piece);
            self.line_start = piece.ends_with(b"\n");
            return;
        }
        let joined;
        let piece = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(piece);
            joined = std::mem::take(&mut self.held);
            &joined
        };
        self.lines(piece, false, out);
    }

    /// Ends the last line, and the message.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.lines(&held, true, out);
        if self.any && !self.line_start {
            out.extend_from_slice(&self.dress.eol);
        }
        if self.dress.blank {
            out.extend_from_slice(&self.dress.eol);
        }
    }

    fn lines(&mut self, mut rest: &[u8], last: bool, out: &mut Vec<u8>) {
        const FROM: &[u8] = b"From ";
        while !rest.is_empty() {
            if self.line_start {
                let undecided = rest.len() < FROM.len() && FROM.starts_with(rest) && !last;
                if self.dress.quote_from && undecided {
                    self.held = rest.to_vec();
                    return;
                }
                if self.dress.quote_from && rest.starts_with(FROM) {
                    out.push(b'>');
                } else if self.dress.stuff_dots && rest[0] == b'.' {
                    out.push(b'.');
                }
            }
            match memchr(b'\n', rest) {
                Some(end) => {
                    out.extend_from_slice(&rest[..end]);
                    out.extend_from_slice(&self.dress.eol);
                    rest = &rest[end + 1..];
                    self.line_start = true;
                }
                None => {
                    out.extend_from_slice(rest);
                    self.line_start = false;
                    return;
                }
            }
        }
    }
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl Counted<'_> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dressed(text: &str, dress: &Dress, step: usize) -> String {
        let (mut out, mut dresser) = (Vec::new(), Dresser::new(dress));
        for piece in text.as_bytes().chunks(step) {
            dresser.push(piece, &mut out);
        }
        dresser.finish(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn quoting_does_not_depend_on_how_the_content_is_cut() {
        let text = "From a\nFro\n.dot\n>From b\nbody From c\nFrom";
        let mbox = ">From a\nFro\n.dot\n>From b\nbody From c\nFrom\n\n";
        let dots = Dress { stuff_dots: true, quote_from: false, eol: b"\r\n".to_vec(), blank: false };
        for step in 1..text.len() {
            assert_eq!(dressed(text, &Dress::mbox(), step), mbox, "{step}");
            assert_eq!(
                dressed(text, &dots, step),
                "From a\r\nFro\r\n..dot\r\n>From b\r\nbody From c\r\nFrom\r\n",
                "{step}"
            );
        }
    }

    #[test]
    fn addresses_add_no_lines() {
        let sender = Address::from("a\nX-Evil: b@x");
        let zone = TimeZone::UTC;
        let head = Head {
            from_line: Some((Timestamp::UNIX_EPOCH, &zone)),
            sender: Some(&sender),
            return_path: true,
            original: None,
            delivered: Some("u@x"),
        };
        assert_eq!(head.lines().iter().filter(|b| **b == b'\n').count(), 3);
        let null = Address::null();
        let head = Head { sender: Some(&null), return_path: true, ..Head::default() };
        assert_eq!(head.lines(), b"Return-Path: <>\n");
    }
}
