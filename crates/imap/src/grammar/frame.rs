//! Puts commands together: lines, the literals within them, and what is too long.
//!
//! A command is handed over whole. Literals are part of its text, except the messages of APPEND and REPLACE, which are
//! set aside. Everything has a limit; what is above it costs that command only, and memory never exceeds
//! [`Limits::command`] and [`Limits::message`].

use std::mem;

use bytes::Bytes;

/// By how many bytes the input grows at least.
const GROWTH: usize = 4096;

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a command, its literals included (`imap_max_line_length`).
    pub command: usize,
    /// Bytes of a message that is set aside; 0 before the login, where there is none.
    pub message: usize,
    /// Bytes of all messages of one command.
    pub messages: usize,
    /// Bytes of a refused `{n+}` literal that are read and thrown away; beyond it the session ends.
    pub swallow: u64,
}

/// A command as it came, without the last line end.
#[derive(Debug, Default)]
pub struct Frame {
    /// Tag, name, arguments, and the literals among them.
    pub text: Vec<u8>,
    /// The messages that were set aside, in order.
    pub aside: Vec<Bytes>,
}

/// What comes next out of the bytes that were fed.
#[derive(Debug)]
pub enum Piece {
    /// A command.
    Command(Frame),
    /// The client waits for leave to send a literal.
    Continue,
    /// A command that cannot be taken: its tag, and why.
    Refused(Vec<u8>, Why),
    /// More than can be thrown away: the session ends.
    Flood,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A command that is too long.
    TooLong,
    /// A literal or message that is too large.
    TooLarge,
    /// `{n}` with something that is no number.
    NoLiteral,
}

/// What the bytes to come are taken for.
#[derive(Debug)]
enum Awaits {
    /// The end of a line.
    Line,
    /// So many bytes of a literal of the text.
    Literal(usize),
    /// So many bytes of a message.
    Message(usize, Vec<u8>),
    /// The end of a line that was too long.
    LineToSkip(Why),
    /// So many bytes of a refused literal, and then the rest of its command.
    LiteralToSkip(u64, Why),
}

/// Takes bytes, gives commands.
#[derive(Debug)]
pub struct Framer {
    /// Changed at the login.
    pub limits: Limits,
    input: Vec<u8>,
    /// Input before this was used.
    at: usize,
    /// Input before this holds no line end.
    seen: usize,
    frame: Frame,
    awaits: Awaits,
}

/// A literal announced at the end of a line.
struct Announced {
    length: u64,
    waits: bool,
}

