//! One session: the order of commands, and what they are answered. RFC 2033, RFC 3030, RFC 6531.

use std::sync::Arc;
use std::time::Duration;

use mail::Address;
use mail::logline::printable;
use net::Accepted;
use net::drive::{Next, Server};
use people::Facts;
use proto::smtp::params::{Accepts, MailParams, RcptParams};
use proto::smtp::server::{Answer, Event, Line, Settings};
use proto::smtp::{Command, Reply, Token, Verb, path};

use super::Service;
use super::deliver::Message;
use super::recipient::Recipient;

/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Commands in a row that may be wrong.
const MISTAKES: u32 = 20;

struct Session {
    service: Arc<Service>,
    facts: Facts,
    id: String,
    /// What LHLO said.
    name: Option<String>,
    sender: Option<Address>,
    recipients: Vec<Recipient>,
    content: Vec<u8>,
    too_large: bool,
    /// A BDAT came: no DATA may follow.
    chunks: bool,
    mistakes: u32,
}

/// Talks to one client until it is gone.
pub async fn run(service: Arc<Service>, accepted: Accepted) {
    let Accepted { stream, peer, local, place, .. } = accepted;
    let facts = Facts::of_session("lmtp", local, peer);
    let settings = Settings {
        line_limit: service.line_limit,
        timeout: service.params.lmtpd_timeout,
        ..Settings::default()
    };
    let mut server = Server::new(stream, settings);
    let from = peer.map_or_else(|| "local".to_owned(), |peer| peer.ip().to_string());
    log::info!(target: "=dovecot", "lmtp({}): Connect from {from}", std::process::id());
    server.answer(Answer::Say(Reply::plain(220, format!("{} {}", service.myhostname, service.greeting))));
    let mut session = Session {
        service,
        facts,
        id: imap::session_id(),
        name: None,
        sender: None,
        recipients: Vec::new(),
        content: Vec::new(),
        too_large: false,
        chunks: false,
        mistakes: 0,
    };
    let why = session.talk(&mut server).await;
    log::info!(target: "=dovecot", "lmtp({}): Disconnect from {from}: {why}", std::process::id());
    drop(place);
}

