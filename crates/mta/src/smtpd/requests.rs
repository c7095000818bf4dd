//! RSET, VRFY and ETRN.

use filter::{Stage, Verdict};
use mail::Refusal;
use proto::smtp::{Command, Reply, Token, path};
use queue::Flush;

use super::said::Said;
use super::session::{Session, facts};

impl Session {
    /// RSET.
    pub(super) fn rset(&mut self, command: &Command<'_>) -> Said {
        if !command.args().is_empty() {
            return Said::error(Reply::new(501, (5, 4), "Syntax: RSET"));
        }
        self.forget_message();
        Said::ok(Reply::new(250, (0, 0), "Ok"))
    }

    /// VRFY: says no more than RCPT would.
    pub(super) async fn vrfy(&mut self, command: &Command<'_>) -> Said {
        if self.service.params.disable_vrfy_command {
            return Said::error(Reply::new(502, (5, 1), "VRFY command is disabled"));
        }
        let mut tokens = command.args();
        let mut utf8 = false;
        if self.service.settings.smtputf8
            && let [before @ .., last] = tokens
            && !before.is_empty()
            && last.is("SMTPUTF8")
        {
            (tokens, utf8) = (before, true);
        }
        let token = match tokens {
            [] => {
                let option = if self.service.settings.smtputf8 { " [SMTPUTF8]" } else { "" };
                return Said::error(Reply::new(501, (5, 4), format!("Syntax: VRFY address{option}")));
            }
            [token] => *token,
            // Several words are no address: they are refused with the words they are.
            _ => Token::Word(command.rest()),
        };
        let wrong = || Reply::new(501, (1, 3), "Bad recipient address syntax");
        let address = match self.address(token, "VRFY", utf8, wrong).await {
            Ok(address) if address.is_null() || tokens.len() > 1 => {
                self.warn_of_address(token, "VRFY");
                return Said::error(wrong());
            }
            Ok(address) => address,
            Err(said) => return said,
        };
        if !self.is_prober(&address) {
            let mut trail = self.trail();
            let mut facts = facts(&self.peer, self.transaction.as_deref(), "VRFY", self.improper_pipelining);
            facts.recipient = Some(&address);
            // A question leaves no order behind: what it is judged with is thrown away.
            let mut standing = self.standing.clone();
            let verdict = self.service.judge.judge(Stage::Recipient, &facts, &mut standing, &mut trail).await;
            if let Verdict::Refuse(refusal) = verdict {
                return self.refused(&refusal, &facts);
            }
        }
        // As it stands on the line, brackets included.
        Said::ok(Reply::new(252, (0, 0), mail::logline::printable(token.text())))
    }

    /// ETRN (RFC 1985).
    pub(super) async fn etrn(&mut self, command: &Command<'_>) -> Said {
        if self.submitter.is_some() {
            log::warn!(target: self.program(), "do not use ETRN in \"sendmail -bs\" mode");
            return Said::error(Reply::plain(458, "Unable to queue messages"));
        }
        if self.transaction.is_some() {
            return Said::error(Reply::plain(503, "Error: MAIL transaction in progress"));
        }
        let [site] = command.args() else {
            return Said::error(Reply::plain(500, "Syntax: ETRN domain"));
        };
        let site = site.text();
        let site = site.strip_prefix(['@', '#']).unwrap_or(site);
        let valid = path::is_hostname(site) || path::is_address_literal(site);
        if !valid {
            return Said::error(Reply::plain(501, "Error: invalid parameter syntax"));
        }
        let verdict = {
            let mut trail = self.trail();
            let mut facts = facts(&self.peer, None, "ETRN", self.improper_pipelining);
            facts.etrn = Some(site);
            let mut standing = self.standing.clone();
            self.service.judge.judge(Stage::Etrn, &facts, &mut standing, &mut trail).await
        };
        if let Verdict::Refuse(refusal) = verdict {
            let mut facts = self.facts("ETRN");
            facts.etrn = Some(site);
            return self.refused(&refusal, &facts);
        }
        match self.service.lists.flush.matches(site).await {
            Ok(true) => {
                self.service.house.queue.flush(Flush::Site(site.to_owned()));
                Said::ok(Reply::plain(250, "Queuing started"))
            }
            Ok(false) => {
                let shown: String = site.chars().take(100).collect();
                log::warn!(
                    target: self.program(),
                    "reject: ETRN {}... from {}", mail::logline::printable(&shown), self.peer.label()
                );
                Said::error(Reply::plain(459, format!("<{site}>: service unavailable")))
            }
            Err(trouble) => {
                log::warn!(target: self.program(), "{}", Refusal::from(trouble).log_text());
                Said::error(Reply::plain(458, "Unable to queue messages"))
            }
        }
    }
}