impl Framer {
    /// Nothing yet.
    pub fn new(limits: Limits) -> Framer {
        let frame = Frame::default();
        Framer { limits, input: Vec::new(), at: 0, seen: 0, frame, awaits: Awaits::Line }
    }

    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        // What was used is given up before more is taken.
        self.input.drain(..self.at);
        self.seen = self.seen.saturating_sub(self.at);
        self.at = 0;
        match &mut self.awaits {
            // The bulk of a message goes where it belongs at once.
            Awaits::Message(left, data) if self.input.is_empty() => {
                let taken = bytes.len().min(*left);
                data.extend_from_slice(&bytes[..taken]);
                *left -= taken;
                self.input.extend_from_slice(&bytes[taken..]);
            }
            _ => {
                if self.input.capacity() - self.input.len() < bytes.len() {
                    // Not twice what there is: who has not logged in is not to hold that much.
                    self.input.reserve_exact(bytes.len().max(GROWTH));
                }
                self.input.extend_from_slice(bytes);
            }
        }
    }

    /// Bytes that were fed and not used.
    pub fn waiting(&self) -> &[u8] {
        &self.input[self.at..]
    }

    /// Nothing is begun: the session may rest, and holds no memory for it.
    pub fn rest(&mut self) {
        if self.at == self.input.len() {
            self.input = Vec::new();
            (self.at, self.seen) = (0, 0);
        }
    }

    /// Is a command begun?
    pub fn is_within_command(&self) -> bool {
        !self.waiting().is_empty() || !self.frame.text.is_empty() || !matches!(self.awaits, Awaits::Line)
    }

    /// Throws away what is waiting: after STARTTLS nothing that came in clear is believed.
    pub fn forget(&mut self) {
        *self = Framer::new(self.limits);
    }

    /// Bytes held for this connection.
    pub fn held(&self) -> usize {
        let message = if let Awaits::Message(_, data) = &self.awaits { data.capacity() } else { 0 };
        self.input.capacity() + self.frame.text.capacity() + message
    }

    /// The next line as it is, without its line end: what a client answers to `+`. `Err` when it is too long.
    pub fn line(&mut self) -> Option<Result<Vec<u8>, Why>> {
        let end = self.find_line_end();
        match end {
            Some(end) => {
                let line = trim(&self.input[self.at..end]).to_vec();
                self.at = end + 1;
                self.seen = self.at;
                if matches!(mem::replace(&mut self.awaits, Awaits::Line), Awaits::LineToSkip(_)) {
                    return Some(Err(Why::TooLong));
                }
                Some(Ok(line))
            }
            None => {
                if self.waiting().len() > self.limits.command {
                    self.at = self.input.len();
                    self.awaits = Awaits::LineToSkip(Why::TooLong);
                }
                None
            }
        }
    }

    fn find_line_end(&mut self) -> Option<usize> {
        let from = self.seen.max(self.at);
        let found = self.input[from..].iter().position(|byte| *byte == b'\n').map(|offset| from + offset);
        self.seen = found.unwrap_or(self.input.len());
        found
    }

    /// The next piece, if enough was fed.
    pub fn advance(&mut self) -> Option<Piece> {
        loop {
            match &mut self.awaits {
                Awaits::Line => {
                    let Some(end) = self.find_line_end() else {
                        if self.frame.text.len() + self.waiting().len() > self.limits.command {
                            self.start_skipping();
                            continue;
                        }
                        return None;
                    };
                    let line = trim(&self.input[self.at..end]);
                    if self.frame.text.len() + line.len() > self.limits.command {
                        self.start_skipping();
                        continue;
                    }
                    let announced = announced(line);
                    if self.frame.text.is_empty() && self.at == 0 && end + 1 == self.input.len() {
                        // Nothing else has come: the line need not be copied.
                        let length = line.len();
                        self.frame.text = mem::take(&mut self.input);
                        self.frame.text.truncate(length);
                        self.seen = 0;
                    } else {
                        self.frame.text.extend_from_slice(line);
                        self.at = end + 1;
                        self.seen = self.at;
                    }
                    match announced {
                        None => return Some(Piece::Command(mem::take(&mut self.frame))),
                        Some(Err(why)) => return Some(self.refuse(why)),
                        Some(Ok(announced)) => {
                            if let Some(piece) = self.begin_literal(&announced) {
                                return Some(piece);
                            }
                        }
                    }
                }
                Awaits::Literal(left) => {
                    let taken = (self.input.len() - self.at).min(*left);
                    self.frame.text.extend_from_slice(&self.input[self.at..self.at + taken]);
                    *left -= taken;
                    self.at += taken;
                    if *left > 0 {
                        return None;
                    }
                    self.awaits = Awaits::Line;
                }
                Awaits::Message(left, data) => {
                    let taken = (self.input.len() - self.at).min(*left);
                    data.extend_from_slice(&self.input[self.at..self.at + taken]);
                    *left -= taken;
                    self.at += taken;
                    if *left > 0 {
                        return None;
                    }
                    self.frame.aside.push(Bytes::from(mem::take(data)));
                    self.awaits = Awaits::Line;
                }
                Awaits::LineToSkip(why) => {
                    let why = *why;
                    let Some(end) = self.find_line_end() else {
                        self.keep_tail();
                        return None;
                    };
                    let line = trim(&self.input[self.at..end]);
                    let announced = announced(line);
                    self.at = end + 1;
                    self.seen = self.at;
                    match announced {
                        // The client goes on with its literal unasked.
                        Some(Ok(Announced { length, waits: false })) => {
                            self.awaits = Awaits::LiteralToSkip(length, why);
                        }
                        _ => return Some(self.refuse(why)),
                    }
                }
                Awaits::LiteralToSkip(left, why) => {
                    if *left > self.limits.swallow {
                        return Some(Piece::Flood);
                    }
                    let waiting = (self.input.len() - self.at) as u64;
                    let taken = waiting.min(*left);
                    *left -= taken;
                    self.at += taken as usize;
                    if *left > 0 {
                        return None;
                    }
                    self.awaits = Awaits::LineToSkip(*why);
                }
            }
        }
    }

    /// Of a line that is skipped only its end matters: it may announce a literal.
    fn keep_tail(&mut self) {
        const TAIL: usize = 32;
        if self.waiting().len() > TAIL {
            self.input.drain(..self.input.len() - TAIL);
            self.at = 0;
            self.seen = self.input.len();
        }
    }

    fn start_skipping(&mut self) {
        if self.frame.text.is_empty() {
            // The tag is needed for the answer.
            let start = &self.input[self.at..];
            let tag = start.iter().take(64).position(|byte| *byte == b' ').unwrap_or(0);
            self.frame.text.extend_from_slice(&start[..tag]);
        } else {
            let tag = tag(&self.frame.text).len();
            self.frame.text.truncate(tag);
        }
        self.frame.text.shrink_to_fit();
        self.frame.aside.clear();
        self.awaits = Awaits::LineToSkip(Why::TooLong);
    }

    fn refuse(&mut self, why: Why) -> Piece {
        self.awaits = Awaits::Line;
        let frame = mem::take(&mut self.frame);
        Piece::Refused(tag(&frame.text).to_vec(), why)
    }

    /// The line ended in `{n}`.
    fn begin_literal(&mut self, announced: &Announced) -> Option<Piece> {
        let length = announced.length;
        let text = &self.frame.text;
        let head = text.iter().rposition(|byte| *byte == b'{').unwrap_or(text.len());
        let aside = self.limits.message > 0 && is_message(&text[..head]);
        let fits = if aside {
            let so_far: usize = self.frame.aside.iter().map(Bytes::len).sum();
            length <= self.limits.message as u64 && length + so_far as u64 <= self.limits.messages as u64
        } else {
            text.len() as u64 + length <= self.limits.command as u64
        };
        if !fits {
            let why = Why::TooLarge;
            if announced.waits {
                return Some(self.refuse(why));
            }
            let tag = tag(&self.frame.text).len();
            self.frame.text.truncate(tag);
            self.frame.aside.clear();
            self.awaits = Awaits::LiteralToSkip(length, why);
            return None;
        }
        let length = length as usize;
        self.frame.text.extend_from_slice(b"\r\n");
        self.awaits = if aside {
            // Memory follows what is really sent.
            Awaits::Message(length, Vec::with_capacity(length.min(1 << 16)))
        } else {
            Awaits::Literal(length)
        };
        announced.waits.then_some(Piece::Continue)
    }
}