impl Session {
    async fn talk(&mut self, server: &mut Server) -> &'static str {
        let mut why = "Connection closed";
        loop {
            let answer = match server.next().await {
                Next::Event(Event::Command(line)) => self.command(&line).await,
                Next::Event(Event::Content(bytes)) => {
                    self.take(bytes);
                    continue;
                }
                Next::Event(Event::EndOfContent { last }) => self.end_of_content(last).await,
                Next::Event(Event::BareLf) => Answer::Close(Reply::new(521, (5, 2), "Bare LF received")),
                Next::Event(Event::TimedOut) => {
                    why = "Disconnected for inactivity";
                    Answer::Close(Reply::new(421, (4, 2), format!("{} {why}.", self.service.myhostname)))
                }
                Next::StartTls => {
                    if !Box::pin(self.shake_hands(server)).await {
                        return "TLS handshaking failed";
                    }
                    continue;
                }
                Next::Event(Event::Lost) => return why,
                Next::Closed => return why,
            };
            if let Answer::Close(reply) = &answer
                && reply.code == 221
            {
                why = "Logged out (state=READY)";
            }
            if self.sender.is_none() {
                server.forget_content();
            }
            server.answer(answer);
        }
    }

    async fn command(&mut self, line: &Line) -> Answer {
        let text = String::from_utf8_lossy(&line.bytes);
        let command = Command::parse(&text);
        let said = match command.verb {
            _ if line.truncated => Err(Reply::new(500, (5, 2), "Line too long")),
            Some(Verb::Lhlo) => self.lhlo(&command),
            Some(Verb::StartTls) => self.starttls(&command),
            Some(Verb::Mail) => self.mail(&command),
            Some(Verb::Rcpt) => self.rcpt(&command).await,
            Some(Verb::Data) => self.data(&command),
            Some(Verb::Bdat) => self.bdat(&command),
            Some(Verb::Rset) => {
                self.reset();
                Ok(Answer::Say(Reply::new(250, (0, 0), "OK")))
            }
            Some(Verb::Noop) => Ok(Answer::Say(Reply::new(250, (0, 0), "OK"))),
            Some(Verb::Vrfy) => Ok(Answer::Say(Reply::new(252, (3, 3), "Try RCPT instead"))),
            Some(Verb::Quit) => Ok(Answer::Close(Reply::new(221, (0, 0), "Bye"))),
            Some(Verb::Ehlo | Verb::Helo) => Err(Reply::new(500, (5, 1), "This is an LMTP server, not SMTP")),
            _ => Err(Reply::new(502, (5, 2), "Unknown command")),
        };
        match said {
            Ok(answer) => {
                self.mistakes = 0;
                answer
            }
            Err(reply) => {
                self.mistakes += 1;
                match self.mistakes > MISTAKES {
                    true => Answer::Close(Reply::new(421, (7, 0), "Too many invalid commands")),
                    false => Answer::Say(reply),
                }
            }
        }
    }

    fn lhlo(&mut self, command: &Command<'_>) -> Result<Answer, Reply> {
        if command.args().is_empty() {
            return Err(Reply::new(501, (5, 4), "Missing argument"));
        }
        self.reset();
        self.name = Some(printable(command.rest()).to_string());
        let host = &self.service.myhostname;
        let size = self.service.size_limit;
        let tls = if self.service.tls.is_some() && !self.facts.tls { "STARTTLS\n" } else { "" };
        let words = "8BITMIME\nCHUNKING\nENHANCEDSTATUSCODES\nPIPELINING\nSMTPUTF8\n";
        Ok(Answer::Say(Reply::plain(250, format!("{host}\nSIZE {size}\n{words}{tls}VRFY"))))
    }

    fn starttls(&mut self, command: &Command<'_>) -> Result<Answer, Reply> {
        if self.service.tls.is_none() {
            return Err(Reply::new(502, (5, 1), "TLS support isn't enabled"));
        }
        if self.facts.tls {
            return Err(Reply::new(443, (5, 1), "TLS is already active"));
        }
        if !command.args().is_empty() {
            return Err(Reply::new(501, (5, 4), "No parameters allowed"));
        }
        Ok(Answer::StartTls(Reply::new(220, (0, 0), "Begin TLS negotiation now.")))
    }

    /// The handshake; nothing that was said before it counts.
    async fn shake_hands(&mut self, server: &mut Server) -> bool {
        let Some(tls) = &self.service.tls else { return false };
        if server.start_tls(tls, HANDSHAKE).await.is_err() {
            return false;
        }
        self.facts.tls = true;
        self.name = None;
        self.reset();
        true
    }

    fn mail(&mut self, command: &Command<'_>) -> Result<Answer, Reply> {
        if self.name.is_none() {
            return Err(Reply::new(503, (5, 1), "LHLO needed first"));
        }
        if self.sender.is_some() {
            return Err(Reply::new(503, (5, 1), "MAIL already given"));
        }
        let Some((token, rest)) = command.path_and_params("FROM:") else {
            return Err(Reply::new(501, (5, 4), "Invalid FROM: parameter"));
        };
        let sender = address(token).ok_or_else(|| Reply::new(501, (1, 7), "Invalid FROM: address"))?;
        let params = MailParams::parse(rest, accepts())?;
        if params.size.is_some_and(|size| size > self.service.size_limit as u64) {
            return Err(Reply::new(552, (3, 4), "Message size exceeds fixed limit"));
        }
        self.sender = Some(sender);
        Ok(Answer::Say(Reply::new(250, (1, 0), "OK")))
    }

    async fn rcpt(&mut self, command: &Command<'_>) -> Result<Answer, Reply> {
        if self.sender.is_none() {
            return Err(Reply::new(503, (5, 1), "MAIL needed first"));
        }
        let Some((token, rest)) = command.path_and_params("TO:") else {
            return Err(Reply::new(501, (5, 4), "Invalid TO: parameter"));
        };
        let to = address(token).filter(|address| !address.is_null());
        let to = to.ok_or_else(|| Reply::new(501, (1, 3), "Invalid TO: address"))?;
        RcptParams::parse(rest, accepts())?;
        let most = usize::try_from(self.service.params.lmtpd_recipient_limit).unwrap_or(usize::MAX);
        if self.recipients.len() >= most {
            return Ok(Answer::Say(Reply::new(452, (5, 3), "Too many recipients")));
        }
        // A recipient who is not here is no mistake of the client.
        Ok(match self.service.recipient(to, &self.facts).await {
            Ok(recipient) => {
                self.recipients.push(recipient);
                Answer::Say(Reply::new(250, (1, 5), "OK"))
            }
            Err(reply) => Answer::Say(reply),
        })
    }

    /// Why no content may come now.
    fn unready(&self) -> Option<Reply> {
        match (&self.sender, self.recipients.is_empty()) {
            (None, _) => Some(Reply::new(503, (5, 1), "MAIL needed first")),
            (Some(_), true) => Some(Reply::new(554, (5, 1), "No valid recipients")),
            (Some(_), false) => None,
        }
    }

    fn data(&mut self, command: &Command<'_>) -> Result<Answer, Reply> {
        if self.chunks {
            return Err(Reply::new(503, (5, 1), "DATA after BDAT is not allowed"));
        }
        if !command.args().is_empty() {
            return Err(Reply::new(501, (5, 4), "Unexpected parameters"));
        }
        match self.unready() {
            Some(reply) => Err(reply),
            None => Ok(Answer::Data(Reply::plain(354, "OK"))),
        }
    }

    fn bdat(&mut self, command: &Command<'_>) -> Result<Answer, Reply> {
        let (size, last) = match command.args() {
            [size] => (size, false),
            [size, last] if last.is("LAST") => (size, true),
            _ => return Err(Reply::new(501, (5, 4), "Invalid chunk size parameter")),
        };
        let size =
            size.text().parse().map_err(|_| Reply::new(501, (5, 4), "Invalid chunk size parameter"))?;
        // The chunk comes in any case: it must not be taken for commands.
        if let Some(reply) = self.unready() {
            return Ok(Answer::SkipChunk { size, reply });
        }
        self.chunks = true;
        Ok(Answer::Chunk { size, last })
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.content.len() + bytes.len() > self.service.size_limit {
            self.too_large = true;
            self.content = Vec::new();
        }
        if !self.too_large {
            self.content.extend_from_slice(bytes);
        }
    }

    async fn end_of_content(&mut self, last: bool) -> Answer {
        if !last {
            return Answer::Say(Reply::new(250, (0, 0), "OK"));
        }
        let (content, recipients) = (std::mem::take(&mut self.content), std::mem::take(&mut self.recipients));
        let too_large = self.too_large;
        let sender = self.sender.take().unwrap_or_default();
        self.reset();
        if too_large {
            let reply = Reply::new(552, (3, 4), "Message size exceeds fixed limit");
            return Answer::Each(vec![reply; recipients.len()]);
        }
        let name = self.name.as_deref().unwrap_or("unknown");
        let client = match self.facts.remote {
            Some(remote) => format!("{name} ([{remote}])"),
            None => name.to_owned(),
        };
        let message = Message { sender, content, client, session: self.id.clone() };
        Answer::Each(self.service.deliver(message, recipients).await)
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients = Vec::new();
        self.content = Vec::new();
        self.too_large = false;
        self.chunks = false;
    }
}

/// A path, or a bare word, as mail servers behind us write them.
fn address(token: Token<'_>) -> Option<Address> {
    path::address(token, false).ok()
}

/// Notices are the client's business: it does not offer DSN.
fn accepts() -> Accepts {
    Accepts { dsn: false, auth: false, ..Accepts::default() }
}
