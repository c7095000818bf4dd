//! The server's side of an SMTP or LMTP conversation: lines, content, time.
//!
//! The machine cuts the stream into commands and content, and collects replies until it has to wait. What a command
//! means, and whether it may come now, is for whoever answers its events.

mod content;
mod event;
mod settings;

use std::time::{Duration, Instant};

use super::Reply;
use content::{Content, Ends, Progress, Stop};

pub use event::{Answer, Event, Line, Want};
pub use settings::{BareLf, Settings};

/// Buffers bigger than this are given back when they are empty: a session may be silent for minutes.
const SMALL: usize = 512;

#[derive(Debug)]
enum State {
    WantGreeting,
    WantCommand,
    WantAskedLine,
    InData,
    InChunk { left: u64, last: bool },
    Skipping { left: u64, reply: Reply },
    WantAnswer,
    WantTls,
    Closing,
}

/// An event that is ready; content stays in the input buffer until it is taken.
#[derive(Debug)]
enum Ready {
    Command(Line),
    /// That many bytes of content at the start of the input; that many bytes to drop afterwards.
    Content(usize, usize),
    Static(&'static [u8]),
    EndOfContent {
        last: bool,
    },
    BareLf,
    TimedOut,
    Lost,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    state: State,
    ready: Option<Ready>,
    input: Vec<u8>,
    /// Everything before this in `input` is done with.
    at: usize,
    /// No line end before this.
    scanned: usize,
    /// The start of a line that is too long; the rest of it is dropped as it comes.
    overlong: Option<Vec<u8>>,
    output: Vec<u8>,
    /// The message under way: chunks of BDAT continue each other.
    content: Option<Content>,
    seen_crlf: bool,
    eof: bool,
    deadline: Option<Instant>,
    /// More time, bought with content.
    credit: Duration,
}

impl Machine {
    /// A machine that waits for its greeting: the first [`Machine::answer`] (usually [`Answer::Say`] with 220).
    pub fn new(settings: Settings) -> Machine {
        Machine {
            settings,
            state: State::WantGreeting,
            ready: None,
            input: Vec::new(),
            at: 0,
            scanned: 0,
            overlong: None,
            output: Vec::new(),
            content: None,
            seen_crlf: false,
            eof: false,
            deadline: None,
            credit: Duration::ZERO,
        }
    }

    /// The limits, to change them (`stress`, `smtpd_starttls_timeout`).
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Bytes the client sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        if !self.settings.per_request {
            self.deadline = None;
        } else if matches!(self.state, State::InData | State::InChunk { .. }) {
            let rate = f64::from(self.settings.min_data_rate.max(1));
            self.credit += Duration::from_secs_f64(bytes.len() as f64 / rate);
        }
    }

    /// How many bytes are worth reading at once: few between commands, so that a client that sends ahead makes us hold
    /// little.
    pub fn appetite(&self) -> usize {
        match self.state {
            State::InData | State::InChunk { .. } | State::Skipping { .. } => 64 * 1024,
            _ => 8 * 1024,
        }
    }

    /// The client sends no more.
    pub fn feed_eof(&mut self) {
        self.eof = true;
    }

    /// What next?
    pub fn advance(&mut self, now: Instant) -> Want {
        loop {
            if self.ready.is_some() {
                return Want::Decision;
            }
            // Whoever reads leaves an event, or another state, or needs more bytes.
            let hungry = match &self.state {
                State::WantGreeting | State::WantAnswer => {
                    debug_assert!(false, "an event that needs an answer got none");
                    self.state = State::WantCommand;
                    false
                }
                State::WantTls => return Want::Tls,
                State::Closing => return Want::Close,
                State::WantCommand => self.read_line(self.settings.line_limit),
                State::WantAskedLine => self.read_line(self.settings.asked_line_limit),
                State::InData => self.read_content(),
                State::InChunk { left, last } => self.read_chunk(*left, *last),
                State::Skipping { .. } => self.skip(),
            };
            if !hungry {
                continue;
            }
            if self.eof {
                self.ready = Some(Ready::Lost);
                self.state = State::Closing;
                continue;
            }
            let latest = now + self.settings.timeout;
            let deadline =
                self.deadline.map_or(latest, |at| (at + std::mem::take(&mut self.credit)).min(latest));
            self.deadline = Some(deadline);
            if deadline <= now {
                self.ready = Some(Ready::TimedOut);
                self.state = State::WantAnswer;
                continue;
            }
            self.give_back_memory();
            return Want::Input;
        }
    }

