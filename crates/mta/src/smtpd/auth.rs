//! AUTH (RFC 4954): the conversation. Who checks logins is for an [`Authenticator`] to know.

use std::sync::Arc;

use filter::{Boxed, Peer};
use proto::smtp::server::{Answer, Line};
use proto::smtp::{Command, Reply};

use super::counters::What;
use super::said::Said;
use super::session::Session;

/// Checks logins: a server of Dovecot's protocol, or our own accounts.
pub trait Authenticator: Send + Sync {
    /// The mechanisms offered to this client, divided by blanks; `None` when it is offered none.
    fn mechanisms<'a>(&'a self, peer: &'a Peer) -> Boxed<'a, Option<String>>;

    /// Begins a login. `initial` is the initial response as it came, in base64.
    fn begin<'a>(
        &'a self,
        peer: &'a Peer,
        mechanism: &'a str,
        initial: Option<&'a str>,
    ) -> Boxed<'a, Progress>;
}

/// A login under way.
pub trait Exchange: Send + Sync {
    /// The client's next line, in base64.
    fn answer<'a>(&'a mut self, line: &'a str) -> Boxed<'a, Progress>;
}

/// Who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
}

/// Where a login stands.
pub enum Progress {
    /// The client is asked this, in base64.
    Ask(Box<dyn Exchange>, String),
    /// The same conversation goes on with this question, in base64.
    Again(String),
    /// It succeeded.
    Done(Login),
    /// It failed; why is for the log alone.
    Failed(String),
    /// It could not be found out.
    Trouble(String),
}

/// The conversation of a session.
pub(super) struct Dialogue {
    mechanism: String,
    exchange: Box<dyn Exchange>,
}

impl Session {
    /// The mechanisms to announce.
    pub(super) async fn mechanisms(&self) -> Option<String> {
        let in_clear = self.service.sasl.smtpd_tls_auth_only && self.tls.is_none();
        if in_clear || self.peer_is_excepted().await {
            return None;
        }
        self.authenticator()?.mechanisms(&self.peer).await
    }

    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        let service = &self.service;
        service.authenticator.clone().filter(|_| service.sasl.smtpd_sasl_auth_enable)
    }

    async fn peer_is_excepted(&self) -> bool {
        let list = &self.service.lists.no_logins;
        match self.peer.ip {
            Some(ip) if !list.is_empty() => {
                list.matches_host(&self.peer.client.name, ip).await.unwrap_or(false)
            }
            _ => false,
        }
    }

    /// AUTH.
    pub(super) async fn auth(&mut self, command: &Command<'_>) -> Said {
        let error = |code, detail, text: &'static str| Said::error(Reply::new(code, detail, text));
        let Some(authenticator) = self.authenticator() else {
            return error(503, (5, 1), "Error: authentication not enabled");
        };
        if self.transaction.is_some() {
            return error(503, (5, 1), "Error: MAIL transaction in progress");
        }
        if self.service.sasl.smtpd_tls_auth_only && self.tls.is_none() {
            return error(538, (7, 0), "Encryption required for requested authentication mechanism");
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
        let mechanism = mechanism.to_ascii_uppercase();
        let progress = authenticator.begin(&self.peer, &mechanism, initial).await;
        self.go_on(mechanism, None, progress)
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
        let Some(dialogue) = self.login.take() else {
            return Said::error(Reply::new(500, (5, 2), "Error: bad syntax"));
        };
        let Dialogue { mechanism, mut exchange } = *dialogue;
        let text = String::from_utf8_lossy(&line.bytes).into_owned();
        let progress = match text.trim() {
            "*" => return Said::error(Reply::new(501, (7, 0), "Authentication aborted")),
            text => exchange.answer(text).await,
        };
        self.go_on(mechanism, Some(exchange), progress)
    }

    fn go_on(&mut self, mechanism: String, exchange: Option<Box<dyn Exchange>>, progress: Progress) -> Said {
        let (exchange, question) = match (progress, exchange) {
            (Progress::Ask(exchange, question), _) => (exchange, question),
            (Progress::Again(question), Some(exchange)) => (exchange, question),
            (Progress::Done(login), _) => {
                self.peer.client.sasl_username = login.username;
                self.peer.client.sasl_method = mechanism;
                let mut said = Said::ok(Reply::new(235, (7, 0), "Authentication successful"));
                said.uncounted = false;
                return said;
            }
            (Progress::Failed(why), _) => {
                self.log_failure(&mechanism, &why);
                let text = format!("Error: authentication failed: {why}");
                return Said::error(Reply::new(535, (7, 8), text));
            }
            (Progress::Trouble(why), _) => {
                self.log_failure(&mechanism, &why);
                return Said::error(Reply::new(454, (7, 0), "Temporary authentication failure"));
            }
            (Progress::Again(_), None) => {
                return Said::error(Reply::new(454, (7, 0), "Temporary authentication failure"));
            }
        };
        self.login = Some(Box::new(Dialogue { mechanism, exchange }));
        let mut said = Said::new(Answer::Ask(Reply::plain(334, question)), true);
        said.uncounted = true;
        said
    }

    fn log_failure(&self, mechanism: &str, why: &str) {
        log::warn!(
            target: self.program(),
            "{}: SASL {} authentication failed: {}",
            self.peer.label(), mail::logline::printable(mechanism), mail::logline::printable(why)
        );
    }
}
