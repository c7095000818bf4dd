//! The client's side of an SMTP or LMTP conversation. RFC 5321, RFC 2033, RFC 2920.
//!
//! One machine speaks both. Whoever drives it says what to ask ([`Machine::ask`], [`Machine::transact`]) and gets the
//! replies as events, each with what it answers.

mod extensions;

use std::time::{Duration, Instant};

use super::reply::Received;

pub use extensions::Extensions;

/// What the machine is doing or waiting for: names the time-out that counts and the words of logs and notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The greeting.
    Greeting,
    /// EHLO.
    Ehlo,
    /// HELO.
    Helo,
    /// LHLO.
    Lhlo,
    /// STARTTLS.
    StartTls,
    /// AUTH and its answers.
    Auth,
    /// XFORWARD.
    Xforward,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The content.
    Content,
    /// The reply to the content's end: the message may be delivered although we never hear it.
    EndOfData,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
    /// VRFY, NOOP and others.
    Other,
}

impl Stage {
    /// For `(in reply to … command)`: `MAIL FROM`, `end of DATA`; `None` for the greeting.
    pub fn command(self) -> Option<&'static str> {
        Some(match self {
            Stage::Greeting => return None,
            Stage::Ehlo => "EHLO",
            Stage::Helo => "HELO",
            Stage::Lhlo => "LHLO",
            Stage::StartTls => "STARTTLS",
            Stage::Auth => "AUTH",
            Stage::Xforward => "XFORWARD",
            Stage::Mail => "MAIL FROM",
            Stage::Rcpt => "RCPT TO",
            Stage::Data | Stage::Content => "DATA",
            Stage::EndOfData => "end of DATA",
            Stage::Rset => "RSET",
            Stage::Quit => "QUIT",
            Stage::Other => "command",
        })
    }

    /// For `lost connection with x while …` and `conversation with x timed out while …`.
    pub fn doing(self) -> &'static str {
        match self {
            Stage::Greeting => "receiving the initial server greeting",
            Stage::Ehlo => "performing the EHLO handshake",
            Stage::Helo => "performing the HELO handshake",
            Stage::Lhlo => "performing the LHLO handshake",
            Stage::StartTls => "performing the STARTTLS handshake",
            Stage::Auth => "performing SASL authentication",
            Stage::Xforward => "sending XFORWARD command",
            Stage::Mail => "sending MAIL FROM",
            Stage::Rcpt => "sending RCPT TO",
            Stage::Data => "sending DATA command",
            Stage::Content => "sending message body",
            Stage::EndOfData => "sending end of data -- message may be sent more than once",
            Stage::Rset => "sending RSET",
            Stage::Quit => "sending QUIT",
            Stage::Other => "sending command",
        }
    }
}

/// Time-outs (`smtp_helo_timeout`, …) and limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Speak LMTP: one reply per recipient after the content.
    pub lmtp: bool,
    /// Greeting, EHLO, HELO, LHLO (`smtp_helo_timeout`).
    pub helo_timeout: Duration,
    /// STARTTLS reply (`smtp_starttls_timeout`).
    pub starttls_timeout: Duration,
    /// AUTH (`smtp_sasl_…` has none: Postfix uses `smtp_helo_timeout`).
    pub auth_timeout: Duration,
    /// XFORWARD (`smtp_xforward_timeout`).
    pub xforward_timeout: Duration,
    /// MAIL FROM (`smtp_mail_timeout`).
    pub mail_timeout: Duration,
    /// RCPT TO (`smtp_rcpt_timeout`).
    pub rcpt_timeout: Duration,
    /// DATA (`smtp_data_init_timeout`).
    pub data_init_timeout: Duration,
    /// A write of content (`smtp_data_xfer_timeout`).
    pub data_xfer_timeout: Duration,
    /// The reply to the end of data (`smtp_data_done_timeout`).
    pub data_done_timeout: Duration,
    /// RSET (`smtp_rset_timeout`).
    pub rset_timeout: Duration,
    /// QUIT (`smtp_quit_timeout`).
    pub quit_timeout: Duration,
    /// Longest content line; longer ones are broken with CR LF SPACE (`smtp_line_length_limit`, 0 is none).
    pub content_line_limit: usize,
    /// Bytes of a reply line that are kept (`line_length_limit`).
    pub reply_line_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Settings {
            lmtp: false,
            helo_timeout: minutes(5),
            starttls_timeout: minutes(5),
            auth_timeout: minutes(5),
            xforward_timeout: minutes(5),
            mail_timeout: minutes(5),
            rcpt_timeout: minutes(5),
            data_init_timeout: minutes(2),
            data_xfer_timeout: minutes(3),
            data_done_timeout: minutes(10),
            rset_timeout: Duration::from_secs(20),
            quit_timeout: minutes(5),
            content_line_limit: 998,
            reply_line_limit: 2048,
        }
    }
}

