//! What a session gives to decide, and what comes back.

use crate::smtp::Reply;

/// A command line as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The bytes without line end; at most [`Settings::line_limit`](super::Settings::line_limit).
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
    /// A line ended in a bare LF under [`BareLf::Reject`](super::BareLf::Reject). Needs an answer, which should be [`Answer::Close`].
    BareLf,
    /// The client was silent for too long. Needs an answer, which should be [`Answer::Close`] with 421 4.4.2.
    TimedOut,
    /// The client hung up. The machine is at its end.
    Lost,
}

/// What to do about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Say it and wait for the next command.
    Say(Reply),
    /// Say them one after the other and wait for the next command: LMTP answers content once for every recipient
    /// (RFC 2033 4.2).
    Each(Vec<Reply>),
    /// Say it (334) and give the next line, which may be longer than a command (AUTH).
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Write the output, then read, until [`Machine::deadline`](super::Machine::deadline).
    Input,
    /// Give [`Machine::event`](super::Machine::event) to whoever decides.
    Decision,
    /// Write the output, then shake hands; then [`Machine::tls_started`](super::Machine::tls_started).
    Tls,
    /// Write the output, then close.
    Close,
}
