//! The client's side of an SMTP or LMTP conversation. RFC 5321, RFC 2033, RFC 2920.
//!
//! One machine speaks both. Whoever drives it says what to ask ([`Machine::ask`], [`Machine::transact`]) and gets the
//! replies as events, each with what it answers.

mod dialogue;
mod extensions;
mod replies;
mod settings;
mod stage;
mod stuffing;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::reply::Received;
use dialogue::Dialogue;
use replies::Replies;
use stuffing::Stuffing;

pub use dialogue::Said;
pub use extensions::Extensions;
pub use settings::Settings;
pub use stage::Stage;

/// Commands in flight at most, so that neither side fills the other's buffers; and when to send more.
const IN_FLIGHT: usize = 100;
const REFILL: usize = 25;

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
    /// The greeting, or the reply to [`Machine::ask`].
    Reply(Stage, Received),
    /// The reply to MAIL FROM.
    Mail(Received),
    /// The reply to the RCPT TO of that recipient.
    Rcpt(usize, Received),
    /// The reply to DATA, unless no recipient was accepted anyway.
    Data(Received),
    /// The server waits for the content: [`Machine::content`] and [`Machine::end_of_content`].
    WantContent,
    /// No content was or will be sent: sender, all recipients or DATA were refused. Ask RSET before going on.
    Abandoned,
    /// The reply to the end of data: for all accepted recipients (`None`, SMTP) or for one of them (LMTP).
    Done(Option<usize>, Received),
    /// The server was silent for too long.
    TimedOut(Stage),
    /// The server hung up.
    Lost(Stage),
    /// The server does not speak the protocol; the text is what it said.
    Garbled(Stage, String),
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the output, then read until [`Machine::deadline`].
    Input,
    /// Somebody wants to know.
    Event(Event),
    /// Nothing was asked.
    Idle,
}

/// A reply that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Asked(Stage),
    Mail,
    Rcpt(usize),
    Data,
    Done(Option<usize>),
    /// The dot that ends a DATA which nobody wanted.
    LoneDot,
}

impl Due {
    fn stage(self) -> Stage {
        match self {
            Due::Asked(stage) => stage,
            Due::Mail => Stage::Mail,
            Due::Rcpt(_) => Stage::Rcpt,
            Due::Data => Stage::Data,
            Due::Done(_) | Due::LoneDot => Stage::EndOfData,
        }
    }
}

/// A transaction under way.
#[derive(Debug)]
struct Sending {
    transaction: Transaction,
    /// 0 is MAIL, then the recipients, then DATA.
    next: usize,
    /// MAIL was refused: what else was sent ahead means nothing.
    refused: bool,
    accepted: Vec<usize>,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    replies: Replies,
    due: VecDeque<Due>,
    sending: Option<Sending>,
    /// Recipients that were accepted, while content is sent.
    in_content: Option<Vec<usize>>,
    /// An event that follows another one.
    next_event: Option<Event>,
    stuffing: Stuffing,
    output: Vec<u8>,
    eof: bool,
    deadline: Option<Instant>,
    /// When the content began, and how much of it there was so far.
    content: Option<(Instant, u64)>,
    dialogue: Option<Dialogue>,
}

impl Machine {
    /// A machine on a fresh connection, which waits for the greeting.
    pub fn new(settings: Settings) -> Machine {
        Machine {
            dialogue: settings.remember.then(Dialogue::default),
            content: None,
            settings,
            replies: Replies::default(),
            due: VecDeque::from([Due::Asked(Stage::Greeting)]),
            sending: None,
            in_content: None,
            next_event: None,
            stuffing: Stuffing::default(),
            output: Vec::new(),
            eof: false,
            deadline: None,
        }
    }

    /// Time-outs and limits, to change them.
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Sends one command line (without line end) and expects one reply, given as [`Event::Reply`].
    pub fn ask(&mut self, stage: Stage, line: &str) {
        self.say(Due::Asked(stage), &[line]);
    }

    /// Sends MAIL FROM, RCPT TO and DATA, as many at once as `pipelining` allows.
    pub fn transact(&mut self, transaction: Transaction) {
        self.stuffing = Stuffing::default();
        self.sending = Some(Sending { transaction, next: 0, refused: false, accepted: Vec::new() });
        self.send_more();
    }

    /// The server gave a positive reply to a DATA that was sent by [`Machine::ask`]: content may follow.
    pub fn open_content(&mut self) {
        self.stuffing = Stuffing::default();
        self.in_content = Some(Vec::new());
    }

    /// A piece of content after [`Event::WantContent`]: lines end in LF. Cut anywhere.
    pub fn content(&mut self, bytes: &[u8]) {
        if let Some((_, written)) = &mut self.content {
            *written += bytes.len() as u64;
        }
        self.stuffing.write(bytes, self.settings.content_line_limit, &mut self.output);
    }