/// One message: everything but its content. The texts stand after `MAIL FROM:` and `RCPT TO:`, without line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// `<joe@example.org> SIZE=100 BODY=8BITMIME`.
    pub sender: String,
    /// `<jane@example.org> NOTIFY=NEVER`, one each.
    pub recipients: Vec<String>,
    /// Send it all in one go (the server announced PIPELINING).
    pub pipelining: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A reply to the greeting wait or to [`Machine::ask`].
    Reply(Stage, Received),
    /// The reply to MAIL FROM.
    Mail(Received),
    /// The reply to the RCPT TO of that recipient.
    Rcpt(usize, Received),
    /// The reply to DATA.
    Data(Received),
    /// The server waits for the content: [`Machine::content`] and [`Machine::end_of_content`].
    WantContent,
    /// Nothing was or will be sent: sender, all recipients or DATA were refused. Before the next transaction ask RSET.
    Abandoned,
    /// The reply to the end of data: for all accepted recipients (`None`, SMTP) or for one of them (LMTP).
    Done(Option<usize>, Received),
    /// The server was silent for too long.
    TimedOut(Stage),
    /// The server hung up.
    Lost(Stage),
    /// The server does not speak the protocol: endless or malformed reply. The text says how.
    Garbled(Stage, String),
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the output; then, when [`Machine::is_waiting`], read until [`Machine::deadline`].
    NeedInput,
    /// Somebody wants to know.
    Event(Event),
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
}

impl Machine {
    /// A machine on a fresh connection, which waits for the greeting.
    pub fn new(settings: Settings) -> Machine {
        Machine { settings }
    }

    /// Time-outs and limits, to change them.
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Sends one command line (without line end) and expects one reply, given as [`Event::Reply`].
    pub fn ask(&mut self, stage: Stage, line: &str) {
        let _ = (stage, line);
        todo!()
    }

    /// Sends MAIL FROM, RCPT TO and DATA, as many at once as `pipelining` allows.
    pub fn transact(&mut self, transaction: Transaction) {
        let _ = transaction;
        todo!()
    }

    /// A piece of content after [`Event::WantContent`]: lines end in LF. Cut anywhere.
    pub fn content(&mut self, bytes: &[u8]) {
        let _ = bytes;
        todo!()
    }

    /// The content is complete. `quit`: send QUIT along with the final dot (its reply is an [`Event::Reply`]).
    pub fn end_of_content(&mut self, quit: bool) {
        let _ = quit;
        todo!()
    }

    /// Were lines broken because of `content_line_limit` since the last transaction began?
    pub fn broke_lines(&self) -> bool {
        todo!()
    }

    /// Bytes the server sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        let _ = bytes;
        todo!()
    }

    /// The server sends no more.
    pub fn feed_eof(&mut self) {
        todo!()
    }

    /// What next?
    pub fn step(&mut self, now: Instant) -> Step {
        let _ = now;
        todo!()
    }

    /// What is to be written. The driver clears what it wrote.
    pub fn output(&mut self) -> &mut Vec<u8> {
        todo!()
    }

    /// When waiting has lasted too long.
    pub fn deadline(&self) -> Option<Instant> {
        todo!()
    }

    /// What we do now.
    pub fn stage(&self) -> Stage {
        todo!()
    }

    /// Is a reply due?
    pub fn is_waiting(&self) -> bool {
        todo!()
    }

    /// After a positive reply to STARTTLS: everything the server sent ahead is dropped (response injection).
    pub fn tls_started(&mut self) {
        todo!()
    }
}
