//! One session: its state, and the loop that answers the client.

use std::sync::Arc;

use filter::{Facts, Footer, Peer, Standing};
use mail::{Address, QueueId, Recipient};
use net::Accepted;
use net::drive::{Next, Server};
use net::tls::Summary;
use proto::smtp::Reply;
use proto::smtp::params::MailParams;
use proto::smtp::server::{Answer, Event};

use super::auth::Logins;
use super::counters::What;
use super::dispatch::SHOWN;
use super::filtering::{Filtering, Through};
use super::greeting;
use super::keywords::Keywords;
use super::pace::Pace;
use super::said::Said;
use super::service::Service;
use super::tally::Tally;
use super::transcript::Transcript;
use super::xforward::Forward;
use crate::house::Setup;
use crate::road::Receiving;

/// What is known of a client and its wishes. Small: thousands of them wait at a time.
pub(super) struct Session {
    pub service: Arc<Service>,
    pub setup: Arc<Setup>,
    pub peer: Peer,
    pub standing: Standing,
    pub transaction: Option<Box<Transaction>>,
    /// XFORWARD: who the client says it speaks for.
    pub forward: Option<Box<Forward>>,
    pub tls: Option<Box<Summary>>,
    /// The client was turned away when it connected: it hears this until it goes.
    pub denied: Option<Box<Reply>>,
    pub discarded: Keywords,
    pub tally: Tally,
    /// The last command, or where in a message the session is.
    pub stage: &'static str,
    /// Why the session ended, if not by QUIT.
    pub ended: Option<&'static str>,
    pub errors: i64,
    pub junk: i64,
    pub improper_pipelining: bool,
    pub may_xclient: bool,
    pub may_xforward: bool,
    /// No limits of numbers and rates hold for this client.
    pub unlimited: bool,
    pub stress: bool,
    /// Who the client is, is known by its connection, or from somebody we trust.
    pub vouched: bool,
    /// The address this connection is counted under: XCLIENT may change the peer's.
    pub counted: Option<Box<str>>,
    /// The size of the BDAT chunk under way.
    pub chunk: u64,
    /// Messages begun.
    pub messages: u32,
    /// What can be logged in with, and the login under way.
    pub logins: Logins,
    /// `sendmail -bs`: the user of this machine who speaks here.
    pub submitter: Option<u32>,
    /// The milters that follow the session.
    pub milters: Option<Box<filter::milter::Chain>>,
    /// Connections of this client, itself included.
    pub connections: u32,
    /// What was said, where the postmaster may want to read it.
    pub transcript: Option<Box<Transcript>>,
    /// All that is said is logged (`debug_peer_list`).
    pub watched: bool,
}

/// A message on its way, from MAIL on.
pub(super) struct Transaction {
    pub sender: Address,
    pub params: MailParams,
    pub arrival: jiff::Timestamp,
    pub instance: String,
    pub id: Option<QueueId>,
    pub recipients: Vec<Recipient>,
    /// Recipients beyond the limit.
    pub overshoot: i64,
    pub content: Content,
    /// Bytes of content so far.
    pub size: u64,
    /// The message goes through a filter and not into the queue.
    pub filtering: Option<Box<Filtering>>,
}

/// Where a message's content goes.
pub(super) enum Content {
    /// Nothing came yet.
    None,
    /// It is coming in.
    Coming {
        /// BDAT, not DATA.
        chunks: bool,
        /// The road, or why it is closed to this message.
        receiving: Box<Result<Receiving, mail::Refusal>>,
    },
    /// It goes through a filter.
    Filtered {
        /// BDAT, not DATA.
        chunks: bool,
        /// How.
        through: Through,
    },
}

impl Transaction {
    /// Did a BDAT come?
    pub fn in_chunks(&self) -> bool {
        matches!(self.content, Content::Coming { chunks: true, .. } | Content::Filtered { chunks: true, .. })
    }
}

/// Talks to one client until it is gone: somebody on the network, or a user of this machine (`submitter`).
pub(super) async fn run(service: Arc<Service>, accepted: Accepted, submitter: Option<u32>) {
    let Accepted { stream, peer, local, stress, place } = accepted;
    let Some((mut session, mut server)) =
        Box::pin(greeting::meet(service, stream, peer, local, stress)).await
    else {
        return;
    };
    session.submitter = submitter;
    session.talk(&mut server).await;
    Box::pin(session.leave_milters()).await;
    Box::pin(session.report()).await;
    session.farewell();
    drop(place);
}

