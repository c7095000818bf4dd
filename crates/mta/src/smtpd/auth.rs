//! AUTH (RFC 4954): the conversation. Who checks logins is for an [`Authenticator`] to know.

use std::sync::Arc;

use filter::{Boxed, Peer};
use mail::logline::printable;
use proto::smtp::server::{Answer, Line};
use proto::smtp::{Command, Reply, Verb};

use super::counters::What;
use super::said::Said;
use super::session::Session;

/// What the client hears of a server that went away.
const LOST: &str = "Connection lost to authentication server";

/// Checks logins: a server of Dovecot's protocol.
pub(super) trait Authenticator: Send + Sync {
    /// The mechanisms offered in a session like this one, divided by blanks. `None` when there can be no login at
    /// all: the log says why, and the session must not begin.
    fn mechanisms<'a>(&'a self, peer: &'a Peer) -> Boxed<'a, Option<String>>;

    /// Begins a login. `initial` is the initial response as it came, in base64.
    fn begin<'a>(
        self: Arc<Self>,
        peer: &'a Peer,
        mechanism: &'a str,
        initial: Option<&'a str>,
    ) -> Boxed<'a, Progress>;
}

/// A login under way.
pub(super) trait Exchange: Send + Sync {
    /// The client's next line, in base64.
    fn answer<'a>(self: Box<Self>, line: &'a str) -> Boxed<'a, Progress>;

    /// There is no next line.
    fn give_up<'a>(self: Box<Self>) -> Boxed<'a, ()>;
}

/// Who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    /// The name.
    pub username: String,
}

/// Why somebody did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In words, for client and log.
    pub why: String,
    /// Who was named, when that is known.
    pub username: Option<String>,
}

impl Failure {
    /// Of somebody unknown.
    pub fn of(why: &str) -> Failure {
        Failure { why: why.to_owned(), username: None }
    }
}

/// Where a login stands.
pub(super) enum Progress {
    /// The client is asked this, in base64.
    Ask(Box<dyn Exchange>, String),
    /// It succeeded.
    Done(Login),
    /// It failed.
    Failed(Failure),
    /// It could not be found out, and why.
    Trouble(String),
    /// The server went away, or made no sense.
    Lost,
}

/// What logins are in one session.
#[derive(Default)]
pub(super) struct Logins {
    /// The mechanisms to announce; `None` while nobody can log in.
    offered: Option<String>,
    /// The conversation under way.
    dialogue: Option<Box<Dialogue>>,
    /// The server went away over the last login.
    lost: bool,
}

struct Dialogue {
    mechanism: String,
    exchange: Box<dyn Exchange>,
}

impl Logins {
    /// Can anybody log in here and now?
    pub fn are_possible(&self) -> bool {
        self.offered.is_some()
    }

    /// Is the next line part of a login?
    pub fn under_way(&self) -> bool {
        self.dialogue.is_some()
    }
}

impl Session {
    /// Asks the server what it can do: when the session begins, and again under TLS. False when logins are asked
    /// for and cannot be: the session does not go on, as Postfix has it.
    pub(super) async fn prepare_logins(&mut self) -> bool {
        self.logins = Logins::default();
        let service = self.service.clone();
        let Some(authenticator) = &service.authenticator else { return true };
        if self.tls.is_none() && (service.sasl.smtpd_tls_auth_only || service.encryption.enforced) {
            return true;
        }
        self.logins.offered = authenticator.mechanisms(&self.peer).await;
        if self.logins.offered.is_none() {
            log::error!(target: self.program(), "fatal: no SASL authentication mechanisms");
        }
        self.logins.are_possible()
    }

    /// The mechanisms to announce.
    pub(super) async fn mechanisms(&self) -> Option<&str> {
        let offered = self.logins.offered.as_deref().filter(|offered| !offered.is_empty())?;
        (!self.peer_is_excepted().await).then_some(offered)
    }

    /// Does the client hear of no logins? One that tries nevertheless may, as Postfix has it.
    async fn peer_is_excepted(&self) -> bool {
        let list = &self.service.lists.no_logins;
        match self.peer.ip {
            Some(ip) if !list.is_empty() => {
                list.matches_host(&self.peer.client.name, ip).await.unwrap_or_else(|trouble| {
                    log::warn!(target: self.program(), "{}: {trouble}", list.parameter());
                    true
                })
            }
            _ => false,
        }
    }

