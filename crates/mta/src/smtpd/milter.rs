//! The milters of a session: what they are told at each command, and what comes of it.

use filter::NameLookup;
use filter::milter::{Outcome, Values};
use mail::{Address, Refusal, Trail};
use proto::milter::{self, Event, strings};
use proto::smtp::server::Answer;
use proto::smtp::{Reply, Token};
use route::Context;

use super::said::Said;
use super::session::{Session, facts};
use crate::milters::{Filtering, reply};

impl Session {
    /// A client came, or stands for another one now: a new conversation with each milter.
    pub(super) async fn meet_milters(&mut self) -> Option<Reply> {
        self.leave_milters().await;
        let address = self.peer.client.address.clone();
        self.milters = self.service.milters.open(Some(&address)).await.map(Box::new);
        self.milters.as_ref()?;
        let client = &self.peer.client;
        let name = if client.name == "unknown" { format!("[{address}]") } else { client.name.clone() };
        let port = client.port.unwrap_or(0);
        let data = milter::connect(milter::Peer { name: &name, address: self.peer.ip, port });
        self.tell(Event::Connect, &data, self.macros(), ("CONNECT", None, None)).await
    }

    /// The session is over.
    pub(super) async fn leave_milters(&mut self) {
        if let Some(mut chain) = self.milters.take() {
            chain.abort().await;
            chain.quit().await;
        }
    }

    /// When no message is under way any more, the milters hear it.
    pub(super) async fn settle_milters(&mut self) {
        if self.transaction.is_none()
            && let Some(chain) = &mut self.milters
        {
            chain.abort().await;
        }
    }

    pub(super) async fn tell_hello(&mut self, name: &str, verb: &str) -> Option<Reply> {
        self.milters.as_ref()?;
        self.tell(Event::Helo, &strings([name.as_bytes()]), self.macros(), (verb, None, None)).await
    }