    /// The event that [`Want::Decision`] announced. Not called without it.
    pub fn event(&mut self) -> Event<'_> {
        match self.ready.take() {
            Some(Ready::Content(produced, consumed)) => {
                let start = self.at;
                self.at += consumed;
                Event::Content(&self.input[start..start + produced])
            }
            Some(Ready::Static(bytes)) => Event::Content(bytes),
            Some(Ready::Command(line)) => Event::Command(line),
            Some(Ready::EndOfContent { last }) => Event::EndOfContent { last },
            Some(Ready::BareLf) => Event::BareLf,
            Some(Ready::TimedOut) => Event::TimedOut,
            Some(Ready::Lost) | None => Event::Lost,
        }
    }

    /// Answers the last event (or greets).
    pub fn answer(&mut self, answer: Answer) {
        if matches!(self.state, State::Closing) {
            return;
        }
        self.deadline = None;
        self.credit = Duration::ZERO;
        self.state = match answer {
            Answer::Say(reply) => self.say(&reply, State::WantCommand),
            Answer::Each(replies) => {
                replies.iter().for_each(|reply| reply.write(&mut self.output));
                State::WantCommand
            }
            Answer::Ask(reply) => self.say(&reply, State::WantAskedLine),
            Answer::Data(reply) => {
                let lenient = !self.seen_crlf || self.settings.bare_lf == BareLf::Any;
                let ends = if lenient { Ends::AnyDot } else { Ends::StandardDot };
                self.content = Some(Content::new(ends, self.settings.bare_lf == BareLf::Reject));
                self.say(&reply, State::InData)
            }
            Answer::Chunk { size, last } => {
                let refuse = self.settings.bare_lf == BareLf::Reject;
                self.content.get_or_insert(Content::new(Ends::Counted, refuse));
                State::InChunk { left: size, last }
            }
            Answer::SkipChunk { size, reply } => State::Skipping { left: size, reply },
            Answer::StartTls(reply) => {
                self.drop_input();
                self.say(&reply, State::WantTls)
            }
            Answer::Close(reply) => self.say(&reply, State::Closing),
            Answer::HangUp => State::Closing,
            Answer::Nothing => State::WantCommand,
        };
    }

    /// Forgets the chunks so far: RSET, a new MAIL, or a refusal ended the message.
    pub fn forget_content(&mut self) {
        self.content = None;
    }

    /// What is to be written. The driver clears what it wrote.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// When reading has lasted too long.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What the client sent ahead of our answer to its last command: not empty is (im)proper pipelining.
    pub fn waiting(&self) -> &[u8] {
        &self.input[self.at..]
    }

    /// The handshake is done; the client starts over. Nothing it said in clear is left.
    pub fn tls_started(&mut self) {
        self.drop_input();
        self.content = None;
        self.seen_crlf = false;
        self.deadline = None;
        self.state = State::WantCommand;
    }

    fn say(&mut self, reply: &Reply, then: State) -> State {
        reply.write(&mut self.output);
        then
    }

    fn drop_input(&mut self) {
        self.input = Vec::new();
        self.at = 0;
        self.scanned = 0;
        self.overlong = None;
    }

    fn give_back_memory(&mut self) {
        self.input.drain(..self.at);
        self.scanned -= self.at.min(self.scanned);
        self.at = 0;
        let keep = matches!(self.state, State::InData | State::InChunk { .. });
        if !keep && self.input.capacity() > SMALL && self.input.len() < SMALL {
            self.input.shrink_to(SMALL.min(self.input.len()));
        }
    }

    fn read_line(&mut self, limit: usize) -> bool {
        let from = self.scanned.max(self.at);
        let Some(found) = memchr::memchr(b'\n', &self.input[from..]) else {
            self.scanned = self.input.len();
            let waiting = self.input.len() - self.at;
            if waiting > limit + 1 || self.overlong.is_some() {
                // One byte stays behind: it may be the CR of the line end.
                let rest = self.input.split_off(self.input.len() - waiting.min(1));
                let start = self.at;
                self.overlong
                    .get_or_insert_with(|| self.input[start..].iter().take(limit).copied().collect());
                self.input = rest;
                self.at = 0;
                self.scanned = self.input.len();
            }
            return true;
        };
        let end = from + found;
        let line = &self.input[self.at..end];
        let bare_lf = line.last() != Some(&b'\r');
        let text = &line[..line.iter().rposition(|b| *b != b'\r').map_or(0, |at| at + 1)];
        let line = match self.overlong.take() {
            Some(bytes) => Line { bytes, truncated: true, bare_lf },
            None => {
                Line { bytes: text[..text.len().min(limit)].to_vec(), truncated: text.len() > limit, bare_lf }
            }
        };
        self.at = end + 1;
        self.scanned = self.at;
        self.seen_crlf |= !bare_lf;
        let refused = bare_lf && self.settings.bare_lf == BareLf::Reject;
        self.ready = Some(if refused { Ready::BareLf } else { Ready::Command(line) });
        self.state = State::WantAnswer;
        false
    }

    fn read_content(&mut self) -> bool {
        let Some(content) = &mut self.content else { return self.end_of_content(true) };
        let stray = content.stray_crs(&self.input[self.at..]);
        if !stray.is_empty() {
            self.ready = Some(Ready::Static(stray));
            return false;
        }
        let progress = content.convert(&mut self.input[self.at..]);
        self.took(progress, true)
    }

    fn read_chunk(&mut self, left: u64, last: bool) -> bool {
        let Some(content) = &mut self.content else { return self.end_of_content(last) };
        let waiting = self.input.len() - self.at;
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(waiting);
        let stray = content.stray_crs(&self.input[self.at..self.at + size]);
        if !stray.is_empty() {
            self.ready = Some(Ready::Static(stray));
            return false;
        }
        if left == 0 {
            let missing = if last { content.missing_end() } else { &[] };
            if missing.is_empty() {
                return self.end_of_content(last);
            }
            self.ready = Some(Ready::Static(missing));
            return false;
        }
        let progress = content.convert(&mut self.input[self.at..self.at + size]);
        self.state = State::InChunk { left: left - progress.consumed as u64, last };
        self.took(progress, last) && left > progress.consumed as u64
    }

    /// Passes content on; the end is found again when it has been taken.
    fn took(&mut self, progress: Progress, last: bool) -> bool {
        match (progress.produced, progress.stop) {
            (0, Stop::End) => {
                self.at += progress.consumed;
                self.end_of_content(last);
            }
            (_, Stop::BareLf) => {
                self.ready = Some(Ready::BareLf);
                self.state = State::WantAnswer;
            }
            (0, Stop::Hungry) => self.at += progress.consumed,
            (produced, stop) => {
                // The final dot is left for the next round, when the line start before it is known again.
                let behind = if stop == Stop::End { self.dot_len(progress.consumed) } else { 0 };
                self.ready = Some(Ready::Content(produced, progress.consumed - behind));
            }
        }
        self.scanned = self.at;
        self.ready.is_none()
    }

    fn dot_len(&self, consumed: usize) -> usize {
        let end = self.at + consumed;
        if self.input[..end].ends_with(b"\r\n") { 3 } else { 2 }
    }

    fn end_of_content(&mut self, last: bool) -> bool {
        if last {
            self.content = None;
        }
        self.ready = Some(Ready::EndOfContent { last });
        self.state = State::WantAnswer;
        false
    }

    fn skip(&mut self) -> bool {
        let State::Skipping { left, reply } = &mut self.state else { return false };
        let waiting = self.input.len() - self.at;
        let size = usize::try_from(*left).unwrap_or(usize::MAX).min(waiting);
        self.at += size;
        self.scanned = self.at;
        *left -= size as u64;
        if *left > 0 {
            return true;
        }
        let reply = reply.clone();
        self.state = self.say(&reply, State::WantCommand);
        false
    }
}

#[cfg(test)]
mod tests;
