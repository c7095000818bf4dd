//! RCPT TO: who gets the message.

use filter::{Stage, Verdict};
use mail::Recipient;
use proto::smtp::params::RcptParams;
use proto::smtp::{Command, Reply, Token};

use super::counters::What;
use super::said::Said;
use super::session::{Session, facts};

/// The original recipient (RFC 3461 4.2) of a client that names none: what it wrote.
fn original_recipient(token: Token<'_>) -> String {
    let text = token.text();
    let text = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    format!("rfc822;{text}")
}

impl Session {
    /// RCPT.
    pub(super) async fn rcpt_to(&mut self, command: &Command<'_>) -> Said {
        let Some(transaction) = &self.transaction else {
            return Said::error(Reply::new(503, (5, 1), "Error: need MAIL command"));
        };
        if transaction.in_chunks() {
            return Said::error(Reply::new(503, (5, 1), "Error: RCPT after BDAT"));
        }
        let utf8 = transaction.params.smtputf8;
        let Some((token, tokens)) = command.path_and_params("TO:") else {
            return Said::error(Reply::new(501, (5, 4), "Syntax: RCPT TO:<address>"));
        };
        if let Some(said) = self.too_many_by_time() {
            return said;
        }
        let wrong = || Reply::new(501, (1, 3), "Bad recipient address syntax");
        let address = match self.address(token, "RCPT", utf8, wrong).await {
            Ok(address) if address.is_null() => {
                self.warn_of_address(token, "RCPT");
                return Said::error(wrong());
            }
            Ok(address) => address,
            Err(said) => return said,
        };
        let params = match RcptParams::parse(tokens, self.accepts()) {
            Ok(params) => params,
            Err(reply) => {
                self.warn_of_notify(tokens);
                return Said::error(reply);
            }
        };
        if let Some(said) = self.too_many_recipients() {
            return said;
        }
        if let Some(said) = self.outbound_recipient().await {
            return said;
        }
        let recipient = Recipient {
            original: address.clone(),
            address,
            orcpt: params.orcpt.or_else(|| Some(original_recipient(token))),
            notify: params.notify,
        };
        if !self.is_prober(&recipient.address) {
            let mut trail = self.trail();
            let transaction = self.transaction.as_deref();
            let mut facts = facts(&self.peer, transaction, "RCPT", self.improper_pipelining);
            facts.recipient = Some(&recipient.address);
            let verdict =
                self.service.judge.judge(Stage::Recipient, &facts, &mut self.standing, &mut trail).await;
            if let Verdict::Refuse(refusal) = verdict {
                self.tell_recipient(&recipient.address, tokens, Some(&refusal)).await;
                let mut facts = self.facts("RCPT");
                facts.recipient = Some(&recipient.address);
                return self.refused(&refusal, &facts);
            }
        }
        if let Some(reply) = self.tell_recipient(&recipient.address, tokens, None).await {
            return Said::error(reply);
        }
        if let Err(reply) = self.filter_recipient(command.line).await {
            return Said::error(reply);
        }
        self.open_message();
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients.push(recipient);
        }
        Said::ok(Reply::new(250, (1, 5), "Ok"))
    }

    fn too_many_by_time(&self) -> Option<Said> {
        let (count, address) =
            self.over_limit(What::Recipients, self.service.rates.smtpd_client_recipient_rate_limit)?;
        log::warn!(
            target: self.program(),
            "Recipient address rate limit exceeded: {count} from {} for service {}",
            self.peer.label(), self.service.name
        );
        Some(Said::error(Reply::new(450, (7, 1), format!("Error: too many recipients from {address}"))))
    }

    /// `smtpd_recipient_limit`: at first no error, for mailing lists divide their recipients by it.
    fn too_many_recipients(&mut self) -> Option<Said> {
        let params = &self.service.params;
        let (limit, tolerated) = (params.smtpd_recipient_limit, params.smtpd_recipient_overshoot_limit);
        let transaction = self.transaction.as_mut()?;
        let count = i64::try_from(transaction.recipients.len()).unwrap_or(i64::MAX);
        if count < limit {
            return None;
        }
        let reply = Reply::new(452, (5, 3), "Error: too many recipients");
        let excused = transaction.overshoot < tolerated;
        transaction.overshoot += 1;
        Some(if excused { Said::ok(reply) } else { Said::error(reply) })
    }

    fn warn_of_notify(&self, tokens: &[Token<'_>]) {
        const KNOWN: [&str; 4] = ["NEVER", "SUCCESS", "FAILURE", "DELAY"];
        let values = tokens.iter().filter_map(|token| {
            let (name, value) = token.text().split_once('=')?;
            name.eq_ignore_ascii_case("NOTIFY").then_some(value)
        });
        for value in values {
            let unknown =
                value.split(',').find(|word| !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(word)));
            if let Some(word) = unknown {
                let (word, value) = (mail::logline::printable(word), mail::logline::printable(value));
                log::warn!(target: self.program(), "unknown DSN NOTIFY command value \"{word}\" in \"{value}\"");
            }
        }
    }

    /// The message gets its id, and its first line in the log.
    pub(super) fn open_message(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        if transaction.id.is_some()
            || transaction.filtering.as_ref().is_some_and(|filtering| filtering.announced)
        {
            return;
        }
        match &mut transaction.filtering {
            Some(filtering) => filtering.announced = true,
            None => transaction.id = Some(self.service.house.queue.new_id(transaction.arrival)),
        }
        let id = transaction.id.as_ref().map_or_else(|| "NOQUEUE".to_owned(), ToString::to_string);
        let client = self.forward.as_ref().map_or(&self.peer.client, |forward| &forward.client);
        let mut line = match &self.forward {
            // What the client of our client told: this is where the message came from.
            Some(_) => {
                let mut line = format!("{id}: client={}", self.peer.label());
                if !client.ident.is_empty() {
                    line.push_str(&format!(", orig_queue_id={}", client.ident));
                }
                line.push_str(&format!(", orig_client={}", client.name));
                if client.address != "unknown" {
                    line.push_str(&format!("[{}]", client.address));
                }
                line
            }
            None => format!("{id}: client={}", self.peer.label()),
        };
        for (name, value) in [
            ("sasl_method", &self.peer.client.sasl_method),
            ("sasl_username", &self.peer.client.sasl_username),
        ] {
            if !value.is_empty() {
                line.push_str(&format!(", {name}={value}"));
            }
        }
        if let Some(sender) = transaction.params.auth.as_deref().filter(|sender| !sender.is_empty()) {
            line.push_str(&format!(", sasl_sender={sender}"));
        }
        log::info!(target: &self.service.program, "{}", mail::logline::printable(&line));
    }
}