    pub(super) async fn tell_mail(&mut self, sender: &Address, params: &[Token<'_>]) -> Option<Said> {
        if self.milters.as_ref()?.is_lost() {
            // Postfix's smtpd panics here; the client sees the same.
            log::warn!(target: self.program(), "a milter has accepted an unknown command: closing the session");
            return Some(Said::new(Answer::HangUp, false));
        }
        let mut values = self.macros();
        let [mut address, host, mailer] = self.stop_of(sender).await;
        if sender.is_null() {
            address.clear();
        }
        values.extend([("mail_addr", address), ("mail_host", host), ("mail_mailer", mailer)]);
        let data = path_and_params(sender, params);
        self.tell(Event::Mail, &data, values, ("MAIL", Some(sender), None)).await.map(Said::error)
    }

    pub(super) async fn tell_recipient(
        &mut self,
        recipient: &Address,
        params: &[Token<'_>],
        refused: Option<&Refusal>,
    ) -> Option<Reply> {
        self.milters.as_ref()?;
        let mut values = self.macros();
        let data = path_and_params(recipient, params);
        if let Some(refusal) = refused {
            let names = ["rcpt_addr", "rcpt_host", "rcpt_mailer"];
            // Without the address that the text begins with.
            let text = refusal.say.split_once(">: ").map_or(&*refusal.say, |(_, text)| text);
            let told = [text.to_owned(), refusal.status().to_string(), "error".to_owned()];
            values.extend(names.into_iter().zip(told));
            if let Some(chain) = &mut self.milters {
                chain.refused_recipient(&data, &values).await;
            }
            return None;
        }
        let [address, host, mailer] = self.stop_of(recipient).await;
        values.extend([("rcpt_addr", address), ("rcpt_host", host), ("rcpt_mailer", mailer)]);
        self.tell(Event::Rcpt, &data, values, ("RCPT", None, Some(recipient))).await
    }

    pub(super) async fn tell_data(&mut self, verb: &str) -> Option<Reply> {
        self.milters.as_ref()?;
        self.tell(Event::Data, b"", self.macros(), (verb, None, None)).await
    }

    pub(super) async fn tell_unknown(&mut self, word: &str) -> Option<Reply> {
        self.milters.as_ref()?;
        self.tell(Event::Unknown, &strings([word.as_bytes()]), self.macros(), ("UNKNOWN", None, None)).await
    }

    /// The milters, for the content of the message.
    pub(super) fn content_milters(&mut self) -> Option<Filtering<'_>> {
        self.milters.as_ref()?;
        if self.standing.orders.discard {
            return None;
        }
        let (values, origin) = (self.macros(), self.peer.label());
        let chain = self.milters.as_deref_mut()?;
        Some(Filtering { chain, values, origin })
    }

    async fn tell(
        &mut self,
        event: Event,
        data: &[u8],
        values: Values,
        (command, sender, recipient): (&str, Option<&Address>, Option<&Address>),
    ) -> Option<Reply> {
        // Whoever discards a message has seen enough of it.
        if self.standing.orders.discard {
            return None;
        }
        let chain = self.milters.as_mut()?;
        let outcome = chain.event(event, data, &values).await;
        let closes = outcome == Outcome::Close;
        let (what, text) = match outcome {
            Outcome::Continue => return None,
            Outcome::Hold => ("milter-hold", "milter triggers HOLD action".to_owned()),
            Outcome::Discard => ("milter-discard", "milter triggers DISCARD action".to_owned()),
            Outcome::Close => ("milter-reject", "421 4.7.0 Server closing connection".to_owned()),
            Outcome::Reply(text) => ("milter-reject", text),
        };
        let mut facts = facts(&self.peer, self.transaction.as_deref(), command, self.improper_pipelining);
        facts.sender = sender.or(facts.sender);
        facts.recipient = recipient.or(facts.recipient);
        let line = facts.log_line(what, &text);
        log::info!(target: self.program(), "{}", mail::logline::printable(&line));
        match what {
            "milter-hold" => self.standing.orders.hold = true,
            "milter-discard" => self.standing.orders.discard = true,
            // Who has not been greeted yet is told in other words.
            _ if closes && event == Event::Connect => {
                return Some(reply(&format!("421 {} Service unavailable - try again later", self.host())));
            }
            _ if closes => {
                return Some(reply(&format!("421 4.7.0 {} Error: closing connection", self.host())));
            }
            _ => return Some(reply(&text)),
        }
        None
    }

    /// Where mail for an address would go: address, next hop, transport.
    async fn stop_of(&self, address: &Address) -> [String; 3] {
        let router = &self.setup.router;
        let full = router.rewrite(Context::Local, address);
        match router.resolve(&Address::null(), &full, &mut Trail::off()).await {
            Ok(stop) => [stop.recipient.external().to_lowercase(), stop.nexthop, stop.transport],
            Err(_) => [full.external().to_lowercase(), String::new(), String::new()],
        }
    }

    fn macros(&self) -> Values {
        let client = &self.peer.client;
        let resolve = match self.peer.name_lookup {
            NameLookup::Found => "OK",
            NameLookup::Later => "TEMP",
            NameLookup::Never => "FAIL",
        };
        let mut values = Values::from([
            ("_", format!("{} [{}]", client.name, client.address)),
            ("client_addr", client.address.clone()),
            ("client_name", client.name.clone()),
            ("client_ptr", client.reverse_name.clone()),
            ("client_port", client.port.unwrap_or(0).to_string()),
            ("client_resolve", resolve.to_owned()),
            ("client_connections", self.connections.to_string()),
            ("daemon_addr", self.peer.server_address.clone()),
            ("daemon_port", self.peer.server_port.to_string()),
            ("auth_type", client.sasl_method.clone()),
            ("auth_authen", client.sasl_username.clone()),
        ]);
        if let Some(transaction) = &self.transaction {
            if let Some(id) = &transaction.id {
                values.insert("i", id.to_string());
            }
            values.insert("auth_author", transaction.params.auth.clone().unwrap_or_default());
        }
        if let Some(tls) = &self.peer.tls {
            values.insert("tls_version", tls.protocol.clone());
            values.insert("cipher", tls.cipher.clone());
            values.insert("cipher_bits", tls.keysize.to_string());
            if let Some(certificate) = tls.certificate.as_ref().filter(|it| it.trusted) {
                values.insert("cert_subject", certificate.subject.clone());
                values.insert("cert_issuer", certificate.issuer.clone());
            }
        }
        values
    }
}

/// `<address>` and its parameters, as MAIL and RCPT are told.
fn path_and_params(address: &Address, params: &[Token<'_>]) -> Vec<u8> {
    let path = format!("<{}>", address.external());
    let params = params.iter().map(|token| token.text().as_bytes());
    strings(std::iter::once(path.as_bytes()).chain(params))
}
