//! One IMAP session: bytes in, bytes out, and between them the state of one client.
//!
//! The session is a machine that knows neither sockets nor tokio. Its driver feeds it what was read
//! ([`Session::feed`]), asks what it wants ([`Session::advance`]), and lets it work on a thread that may wait for a disk
//! ([`Session::work`]). Long answers come in slices, so that no thread is held by a client that reads slowly.

mod answer;
mod link;
mod mail;
mod selected;
mod tell;

use std::sync::Arc;

use store::{Account, Mailbox};

pub use answer::{Answer, Done, Fail, Slices};
pub use selected::Selected;
pub use tell::{Tell, say_flags};

use crate::commands::notify::Notifying;
use crate::commands::{self, Allowed, Call, Command};
use crate::grammar::{Bad, Cursor, Frame, Framer, Piece, Why, tag};
use crate::login::Login;
use crate::respond::{Out, say};
use crate::settings::Settings;

/// Output of one turn: beyond it the client reads first.
const TURN: usize = 256 * 1024;

/// Invalid commands in a row after which a session ends.
const INVALID: u32 = 20;

/// The same before the login.
const INVALID_BEFORE_LOGIN: u32 = 10;

/// What a session needs next.
#[derive(Debug)]
pub enum Want {
    /// More from the client.
    Input,
    /// [`Session::work`], on a thread that may wait for a disk.
    Work,
    /// The handshake, then [`Session::tls_started`].
    Tls,
    /// Both directions compressed from here on, then [`Session::compression_started`]. RFC 4978.
    Compression,
    /// Somebody says whether this login is right: [`Session::ask_sasl`] or [`Session::login_decided`].
    Login(Login),
    /// An end.
    Close,
}

/// What the session waits for.
#[derive(Debug)]
enum Awaits {
    /// A command.
    Command,
    /// A thread to run this command.
    Thread(Frame),
    /// The client's next line of a SASL conversation; the command's tag.
    SaslLine(Vec<u8>),
    /// Whether a login is right; the command's tag.
    Verdict(Vec<u8>),
    /// `DONE` of an IDLE; the command's tag.
    Done(Vec<u8>),
    /// The handshake.
    Handshake,
    /// Compression.
    Compression,
    /// The end: what was said is still to be written.
    End,
}

/// Extensions a client has switched on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Enabled {
    /// RFC 7162.
    pub condstore: bool,
    /// RFC 7162.
    pub qresync: bool,
    /// RFC 9051.
    pub rev2: bool,
    /// RFC 6855.
    pub utf8: bool,
    /// RFC 9586.
    pub uid_only: bool,
}

impl Enabled {
    /// Do names of mailboxes come in UTF-8?
    pub fn utf8_names(&self) -> bool {
        self.utf8 || self.rev2
    }
}

/// Who has logged in.
pub struct User {
    /// The name.
    pub name: String,
    /// The mail.
    pub account: Arc<dyn Account>,
}

/// How the client reaches us.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// Passwords may be sent: `disable_plaintext_auth` is off, or nobody can listen.
    pub passwords: bool,
    /// SASL mechanisms that may be used now.
    pub mechanisms: Vec<&'static str>,
    /// Under TLS.
    pub tls: bool,
    /// RFC 4978.
    pub compressed: bool,
}

/// A session.
pub struct Session {
    /// The configuration.
    pub settings: Arc<Settings>,
    /// What is said.
    pub out: Out,
    /// The way to the client.
    pub link: Link,
    /// What the client has switched on.
    pub enabled: Enabled,
    /// Who, once logged in.
    pub user: Option<User>,
    /// The selected mailbox.
    pub selected: Option<Box<Selected>>,
    /// How the session ended, for the log.
    pub farewell: &'static str,
    /// What the client is told without asking (NOTIFY).
    pub notify: Option<Box<Notifying>>,
    framer: Framer,
    awaits: Awaits,
    running: Option<(Vec<u8>, Box<dyn Slices>)>,
    invalid: u32,
    /// What was said is to be sent before the work goes on.
    hurry: bool,
}

