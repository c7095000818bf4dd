//! The state of one request while servers are tried: who is left, what became of the others.

use std::time::Instant;

use mail::{Class, Outcome, Refusal};
use net::clock;
use proto::smtp::client::Said;

use crate::{Delivered, Feedback, Report, Request, Transcript};

/// One request under way.
pub struct Round {
    /// The request.
    pub request: Request,
    /// Positions in `request.targets` that no server has decided about.
    pub left: Vec<usize>,
    /// No server is left to try after this one: temporary refusals count.
    pub last_server: bool,
    /// The logged program.
    program: std::sync::Arc<str>,
    done: Vec<Delivered>,
    feedback: Feedback,
    /// A server said that we break the protocol.
    strange: bool,
    transcripts: Vec<Transcript>,
    began: Instant,
    set_up: Option<Instant>,
}

/// Over which connection something happened.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// `relay=`.
    pub relay: &'a str,
    /// Messages over this connection.
    pub uses: u32,
}

/// No connection.
pub const NONE: Line<'static> = Line { relay: "none", uses: 0 };

impl Round {
    /// Nobody was tried.
    pub fn new(request: Request, program: std::sync::Arc<str>) -> Round {
        Round {
            left: (0..request.targets.len()).collect(),
            request,
            last_server: false,
            program,
            done: Vec::new(),
            feedback: Feedback::Alive,
            strange: false,
            transcripts: Vec::new(),
            began: clock::now(),
            set_up: None,
        }
    }

    /// The connection stands: what comes now is transmission.
    pub fn connected(&mut self) {
        self.set_up = Some(clock::now());
    }

    /// Decides about one recipient.
    pub fn settle(&mut self, at: usize, outcome: Outcome, line: Line<'_>) {
        let now = clock::now();
        let set_up = self.set_up.unwrap_or(now);
        self.left.retain(|left| *left != at);
        self.done.push(Delivered {
            index: self.request.targets[at].index,
            recipient: None,
            outcome,
            relayed: true,
            relay: line.relay.to_owned(),
            program: None,
            conn_use: line.uses,
            delays: ((set_up - self.began).as_secs_f64(), (now - set_up).as_secs_f64()),
        });
    }

    /// A server refused one recipient. True when another server may be asked.
    pub fn refuse_one(&mut self, at: usize, refusal: Refusal, line: Line<'_>) {
        self.strange |= is_strange(&refusal);
        if self.may_ask_another(&refusal) {
            self.note(&refusal);
        } else {
            self.settle(at, refusal.into(), line);
        }
    }

    /// A server refused `which` for one reason.
    pub fn refuse(&mut self, which: &[usize], refusal: &Refusal, line: Line<'_>) {
        self.strange |= is_strange(refusal);
        if self.may_ask_another(refusal) {
            self.note(refusal);
            return;
        }
        for at in which.iter().copied() {
            self.settle(at, refusal.clone().into(), line);
        }
    }

    /// A server is not there, or wants no mail at all: the scheduler hears of it unless mail went through before.
    pub fn refuse_site(&mut self, refusal: &Refusal, line: Line<'_>) {
        if !self.may_ask_another(refusal)
            && refusal.class() == Class::Later
            && matches!(self.feedback, Feedback::Alive)
        {
            self.feedback = Feedback::Dead(refusal.clone());
        }
        self.refuse(&self.left.clone(), refusal, line);
    }

    /// A session is over: what was said in it is kept for the postmaster when the server found fault with our protocol.
    pub fn session_ended(&mut self, server: &str, lmtp: bool, said: Vec<Said>) {
        if std::mem::take(&mut self.strange) && !said.is_empty() {
            let protocol = if lmtp { "LMTP" } else { "SMTP" };
            self.transcripts.push(Transcript { server: server.to_owned(), protocol, said });
        }
    }

    /// Takes back what the scheduler would hear: a message got through after all.
    pub fn alive(&mut self) {
        self.feedback = Feedback::Alive;
    }

    /// The answer; whoever is left is deferred by the caller before.
    pub fn report(self) -> Report {
        debug_assert!(self.left.is_empty(), "every recipient is decided about");
        Report { delivered: self.done, feedback: self.feedback, transcripts: self.transcripts }
    }

    fn may_ask_another(&self, refusal: &Refusal) -> bool {
        refusal.class() == Class::Later && !self.last_server
    }

    /// Says why a server was passed over.
    fn note(&self, refusal: &Refusal) {
        log::info!(target: &self.program, "{}: {}", self.request.id, mail::logline::printable(refusal.log_text()));
    }
}

/// Does the server say that we made a mistake (`x0z`: syntax, order, not implemented), or what no server should say?
fn is_strange(refusal: &Refusal) -> bool {
    let code = refusal.remote.as_ref().and_then(|reply| reply.text.get(..3)?.parse::<u16>().ok());
    code.is_some_and(|code| !(400..=599).contains(&code) || code == 555 || (500..510).contains(&code))
}
