//! From a line to the command that answers it.

use proto::smtp::server::{Answer, Line};
use proto::smtp::{Command, Reply, Token, Verb};

use super::said::Said;
use super::session::Session;

/// Most bytes of what a client sent ahead that are shown in the log.
pub(super) const SHOWN: usize = 300;

impl Session {
    /// Answers one command. `ahead` is the start of what the client sent without waiting for the answer.
    pub(super) async fn command(&mut self, line: Line, ahead: &[u8]) -> Said {
        if line.truncated {
            let start = String::from_utf8_lossy(&line.bytes[..line.bytes.len().min(30)]).into_owned();
            let start = without_secrets(&start);
            log::warn!(
                target: self.program(),
                "{}: request longer than {}: {}...",
                self.peer.label(), self.service.settings.line_limit, mail::logline::printable(start)
            );
        }
        let text = match String::from_utf8(line.bytes) {
            Ok(text) => text,
            Err(_) if self.service.settings.smtputf8 => {
                return Said::error(Reply::new(500, (5, 2), "Error: bad UTF-8 syntax"));
            }
            Err(wrong) => wrong.into_bytes().iter().map(|byte| char::from(*byte)).collect(),
        };
        let text = match self.filtered(text).await {
            Ok(text) => text,
            Err(said) => return said,
        };
        let command = Command::parse(&text);
        let Some(word) = command.tokens.first().map(|token| token.text()) else {
            return Said::error(Reply::new(500, (5, 2), "Error: bad syntax"));
        };
        if !self.service.lists.noop.is_empty() && self.matches(&self.service.lists.noop, word).await {
            self.junk();
            return Said::ok(Reply::new(250, (0, 0), "Ok"));
        }
        let verb = command.verb.filter(|verb| !matches!(verb, Verb::Help | Verb::Expn | Verb::Lhlo));
        self.tally.came(verb);
        let Some(verb) = verb else { return self.unknown(&command).await };
        if let Some(said) = self.not_now(verb) {
            return said;
        }
        self.stage = verb.name();
        self.note_pipelining(verb, ahead);
        if self.improper_pipelining && self.service.params.smtpd_forbid_unauth_pipelining {
            let reply = Reply::new(554, (5, 0), "Error: SMTP protocol synchronization");
            return Said::new(Answer::Close(reply), false);
        }
        let said = self.answer(verb, &command).await;
        if said.ok && !said.uncounted {
            self.tally.went_well(Some(verb));
        }
        if matches!(verb, Verb::Rset | Verb::Noop | Verb::Vrfy | Verb::Etrn) {
            self.junk();
        }
        said
    }

    async fn answer(&mut self, verb: Verb, command: &Command<'_>) -> Said {
        match verb {
            Verb::Helo => self.hello(command, false).await,
            Verb::Ehlo => self.hello(command, true).await,
            Verb::Mail => self.mail_from(command).await,
            Verb::Rcpt => self.rcpt_to(command).await,
            Verb::Data => self.data(command).await,
            Verb::Bdat => self.bdat(command).await,
            Verb::Rset => self.rset(command),
            Verb::Noop => Said::ok(Reply::new(250, (0, 0), "Ok")),
            Verb::Vrfy => self.vrfy(command).await,
            Verb::Etrn => self.etrn(command).await,
            Verb::Quit => Said::new(Answer::Close(Reply::new(221, (0, 0), "Bye")), true),
            Verb::StartTls => self.starttls(command),
            Verb::Auth => self.auth(command).await,
            Verb::Xclient => self.xclient(command).await,
            Verb::Xforward => self.xforward(command),
            Verb::Help | Verb::Expn | Verb::Lhlo => unreachable!("these are no commands of ours"),
        }
    }

    /// `smtpd_command_filter`: another command in the place of what came.
    async fn filtered(&self, text: String) -> Result<String, Said> {
        let filter = &self.service.lists.command_filter;
        if filter.is_empty() {
            return Ok(text);
        }
        match filter.find(text.trim_start_matches([' ', '\t'])).await {
            Ok(Some(found)) => {
                log::info!(
                    target: self.program(),
                    "{}: replacing client command \"{}\" with \"{}\"",
                    self.peer.label(), mail::logline::printable(without_secrets(&text)),
                    mail::logline::printable(without_secrets(&found.value))
                );
                Ok(found.value)
            }
            Ok(None) => Ok(text),
            Err(trouble) => {
                log::warn!(target: self.program(), "{trouble}");
                let reply = Reply::new(421, (3, 0), format!("{} Server local error", self.host()));
                Err(Said::new(Answer::Close(reply), false))
            }
        }
    }