    /// AUTH.
    pub(super) async fn auth(&mut self, command: &Command<'_>) -> Said {
        let error = |code, detail, text: &'static str| Said::error(Reply::new(code, detail, text));
        let possible = self.logins.are_possible() && !self.discarded.has("auth");
        let Some(authenticator) = self.service.authenticator.clone().filter(|_| possible) else {
            return error(503, (5, 1), "Error: authentication not enabled");
        };
        if self.transaction.is_some() {
            return error(503, (5, 1), "Error: MAIL transaction in progress");
        }
        if !self.peer.client.sasl_username.is_empty() {
            return error(503, (5, 1), "Error: already authenticated");
        }
        let (mechanism, initial) = match command.args() {
            [mechanism] => (mechanism.text(), None),
            [mechanism, initial] => (mechanism.text(), Some(initial.text())),
            _ => return error(501, (5, 4), "Syntax: AUTH mechanism"),
        };
        if let Some(said) = self.too_many_logins() {
            return said;
        }
        let progress = if std::mem::take(&mut self.logins.lost) {
            // Postfix finds out only now; and a login that takes the server down is not repeated at once.
            Progress::Trouble(LOST.to_owned())
        } else if initial.is_some_and(|initial| !is_base64(initial)) {
            Progress::Failed(Failure::of("Invalid base64 data in initial response"))
        } else {
            authenticator.begin(&self.peer, mechanism, initial).await
        };
        self.go_on(mechanism.to_owned(), progress).await
    }

    fn too_many_logins(&self) -> Option<Said> {
        let (count, address) =
            self.over_limit(What::Logins, self.service.rates.smtpd_client_auth_rate_limit)?;
        log::warn!(
            target: self.program(),
            "SMTP AUTH limit exceeded: {count} from {} for service {}", self.peer.label(), self.service.name
        );
        let text = format!("Error: too many AUTH commands from {address}");
        Some(Said::error(Reply::new(450, (7, 1), text)))
    }

    /// A line of the conversation.
    pub(super) async fn login_line(&mut self, line: Line) -> Said {
        let Some(dialogue) = self.logins.dialogue.take() else {
            return Said::error(Reply::new(500, (5, 2), "Error: bad syntax"));
        };
        let Dialogue { mechanism, exchange } = *dialogue;
        if line.truncated {
            exchange.give_up().await;
            return Said::error(Reply::new(500, (5, 6), "SASL response limit exceeded"));
        }
        let text = String::from_utf8_lossy(&line.bytes);
        if text == "*" {
            exchange.give_up().await;
            let label = self.peer.label();
            log::warn!(target: self.program(), "{label}: SASL {} authentication aborted", printable(&mechanism));
            return Said::error(Reply::new(501, (7, 0), "Authentication aborted"));
        }
        let progress = if is_base64(&text) {
            exchange.answer(&text).await
        } else {
            exchange.give_up().await;
            Progress::Failed(Failure::of("Invalid base64 data in continued response"))
        };
        let said = self.go_on(mechanism, progress).await;
        if said.ok && !said.uncounted {
            self.tally.went_well(Some(Verb::Auth));
        }
        said
    }

    async fn go_on(&mut self, mechanism: String, progress: Progress) -> Said {
        let progress = self.watched(progress).await;
        let (exchange, question) = match progress {
            Progress::Ask(exchange, question) => (exchange, question),
            Progress::Done(login) => {
                self.peer.client.sasl_username = login.username;
                self.peer.client.sasl_method = mechanism;
                return Said::ok(Reply::new(235, (7, 0), "Authentication successful"));
            }
            Progress::Failed(failure) => {
                self.log_failure(&mechanism, &failure);
                let text = format!("Error: authentication failed: {}", failure.why);
                return Said::error(Reply::new(535, (7, 8), text));
            }
            Progress::Trouble(why) => return self.no_answer(&mechanism, &why),
            Progress::Lost => {
                self.logins.lost = true;
                return self.no_answer(&mechanism, LOST);
            }
        };
        self.logins.dialogue = Some(Box::new(Dialogue { mechanism, exchange }));
        let mut said = Said::new(Answer::Ask(Reply::plain(334, question)), true);
        said.uncounted = true;
        said
    }

    fn no_answer(&self, mechanism: &str, why: &str) -> Said {
        self.log_failure(mechanism, &Failure::of(why));
        Said::error(Reply::new(454, (7, 0), format!("Temporary authentication failure: {why}")))
    }

    fn log_failure(&self, mechanism: &str, failure: &Failure) {
        log::warn!(
            target: self.program(),
            "{}: SASL {} authentication failed: {}, sasl_username={}",
            self.peer.label(), printable(mechanism), printable(&failure.why),
            printable(failure.username.as_deref().unwrap_or("(unavailable)"))
        );
    }
}

/// Could it be base64? What it decodes to is for the server to know.
fn is_base64(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}