/// A line without its CR.
fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The tag of a command.
pub fn tag(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    &text[..end]
}

/// Does a line end in `{n}`, `{n+}` or `{n-}`?
fn announced(line: &[u8]) -> Option<Result<Announced, Why>> {
    let inner = line.strip_suffix(b"}")?;
    let start = inner.iter().rposition(|byte| *byte == b'{')?;
    let before = inner[..start].last();
    if !matches!(before, Some(b' ' | b'(' | b'~')) {
        return None;
    }
    let inner = &inner[start + 1..];
    let (digits, waits) = match inner.split_last() {
        Some((b'+' | b'-', digits)) => (digits, false),
        _ => (inner, true),
    };
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return Some(Err(Why::NoLiteral));
    }
    let length = digits.iter().fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
    Some(Ok(Announced { length, waits }))
}

/// Is a literal after these words a message? So it is in APPEND after the mailbox, and in REPLACE after number and mailbox.
fn is_message(text: &[u8]) -> bool {
    let mut words = text.split(|byte| *byte == b' ').skip(1);
    let mut name = words.next().unwrap_or_default();
    if name.eq_ignore_ascii_case(b"UID") {
        name = words.next().unwrap_or_default();
    }
    let needed = match name {
        name if name.eq_ignore_ascii_case(b"APPEND") => 1,
        name if name.eq_ignore_ascii_case(b"REPLACE") => 2,
        _ => return false,
    };
    words.filter(|word| !word.is_empty()).take(needed).count() == needed
}

#[cfg(test)]
mod tests;