    async fn matches(&self, list: &tables::List, word: &str) -> bool {
        list.matches(word).await.unwrap_or_else(|trouble| {
            log::warn!(target: self.program(), "{}: {trouble}", list.parameter());
            false
        })
    }

    async fn unknown(&mut self, command: &Command<'_>) -> Said {
        self.stage = "UNKNOWN";
        let word = command.tokens.first().map_or("", |token| Token::text(*token));
        let header = mail::header::name_end(word.as_bytes()).is_some();
        if header || self.matches(&self.service.lists.forbidden, word).await {
            let shown: String = command.line.chars().take(100).collect();
            log::warn!(
                target: self.program(),
                "non-SMTP command from {}: {}", self.peer.label(), mail::logline::printable(&shown)
            );
            self.offended("another protocol than SMTP").await;
            let reply = Reply::new(221, (7, 0), "Error: I can break rules, too. Goodbye.");
            return Said::new(Answer::Close(reply), true);
        }
        if let Some(said) = self.turned_away() {
            return said;
        }
        if let Some(reply) = self.tell_unknown(word).await {
            return Said::error(reply);
        }
        Said::error(Reply::new(500, (5, 2), "Error: command not recognized"))
    }

    /// A client that was turned away hears nothing else, until it goes.
    fn turned_away(&self) -> Option<Said> {
        self.denied.as_ref()?;
        let text = format!("Error: access denied for {}", self.peer.label());
        Some(Said::error(Reply::new(503, (7, 0), text)))
    }

    /// Commands that are not for this client, or not in clear.
    fn not_now(&self, verb: Verb) -> Option<Said> {
        if verb != Verb::Quit
            && let Some(said) = self.turned_away()
        {
            return Some(said);
        }
        let in_clear = matches!(verb, Verb::Helo | Verb::Ehlo | Verb::StartTls | Verb::Noop | Verb::Quit);
        if self.service.encryption.enforced && self.tls.is_none() && !in_clear {
            return Some(Said::error(Reply::new(530, (7, 0), "Must issue a STARTTLS command first")));
        }
        None
    }

    /// RFC 2920: what may come before our answer, and after which commands nothing may.
    fn note_pipelining(&mut self, verb: Verb, ahead: &[u8]) {
        let last = matches!(
            verb,
            Verb::Helo | Verb::Ehlo | Verb::Data | Verb::Noop | Verb::Vrfy | Verb::StartTls | Verb::Auth
        );
        if self.submitter.is_some() {
            // Programs that write a whole session to `sendmail -bs` do no harm by it.
            return;
        }
        let extended = self.peer.client.protocol == "ESMTP";
        if ahead.is_empty() || self.improper_pipelining || (extended && !last) {
            return;
        }
        // What is sent ahead of a login's questions are its secrets.
        let shown = match verb {
            Verb::Auth => "(not shown)".to_owned(),
            _ => ahead.escape_ascii().to_string(),
        };
        log::info!(
            target: self.program(),
            "improper command pipelining after {} from {}: {shown}", verb.name(), self.peer.label()
        );
        self.improper_pipelining = true;
    }

    /// Counts a command that moves nothing; too many of them are errors.
    fn junk(&mut self) {
        if self.junk > self.pace().junk_command_limit {
            self.errors += 1;
        }
        self.junk += 1;
    }
}

/// A command as it may be logged: of AUTH the word alone.
fn without_secrets(command: &str) -> &str {
    let command = command.trim_start_matches([' ', '\t']);
    match command.get(..4) {
        Some(word) if word.eq_ignore_ascii_case("AUTH") => word,
        _ => command,
    }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn no_login_is_logged() {
        assert_eq!(without_secrets(" auth PLAIN AGpvZQBzZWNyZXQ="), "auth");
        assert_eq!(without_secrets("RCPT TO:<auth@y>"), "RCPT TO:<auth@y>");
    }
}
