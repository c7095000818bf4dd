//! MAIL FROM: a message begins.

use filter::{Stage, Verdict};
use mail::{Address, Blame, Detail, Refusal, Trail};
use proto::smtp::params::{Accepts, MailParams};
use proto::smtp::{Command, Reply, Token, path};

use super::counters::What;
use super::filtering::Filtering;
use super::said::Said;
use super::session::{Content, Session, Transaction, facts, instance};

impl Session {
    /// MAIL.
    pub(super) async fn mail_from(&mut self, command: &Command<'_>) -> Said {
        if self.service.settings.helo_required && self.helo().is_none() {
            return Said::error(Reply::new(503, (5, 1), "Error: send HELO/EHLO first"));
        }
        if self.transaction.is_some() {
            return Said::error(Reply::new(503, (5, 1), "Error: nested MAIL command"));
        }
        let Some((token, tokens)) = command.path_and_params("FROM:") else {
            return Said::error(Reply::new(501, (5, 4), "Syntax: MAIL FROM:<address>"));
        };
        if let Some(said) = self.too_much_mail() {
            return said;
        }
        let wants_utf8 = tokens.iter().any(|token| token.is("SMTPUTF8"));
        let wrong = || Reply::new(501, (1, 7), "Bad sender address syntax");
        let sender = match self.address(token, "MAIL", wants_utf8, wrong).await {
            Ok(sender) => sender,
            Err(said) => return said,
        };
        if let Some(said) = self.outbound_message(sender.as_str()).await {
            return said;
        }
        let accepts = Accepts { verp: self.may_verp().await, ..self.accepts() };
        let mut params = match MailParams::parse(tokens, accepts) {
            Ok(params) => params,
            Err(reply) => return Said::error(reply),
        };
        if let Some(asked) = &params.verp {
            match self.setup.notices.verp.delimiters(asked) {
                Ok(delimiters) => params.verp = Some(delimiters),
                Err(allowed) => {
                    let text = format!("Error: XVERP needs two characters from {allowed}");
                    return Said::error(Reply::new(501, (5, 4), text));
                }
            }
        }
        if !self.logins.are_possible() {
            params.auth = None;
        }
        self.peer.client.sasl_sender = params.auth.clone().unwrap_or_default();
        if let Err(said) = self.begin(sender, params, command.line, tokens).await {
            return said;
        }
        if !self.service.params.smtpd_delay_open_until_valid_rcpt
            && let Err(reply) = self.open_filter().await
        {
            self.forget_message();
            return Said::error(reply);
        }
        Said::ok(Reply::new(250, (1, 0), "Ok"))
    }

    /// Which ESMTP parameters this session takes.
    pub(super) fn accepts(&self) -> Accepts {
        Accepts {
            smtputf8: self.service.settings.smtputf8,
            dsn: !self.discarded.has("dsn"),
            ..Accepts::default()
        }
    }

    fn too_much_mail(&self) -> Option<Said> {
        let (count, address) =
            self.over_limit(What::Messages, self.service.rates.smtpd_client_message_rate_limit)?;
        log::warn!(
            target: self.program(),
            "Message delivery request rate limit exceeded: {count} from {} for service {}",
            self.peer.label(), self.service.name
        );
        Some(Said::error(Reply::new(450, (7, 1), format!("Error: too much mail from {address}"))))
    }

    /// Reads an address, and asks routing whether it has a form that can be routed at all.
    pub(super) async fn address(
        &self,
        token: Token<'_>,
        command: &str,
        utf8: bool,
        wrong: impl Fn() -> Reply,
    ) -> Result<Address, Said> {
        let address = match path::address(token, self.service.settings.strict_paths && command != "VRFY") {
            Ok(address) => address,
            Err(_) => {
                if !matches!(token, Token::Unclosed(_)) {
                    self.warn_of_address(token, command);
                }
                return Err(Said::error(wrong()));
            }
        };
        if address.is_null() {
            return Ok(address);
        }
        if let Some(prober) = self.setup.verify.prober.behind(&address, self.setup_now()) {
            return Ok(prober.clone());
        }
        if self.service.params.strict_smtputf8 && !utf8 && !address.is_ascii() {
            let text = "Must declare SMTPUTF8 to send unicode address";
            return Err(Said::error(Reply::new(553, (6, 7), text)));
        }
        if !utf8 && address.domain().is_some_and(|domain| !domain.is_ascii()) {
            // Without SMTPUTF8 there is no such domain name; a local part is left to whom it concerns.
            self.warn_of_address(token, command);
            return Err(Said::error(wrong()));
        }
        let router = &self.setup.router;
        let full = router.rewrite(route::Context::Local, &address);
        match router.resolve(&Address::null(), &full, &mut Trail::off()).await {
            Ok(stop) if stop.malformed => {
                self.warn_of_address(token, command);
                Err(Said::error(wrong()))
            }
            Ok(_) => Ok(address),
            // The form is all that counts here; whoever needs to know more asks again.
            Err(refusal) => {
                log::warn!(target: self.program(), "{}", mail::logline::printable(refusal.log_text()));
                Ok(address)
            }
        }
    }