impl Session {
    async fn talk(&mut self, server: &mut Server) {
        if !Box::pin(self.greet(server)).await {
            return;
        }
        loop {
            match server.next().await {
                Next::Event(Event::Command(line)) => {
                    // The client hears of its certificate in reply to a command, as it expects replies.
                    if let Some(reply) = self.unwanted_certificate() {
                        server.answer(Answer::Close(reply));
                        continue;
                    }
                    let login = self.logins.under_way();
                    self.heard(if login { b"(login)" } else { without_login(&line.bytes) });
                    let said = if login {
                        Box::pin(self.login_line(line)).await
                    } else {
                        let waiting = server.waiting();
                        let ahead = waiting[..waiting.len().min(SHOWN)].to_vec();
                        Box::pin(self.command(line, &ahead)).await
                    };
                    if self.transaction.is_none() {
                        server.forget_content();
                    }
                    if self.milters.is_some() {
                        Box::pin(self.settle_milters()).await;
                    }
                    self.say(server, said).await;
                    Box::pin(self.report_long_session()).await;
                }
                Next::Event(Event::Content(bytes)) => self.feed(bytes).await,
                Next::Event(Event::EndOfContent { last }) => {
                    let said = Box::pin(self.end_of_content(last)).await;
                    if self.milters.is_some() {
                        Box::pin(self.settle_milters()).await;
                    }
                    self.say(server, said).await;
                }
                Next::Event(Event::BareLf) => {
                    self.ended = Some("bare <LF> received");
                    let code = self.service.params.smtpd_forbid_bare_newline_reject_code;
                    let code = u16::try_from(code).unwrap_or(550);
                    let text = format!("{} Error: bare <LF> received", self.host());
                    self.say(server, Said::new(Answer::Close(Reply::new(code, (5, 2), text)), true)).await;
                }
                Next::Event(Event::TimedOut) => {
                    self.ended = Some("timeout");
                    let text = format!("{} Error: timeout exceeded", self.host());
                    server.answer(Answer::Close(Reply::new(421, (4, 2), text)));
                }
                Next::Event(Event::Lost) => self.ended = Some("lost connection"),
                Next::StartTls => {
                    if !Box::pin(self.shake_hands(server)).await || !Box::pin(self.prepare_logins()).await {
                        return;
                    }
                }
                Next::Closed => return,
            }
        }
    }

    /// Says it, slowly where the client made many errors, and ends the session where that is due.
    async fn say(&mut self, server: &mut Server, mut said: Said) {
        self.tarpit(server).await;
        let code = match said.reply_mut() {
            Some(reply) => {
                if self.setup.soft_bounce && reply.code >= 500 {
                    reply.code -= 100;
                }
                reply.code
            }
            None => 0,
        };
        if code >= 400 && self.service.judge.has_footer() {
            Box::pin(self.add_footer(&mut said)).await;
        }
        let ends = matches!(code, 421 | 521);
        let answer = match said.answer {
            Answer::Say(reply) if ends => Answer::Close(reply),
            answer => answer,
        };
        match &answer {
            Answer::Say(reply) | Answer::Close(reply) | Answer::Data(reply) => self.told(reply),
            Answer::SkipChunk { reply, .. } => self.told(reply),
            _ => {}
        }
        if let Some(transcript) = &mut self.transcript
            && !said.ok
        {
            transcript.trouble(said.trouble);
        }
        let closes = matches!(answer, Answer::Close(_) | Answer::HangUp);
        server.answer(answer);
        if !said.ok {
            self.errors += 1;
        }
        if !closes && self.errors >= self.pace().hard_error_limit {
            self.ended = Some("too many errors");
            self.offended("too many errors").await;
            self.tarpit(server).await;
            let reply = Reply::new(421, (7, 0), format!("{} Error: too many errors", self.host()));
            self.told(&reply);
            server.answer(Answer::Close(reply));
        }
    }

    /// Clients that make errors wait.
    async fn tarpit(&self, server: &mut Server) {
        let pause = self.service.params.smtpd_error_sleep_time;
        if self.errors >= self.service.params.smtpd_soft_error_limit && !pause.is_zero() {
            server.flush().await;
            tokio::time::sleep(pause).await;
        }
    }