impl Session {
    /// A new session. [`Session::greet`] comes next.
    pub fn new(settings: Arc<Settings>, link: Link) -> Box<Session> {
        let framer = Framer::new(settings.limits_before_login());
        Box::new(Session {
            settings,
            out: Out::default(),
            link,
            enabled: Enabled::default(),
            user: None,
            selected: None,
            farewell: "Connection closed",
            notify: None,
            framer,
            awaits: Awaits::Command,
            running: None,
            invalid: 0,
            hurry: false,
        })
    }

    /// Says the greeting.
    pub fn greet(&mut self) {
        let capabilities = commands::capabilities(self);
        let greeting = self.settings.greeting.clone();
        say!(self.out, "* OK [CAPABILITY {capabilities}] {greeting}");
    }

    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.framer.feed(bytes);
    }

    /// Does the client wait for news in IDLE?
    pub fn is_idle(&self) -> bool {
        matches!(self.awaits, Awaits::Done(_))
    }

    /// Is the client told what happens, now that it is silent?
    pub fn waits_for_news(&self) -> bool {
        self.is_idle() || (self.notify.is_some() && !self.framer.is_within_command())
    }

    /// The mailbox whose changes the client waits for.
    pub fn watched(&self) -> Option<Arc<dyn Mailbox>> {
        let told = self.is_idle() || self.notify.as_ref().is_some_and(|notify| notify.selected.is_some());
        self.selected.as_ref().filter(|_| told).map(|selected| selected.mailbox.clone())
    }

    /// The account whose mailboxes the client is told of.
    pub fn watched_account(&self) -> Option<Arc<dyn Account>> {
        let told = self.notify.as_ref().is_some_and(|notify| notify.watches_account());
        self.user.as_ref().filter(|_| told).map(|user| user.account.clone())
    }

    /// Has what was said sent before a long command goes on.
    pub fn send_now(&mut self) {
        self.hurry = true;
    }

    /// Gives memory back: the client may be silent for long.
    pub fn rest(&mut self) {
        self.framer.rest();
        if self.out.is_empty() {
            *self.out.bytes() = Vec::new();
        }
    }

    /// What is needed next. Never waits for a disk.
    pub fn advance(&mut self) -> Want {
        loop {
            if self.running.is_some() {
                return Want::Work;
            }
            match &self.awaits {
                Awaits::End => return Want::Close,
                Awaits::Handshake => return Want::Tls,
                Awaits::Compression => return Want::Compression,
                Awaits::Thread(_) => return Want::Work,
                Awaits::Verdict(_) => return Want::Input,
                Awaits::Done(_) => match self.framer.line() {
                    None => return Want::Input,
                    // What there is to tell before the end may need the disk.
                    Some(line) => self.end_idle(line.ok()),
                },
                Awaits::SaslLine(_) => match self.framer.line() {
                    None => return Want::Input,
                    Some(line) => {
                        if let Some(login) = self.sasl_line(line.ok()) {
                            return Want::Login(login);
                        }
                    }
                },
                Awaits::Command => {
                    let Some(piece) = self.framer.advance() else { return Want::Input };
                    if let Some(want) = self.piece(piece, false) {
                        return want;
                    }
                }
            }
        }
    }

    /// Does what may wait for a disk: the command at hand, and those that have come with it.
    pub fn work(&mut self) {
        if let Awaits::Thread(_) = self.awaits
            && let Awaits::Thread(frame) = std::mem::replace(&mut self.awaits, Awaits::Command)
        {
            self.run(&frame);
        }
        while self.out.len() < TURN && !std::mem::take(&mut self.hurry) {
            if self.step() {
                continue;
            }
            // A login never comes here: it is for those who have not logged in, and they have no work.
            if !matches!(self.awaits, Awaits::Command) {
                return;
            }
            let Some(piece) = self.framer.advance() else { return };
            self.piece(piece, true);
        }
    }

    fn piece(&mut self, piece: Piece, may_block: bool) -> Option<Want> {
        match piece {
            Piece::Continue => self.out.put(b"+ OK\r\n"),
            Piece::Refused(tag, why) => self.refused(&tag, why),
            Piece::Flood => self.bye("Literal too large."),
            Piece::Command(frame) if !may_block && self.blocks(&frame) => {
                self.awaits = Awaits::Thread(frame);
                return Some(Want::Work);
            }
            Piece::Command(frame) => {
                let want = self.run(&frame);
                // What does not block comes to its end at once.
                while !may_block && self.step() {}
                return want;
            }
        }
        None
    }

    /// Goes on with the command that is under way; false when there is none.
    fn step(&mut self) -> bool {
        let Some((tag, mut slices)) = self.running.take() else { return false };
        match slices.step(self) {
            None => self.running = Some((tag, slices)),
            Some(answer) => self.finish(&tag, answer),
        }
        true
    }

    fn refused(&mut self, tag: &[u8], why: Why) {
        let text = match why {
            Why::TooLong => "BAD Too long command.",
            Why::TooLarge if self.user.is_some() => "NO [TOOBIG] Literal too large.",
            Why::TooLarge => "BAD Literal too large.",
            Why::NoLiteral => "BAD Invalid literal.",
        };
        self.say_tagged(tag, text);
        self.count_invalid();
    }

    fn blocks(&self, frame: &Frame) -> bool {
        let Some(Found { command, uid, args }) = find(frame).filter(|found| found.command.blocks) else {
            return false;
        };
        let call = &mut Call { args, aside: &frame.aside, tag: &[], uid };
        self.user.is_some() && !(command.at_hand)(self, call)
    }

    /// Runs one command.
    fn run(&mut self, frame: &Frame) -> Option<Want> {
        let tag = tag(&frame.text).to_vec();
        if tag.is_empty() || !tag.iter().all(|byte| is_tag(*byte)) {
            self.out.put(b"* BAD Invalid tag.\r\n");
            self.count_invalid();
            return None;
        }
        let Some(Found { command, uid, args }) = find(frame) else {
            let before_login = "BAD Error in IMAP command received by server.";
            let text = if self.user.is_some() {
                "BAD Error in IMAP command: Unknown command."
            } else {
                before_login
            };
            self.say_tagged(&tag, text);
            self.count_invalid();
            return None;
        };
        let answer = match self.is_refused(command, uid) {
            Some(what) => Err(Fail::Refused(what)),
            None => (command.run)(self, &mut Call { args, aside: &frame.aside, tag: &tag, uid }),
        };
        match answer {
            Ok(Done::Slices(slices)) => self.running = Some((tag, slices)),
            Ok(Done::Idle) => {
                self.out.put(b"+ idling\r\n");
                self.awaits = Awaits::Done(tag);
            }
            Ok(Done::StartTls) => {
                self.say_tagged(&tag, "OK Begin TLS negotiation now.");
                self.awaits = Awaits::Handshake;
            }
            Ok(Done::Compress) => {
                self.say_tagged(&tag, "OK Begin compression.");
                self.awaits = Awaits::Compression;
            }
            Ok(Done::Login(login)) => {
                self.awaits = Awaits::Verdict(tag);
                return Some(Want::Login(login));
            }
            other => self.finish(&tag, other),
        }
        None
    }

    fn is_refused(&self, command: &Command, uid: bool) -> Option<&'static str> {
        let logged_in = self.user.is_some();
        match command.allowed {
            Allowed::BeforeLogin if logged_in => Some("Error in IMAP command: Already logged in."),
            Allowed::LoggedIn | Allowed::Selected if !logged_in => {
                Some("Error in IMAP command received by server: Log in first.")
            }
            Allowed::Selected if self.selected.is_none() => Some("No mailbox selected."),
            Allowed::Selected
                if self.enabled.uid_only && command.uid && !uid && command.name != "EXPUNGE" =>
            {
                Some("[UIDREQUIRED] Message numbers are not used any more.")
            }
            _ => None,
        }
    }

    /// Says the end of a command, after what else has happened in the mailbox.
    fn finish(&mut self, tag: &[u8], answer: Answer) {
        match answer {
            Ok(Done::Ok { code, text, tell }) => {
                self.invalid = 0;
                self.tell(tell);
                self.say_ok(tag, &code, &text);
            }
            Ok(Done::Logout) => {
                self.out.put(b"* BYE Logging out\r\n");
                self.say_tagged(tag, "OK Logout completed.");
                self.farewell = "Logged out";
                self.awaits = Awaits::End;
            }
            Ok(_) => self.say_tagged(tag, "BAD Error in IMAP command: Unexpected end."),
            Err(Fail::Bad(Bad(what))) => {
                self.out.put(tag);
                say!(self.out, " BAD Error in IMAP command: {what}.");
                self.count_invalid();
            }
            Err(Fail::Refused(what)) => {
                self.out.put(tag);
                say!(self.out, " BAD {what}");
                self.count_invalid();
            }
            Err(Fail::No { code, text }) => {
                self.invalid = 0;
                self.tell(Tell::Flags);
                self.out.put(tag);
                match code.is_empty() {
                    true => say!(self.out, " NO {text}"),
                    false => say!(self.out, " NO [{code}] {text}"),
                }
            }
            Err(Fail::Gone) => self.bye("The selected mailbox is gone, please log in again."),
        }
        self.end_if_gone();
    }

    fn end_if_gone(&mut self) {
        if self.selected.as_ref().is_some_and(|selected| selected.is_gone()) {
            self.bye("The selected mailbox was deleted, please log in again.");
        }
    }

    fn say_ok(&mut self, tag: &[u8], code: &str, text: &str) {
        self.out.put(tag);
        match code.is_empty() {
            true => say!(self.out, " OK {text}"),
            false => say!(self.out, " OK [{code}] {text}"),
        }
    }

    fn say_tagged(&mut self, tag: &[u8], text: &str) {
        self.out.put(if tag.is_empty() { b"*" } else { tag });
        say!(self.out, " {text}");
    }

    fn count_invalid(&mut self) {
        self.invalid += 1;
        let most = if self.user.is_some() { INVALID } else { INVALID_BEFORE_LOGIN };
        if self.invalid >= most {
            self.bye("Too many invalid IMAP commands.");
        }
    }

    /// Ends the session.
    pub fn bye(&mut self, why: &'static str) {
        if !matches!(self.awaits, Awaits::End) {
            say!(self.out, "* BYE {why}");
            self.farewell = why;
            self.running = None;
            self.awaits = Awaits::End;
        }
    }

    fn end_idle(&mut self, line: Option<Vec<u8>>) {
        let Awaits::Done(tag) = std::mem::replace(&mut self.awaits, Awaits::Command) else { return };
        if line.is_some_and(|line| line.eq_ignore_ascii_case(b"DONE")) {
            self.finish(&tag, Ok(Done::ok("Idle completed.", Tell::All)));
        } else {
            self.say_tagged(&tag, "BAD Expected DONE.");
            self.count_invalid();
        }
    }

    /// While the client waits: tells what has happened. `look` also finds what other programs have done.
    pub fn news(&mut self, look: bool) {
        if let Some(selected) = &self.selected
            && look
            && let Err(error) = selected.mailbox.refresh()
        {
            log::warn!(target: "imap", "{error}");
        }
        let delayed = self.notify.as_ref().and_then(|notify| notify.selected.as_ref());
        let delayed = delayed.is_some_and(|selected| selected.delayed) && !self.is_idle();
        if self.watched().is_some() {
            self.tell(if delayed { Tell::Flags } else { Tell::All });
        }
        if let Err(error) = commands::notify::push(self) {
            log::warn!(target: "imap", "what happens in other mailboxes is not told: {error:?}");
        }
        self.end_if_gone();
    }

    /// Says that the connection is alive (`imap_idle_notify_interval`).
    pub fn still_here(&mut self) {
        self.out.put(b"* OK Still here\r\n");
    }
}

fn is_tag(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b'+')
}

/// A command that was found in the table.
struct Found<'a> {
    command: &'static Command,
    /// It came with `UID` before its name.
    uid: bool,
    args: Cursor<'a>,
}

fn find(frame: &Frame) -> Option<Found<'_>> {
    let mut args = Cursor::new(&frame.text);
    args.take_while(|byte| byte != b' ');
    args.eat(b' ');
    let mut name = args.atom().ok()?;
    let uid = name.eq_ignore_ascii_case("UID");
    if uid {
        args.eat(b' ');
        name = args.atom().ok()?;
    }
    let command = commands::find(name).filter(|command| !uid || command.uid)?;
    args.eat(b' ');
    Some(Found { command, uid, args })
}

#[cfg(test)]
mod tests;