    pub(super) fn warn_of_address(&self, token: Token<'_>, command: &str) {
        log::warn!(
            target: self.program(),
            "Illegal address syntax from {} in {command} command: {}",
            self.peer.label(), mail::logline::printable(token.text())
        );
    }

    async fn begin(
        &mut self,
        sender: Address,
        params: MailParams,
        command: &str,
        tokens: &[Token<'_>],
    ) -> Result<(), Said> {
        let size = params.size.unwrap_or(0);
        if i64::try_from(size).is_err() {
            let text = "Message size exceeds file system imposed limit";
            return Err(Said::error(Reply::new(552, (3, 4), text)));
        }
        let arrival = self.setup_now();
        let mut transaction = Box::new(Transaction {
            sender,
            params,
            arrival,
            instance: String::new(),
            id: None,
            recipients: Vec::new(),
            overshoot: 0,
            content: Content::None,
            size: 0,
            filtering: self.service.filter.as_ref().map(|_| Filtering::begin(command)),
        });
        self.fits(&transaction, size)?;
        if transaction.params.verp.is_some() && transaction.sender.is_null() {
            let text = "Error: XVERP requires non-null sender";
            return Err(Said::error(Reply::new(503, (5, 4), text)));
        }
        // Our own probes are let in: two sites that probe each other must not wait for ever.
        if !self.is_prober(&transaction.sender) {
            let mut trail = self.trail();
            let facts = facts(&self.peer, Some(&transaction), "MAIL", self.improper_pipelining);
            let verdict =
                self.service.judge.judge(Stage::Sender, &facts, &mut self.standing, &mut trail).await;
            if let Verdict::Refuse(refusal) = verdict {
                return Err(self.refused(&refusal, &facts));
            }
        }
        if let Some(said) = self.tell_mail(&transaction.sender, tokens).await {
            return Err(said);
        }
        self.has_room(&transaction)?;
        self.messages = self.messages.wrapping_add(1);
        transaction.instance = instance(self.service.settings.process_id, arrival, self.messages);
        self.transaction = Some(transaction);
        if !self.service.params.smtpd_delay_open_until_valid_rcpt && self.service.filter.is_none() {
            self.open_message();
        }
        Ok(())
    }

    /// Is it the address our probes come from?
    pub(super) fn is_prober(&self, address: &Address) -> bool {
        self.setup.verify.prober.is(address)
    }

    /// `message_size_limit`, by what the client says.
    fn fits(&self, transaction: &Transaction, size: u64) -> Result<(), Said> {
        let limit = self.setup.message_size_limit;
        if limit == 0 || size <= limit {
            return Ok(());
        }
        let refusal = Refusal::never(52, Detail(3, 4), Blame::Policy, "Message size exceeds fixed limit");
        Err(self.logged_refusal(transaction, &refusal))
    }

    /// `queue_minfree`, and room for a message and a half of the greatest size.
    fn has_room(&self, transaction: &Transaction) -> Result<(), Said> {
        let (limit, least) = (self.setup.message_size_limit, self.setup.queue_minfree);
        let free = match self.service.house.queue.free_space() {
            Ok(free) => free,
            Err(failure) => {
                log::warn!(target: self.program(), "{failure}");
                return Err(self.logged_refusal(transaction, &Refusal::from(failure)));
            }
        };
        let wanted = limit.saturating_add(limit / 2).max(least);
        if free >= wanted {
            return Ok(());
        }
        log::warn!(
            target: self.program(),
            "not enough free space in mail queue: {free} bytes < {}",
            if free < least { "minimum" } else { "1.5*message size limit" }
        );
        let text = "Insufficient system storage";
        let refusal = Refusal::later(52, Detail(3, 1), Blame::Ourselves, text);
        Err(self.logged_refusal(transaction, &refusal))
    }

    fn logged_refusal(&self, transaction: &Transaction, refusal: &Refusal) -> Said {
        let facts = facts(&self.peer, Some(transaction), "MAIL", self.improper_pipelining);
        let text = format!("{} {} {}", refusal.smtp_code(), refusal.status(), refusal.say);
        log::info!(target: self.program(), "{}", mail::logline::printable(&facts.log_line("reject", &text)));
        self.refused(refusal, &facts)
    }
}