    async fn add_footer(&mut self, said: &mut Said) {
        let Some(reply) = said.reply_mut() else { return };
        let mut text = Vec::new();
        reply.write(&mut text);
        let text = String::from_utf8_lossy(&text).trim_end().to_owned();
        let when = Footer { now: self.setup_now(), zone: self.service.zone.clone() };
        let facts = self.facts(self.stage);
        if let Some(footer) = self.service.judge.footer(&text, &facts, &when).await {
            *reply = reply.clone().with_footer(&footer);
        }
    }

    /// The last words in the log.
    fn farewell(&mut self) {
        if let Some(reason) = self.ended {
            let label = self.peer.label();
            let size = self.transaction.as_ref().map_or(0, |transaction| transaction.size);
            match self.stage {
                "" => {}
                "DATA content" => {
                    log::info!(target: self.program(), "{reason} after DATA ({size} bytes) from {label}");
                }
                "BDAT content" => {
                    log::info!(target: self.program(), "{reason} after BDAT ({size} bytes) from {label}");
                }
                // Clients that go after their last message without QUIT are no news.
                "END-OF-MESSAGE" if reason == "lost connection" => {}
                stage => log::info!(target: self.program(), "{reason} after {stage} from {label}"),
            }
        }
        log::info!(target: self.program(), "disconnect from {}{}", self.peer.label(), self.tally.line());
        greeting::release(self);
    }

    /// How patient we are with this client.
    pub fn pace(&self) -> &Pace {
        self.service.paces.of(self.stress)
    }

    /// The program as logged.
    pub fn program(&self) -> &str {
        &self.service.program
    }

    /// Our host name.
    pub fn host(&self) -> &str {
        &self.service.settings.myhostname
    }

    /// The time of day.
    pub fn setup_now(&self) -> jiff::Timestamp {
        self.service.house.now()
    }

    /// The argument of HELO or EHLO, once there is one.
    pub fn helo(&self) -> Option<&str> {
        helo(&self.peer)
    }

    /// What the judge needs to know.
    pub fn facts<'a>(&'a self, command: &'a str) -> Facts<'a> {
        facts(&self.peer, self.transaction.as_deref(), command, self.improper_pipelining)
    }

    /// Ends the message that is under way.
    pub fn forget_message(&mut self) {
        self.transaction = None;
        self.peer.client.sasl_sender.clear();
        self.standing.reset();
    }

    /// TLS, or XCLIENT: the client starts over.
    pub fn forget_helo(&mut self) {
        self.forget_message();
        self.standing.reset_helo();
        self.peer.client.helo.clear();
    }

    /// Counts an event against a limit: when it is exceeded, the count and the client's address.
    pub fn over_limit(&self, what: What, limit: i64) -> Option<(u32, String)> {
        if limit <= 0 || self.unlimited || self.may_xclient {
            return None;
        }
        let address = &self.peer.client.address;
        let span = self.service.rates.anvil_rate_time_unit;
        let count = self.service.counters.count(what, (&self.service.name, address), span, net::clock::now());
        (i64::from(count) > limit).then(|| (count, address.clone()))
    }
}

/// A command as the postmaster may read it: of AUTH the word alone.
fn without_login(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    match line.get(..4) {
        Some(word) if word.eq_ignore_ascii_case(b"AUTH") => word,
        _ => line,
    }
}

fn helo(peer: &Peer) -> Option<&str> {
    Some(peer.client.helo.as_str()).filter(|helo| !helo.is_empty())
}

/// What the judge needs to know; apart from [`Session`], so that its standing can change meanwhile.
pub(super) fn facts<'a>(
    peer: &'a Peer,
    transaction: Option<&'a Transaction>,
    command: &'a str,
    improper_pipelining: bool,
) -> Facts<'a> {
    let mut facts = Facts::at_connection(peer);
    facts.command = command;
    facts.helo = helo(peer);
    facts.improper_pipelining = improper_pipelining;
    if let Some(transaction) = transaction {
        facts.sender = Some(&transaction.sender);
        facts.recipient = transaction.recipients.first().map(|recipient| &recipient.original);
        facts.recipients = transaction.recipients.len();
        facts.size = transaction.params.size.unwrap_or(0);
        facts.id = transaction.id.as_ref();
        facts.instance = &transaction.instance;
        facts.smtputf8 = transaction.params.smtputf8;
    }
    facts
}

/// A name for a message that does not come again soon: policy servers tell deliveries apart by it.
pub(super) fn instance(process: u32, arrival: jiff::Timestamp, number: u32) -> String {
    let micros = arrival.subsec_nanosecond() / 1000;
    format!("{process:x}.{:x}.{micros:x}.{number:x}", arrival.as_second())
}
