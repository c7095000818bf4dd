//! The server's side of an SMTP or LMTP conversation: lines, content, time.
//!
//! The machine cuts the stream into commands and content, and collects replies until it has to wait. What a command
//! means, and whether it may come now, is for whoever answers its events.

use std::time::{Duration, Instant};

use super::Reply;

/// What ends the content of DATA, and whether a line may end in a bare LF.
///
/// Whatever is chosen, a client that ends its commands in CR LF ends its data only with CR LF `.` CR LF, so that
/// nobody can smuggle a second message through it; and a bare CR never ends a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareLf {
    /// A bare LF ends a line. A client that never sent CR LF in the session may end its data in LF `.` LF.
    #[default]
    Normalize,
    /// A command or content line that ends in a bare LF is an event of its own: [`Event::BareLf`].
    Reject,
}

/// Limits of a session. Most can change while it lasts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes kept of a command line (`line_length_limit`); the rest of a longer one is dropped.
    pub line_limit: usize,
    /// How long a read may take (`smtpd_timeout`).
    pub timeout: Duration,
    /// Does `timeout` hold for a whole command or message instead of a read (`smtpd_per_request_deadline`)?
    pub per_request: bool,
    /// With `per_request`: bytes per second that buy more time (`smtpd_min_data_rate`).
    pub min_data_rate: u32,
    /// Line ends.
    pub bare_lf: BareLf,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            line_limit: 2048,
            timeout: Duration::from_secs(300),
            per_request: false,
            min_data_rate: 500,
            bare_lf: BareLf::Normalize,
        }
    }
}

/// A command line as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The bytes without line end; at most [`Settings::line_limit`].
    pub bytes: Vec<u8>,
    /// Were bytes dropped because the line was too long?
    pub truncated: bool,
    /// Did it end in a bare LF?
    pub bare_lf: bool,
}

/// What has to be decided, kept or known.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A command, or the line asked for by [`Answer::Ask`]. Needs an answer.
    Command(Line),
    /// A piece of content: lines end in LF, dots are unstuffed. Needs no answer.
    Content(&'a [u8]),
    /// The end of DATA, or of a BDAT chunk (`last` is always true for DATA). Needs an answer.
    EndOfContent {
        /// No more chunks follow.
        last: bool,
    },
    /// A line of the content ended in a bare LF under [`BareLf::Reject`]. Needs an answer; usually [`Answer::Close`].
    BareLf,
    /// The client was silent for too long. Needs an answer; usually [`Answer::Close`] with 421 4.4.2.
    TimedOut,
    /// The client hung up. The machine is at its end.
    Lost,
}

/// What to do about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Say it and wait for the next command.
    Say(Reply),
    /// Say it (334) and give the next line as it is (AUTH).
    Ask(Reply),
    /// Say it (354); content follows.
    Data(Reply),
    /// `BDAT size [LAST]`: that many bytes of content follow; nothing is said before them.
    Chunk {
        /// Bytes.
        size: u64,
        /// The last one?
        last: bool,
    },
    /// A BDAT that is refused: drop that many bytes, then say it.
    SkipChunk {
        /// Bytes.
        size: u64,
        /// The refusal.
        reply: Reply,
    },
    /// Say it (220), drop everything the client sent ahead, and speak TLS.
    StartTls(Reply),
    /// Say it and hang up.
    Close(Reply),
    /// Hang up without a word.
    HangUp,
    /// Say nothing, wait for the next command.
    Nothing,
}

/// What the driver does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Write the output, then read, until [`Machine::deadline`].
    NeedInput,
    /// Somebody decides.
    Event(Event<'a>),
    /// Write the output, then shake hands; then [`Machine::tls_started`].
    StartTls,
    /// Write the output, then close.
    Close,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
}

impl Machine {
    /// A machine that waits for its greeting: the first [`Machine::answer`] (usually [`Answer::Say`] with 220).
    pub fn new(settings: Settings) -> Machine {
        Machine { settings }
    }

    /// The limits, to change them (`stress`, `smtpd_starttls_timeout`).
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Bytes the client sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        let _ = bytes;
        todo!()
    }

    /// The client sends no more.
    pub fn feed_eof(&mut self) {
        todo!()
    }

    /// What next?
    pub fn step(&mut self, now: Instant) -> Step<'_> {
        let _ = now;
        todo!()
    }

    /// Answers the last event (or greets).
    pub fn answer(&mut self, answer: Answer) {
        let _ = answer;
        todo!()
    }

    /// What is to be written. The driver clears what it wrote.
    pub fn output(&mut self) -> &mut Vec<u8> {
        todo!()
    }

    /// When reading has lasted too long.
    pub fn deadline(&self) -> Option<Instant> {
        todo!()
    }

    /// What the client sent ahead of our answer to its last command: not empty is (im)proper pipelining.
    pub fn waiting(&self) -> &[u8] {
        todo!()
    }

    /// The handshake is done; the client starts over.
    pub fn tls_started(&mut self) {
        todo!()
    }
}