    /// The content is complete. `quit`: send QUIT along with the final dot (its reply is an [`Event::Reply`]).
    pub fn end_of_content(&mut self, quit: bool) {
        let Some(accepted) = self.in_content.take() else { return };
        self.stuffing.end(self.settings.content_line_limit, &mut self.output);
        self.content = None;
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.went(Stage::Content, &["."]);
        }
        if self.settings.lmtp {
            self.due.extend(accepted.into_iter().map(|recipient| Due::Done(Some(recipient))));
        } else {
            self.due.push_back(Due::Done(None));
        }
        self.deadline = None;
        if quit {
            self.ask(Stage::Quit, "QUIT");
        }
    }

    /// Were lines broken because of `content_line_limit` since the last transaction began?
    pub fn broke_lines(&self) -> bool {
        self.stuffing.broke
    }

    /// Bytes the server sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.replies.feed(bytes);
    }

    /// The server sends no more.
    pub fn feed_eof(&mut self) {
        self.eof = true;
    }

    /// What next?
    pub fn step(&mut self, now: Instant) -> Step {
        loop {
            if let Some(event) = self.next_event.take() {
                return Step::Event(event);
            }
            let stage = self.stage();
            let Some(&due) = self.due.front() else { return Step::Idle };
            match self.replies.next(self.settings.reply_line_limit) {
                Err(text) => {
                    if let Some(dialogue) = &mut self.dialogue {
                        dialogue.came([&text]);
                    }
                    return Step::Event(Event::Garbled(stage, text));
                }
                Ok(Some(reply)) => {
                    if let Some(dialogue) = &mut self.dialogue {
                        dialogue.came(&reply.lines);
                    }
                    self.due.pop_front();
                    self.deadline = None;
                    if let Some(event) = self.received(due, reply) {
                        return Step::Event(event);
                    }
                }
                Ok(None) if self.eof => return Step::Event(Event::Lost(stage)),
                Ok(None) => {
                    let deadline = *self.deadline.get_or_insert(now + self.settings.timeout(stage));
                    return if deadline <= now { Step::Event(Event::TimedOut(stage)) } else { Step::Input };
                }
            }
        }
    }

    /// What is to be written. The driver clears what it wrote.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// When waiting has lasted too long.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long a write may take now. With `per_request` it is what is left for the whole content.
    pub fn write_timeout(&mut self, now: Instant) -> Duration {
        let stage = self.stage();
        let whole = self.settings.timeout(stage);
        if stage != Stage::Content || !self.settings.per_request {
            return whole;
        }
        let (begun, written) = *self.content.get_or_insert((now, 0));
        let earned = Duration::from_secs(written / u64::from(self.settings.min_data_rate.max(1)));
        (begun + whole + earned).saturating_duration_since(now)
    }

    /// What was said so far, where [`Settings::remember`] is set; it begins anew.
    pub fn dialogue(&mut self) -> Vec<Said> {
        self.dialogue.as_mut().map(Dialogue::take).unwrap_or_default()
    }

    /// What we do now.
    pub fn stage(&self) -> Stage {
        match self.due.front() {
            Some(due) => due.stage(),
            None if self.in_content.is_some() => Stage::Content,
            None => Stage::Other,
        }
    }

    /// After a positive reply to STARTTLS: everything the server sent ahead is dropped (response injection).
    pub fn tls_started(&mut self) {
        self.replies.clear();
    }

    fn say(&mut self, due: Due, words: &[&str]) {
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.went(due.stage(), words);
        }
        for word in words {
            // No command carries a line end of somebody else's making.
            self.output.extend(word.bytes().map(|b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { b }));
        }
        self.output.extend_from_slice(b"\r\n");
        self.due.push_back(due);
    }

    fn send_more(&mut self) {
        let Some(mut sending) = self.sending.take() else { return };
        let Transaction { sender, recipients, pipelining } = &sending.transaction;
        let last = recipients.len() + 1;
        let limit = if *pipelining { IN_FLIGHT } else { 1 };
        if self.due.is_empty() || *pipelining && self.due.len() <= REFILL {
            while self.due.len() < limit && sending.next <= last {
                match sending.next {
                    0 => self.say(Due::Mail, &["MAIL FROM:", sender]),
                    n if n < last => self.say(Due::Rcpt(n - 1), &["RCPT TO:", &recipients[n - 1]]),
                    _ => self.say(Due::Data, &["DATA"]),
                }
                sending.next += 1;
            }
        }
        self.sending = Some(sending);
    }

    fn received(&mut self, due: Due, reply: Received) -> Option<Event> {
        let Some(sending) = &mut self.sending else {
            return match due {
                Due::Asked(stage) => Some(Event::Reply(stage, reply)),
                Due::Done(recipient) => Some(Event::Done(recipient, reply)),
                Due::LoneDot => Some(Event::Abandoned),
                Due::Mail | Due::Rcpt(_) | Due::Data => None,
            };
        };
        let event = match due {
            Due::Mail => {
                sending.refused = !reply.is_ok();
                Some(Event::Mail(reply))
            }
            Due::Rcpt(_) if sending.refused => None,
            Due::Rcpt(recipient) => {
                if reply.is_ok() {
                    sending.accepted.push(recipient);
                }
                Some(Event::Rcpt(recipient, reply))
            }
            Due::Data => return self.data_answered(reply),
            Due::Asked(stage) => Some(Event::Reply(stage, reply)),
            Due::Done(_) | Due::LoneDot => None,
        };
        let sent_all = sending.next > sending.transaction.recipients.len();
        let hopeless = sending.refused || sent_all && sending.accepted.is_empty();
        if hopeless && self.due.is_empty() && sending.next <= sending.transaction.recipients.len() + 1 {
            self.sending = None;
            self.next_event = Some(Event::Abandoned);
        } else if !sending.refused {
            self.send_more();
        }
        event
    }

    fn data_answered(&mut self, reply: Received) -> Option<Event> {
        let accepted =
            self.sending.take().map(|sending| if sending.refused { vec![] } else { sending.accepted })?;
        match (reply.code / 100 == 3, accepted.is_empty()) {
            (true, false) => {
                self.in_content = Some(accepted);
                Some(Event::WantContent)
            }
            (true, true) => {
                self.output.extend_from_slice(b".\r\n");
                self.due.push_back(Due::LoneDot);
                None
            }
            (false, true) => Some(Event::Abandoned),
            (false, false) => {
                self.next_event = Some(Event::Abandoned);
                Some(Event::Data(reply))
            }
        }
    }
}

#[cfg(test)]
mod tests;
