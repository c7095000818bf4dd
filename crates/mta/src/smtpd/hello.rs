//! HELO and EHLO.

use filter::{Stage, Verdict};
use proto::smtp::{Command, Reply};

use super::said::Said;
use super::session::{Session, facts};

impl Session {
    /// HELO, or EHLO.
    pub(super) async fn hello(&mut self, command: &Command<'_>, extended: bool) -> Said {
        let name = command.rest();
        if name.is_empty() {
            let text = if extended { "Syntax: EHLO hostname" } else { "Syntax: HELO hostname" };
            return Said::error(Reply::plain(501, text));
        }
        let name: String = command.args().iter().map(|token| token.text()).collect::<Vec<_>>().join(" ");
        let verdict = {
            let mut trail = self.trail();
            let mut facts =
                facts(&self.peer, self.transaction.as_deref(), self.stage, self.improper_pipelining);
            facts.helo = Some(&name);
            self.service.judge.judge(Stage::Helo, &facts, &mut self.standing, &mut trail).await
        };
        if let Verdict::Refuse(refusal) = verdict {
            let mut facts = self.facts(self.stage);
            facts.helo = Some(&name);
            return self.refused(&refusal, &facts);
        }
        self.forget_message();
        self.peer.client.helo = harmless(&name);
        let told = self.tell_hello(&name, if extended { "EHLO" } else { "HELO" }).await;
        if let Some(reply) = told.clone().filter(|reply| reply.code == 421) {
            return Said::error(reply);
        }
        if !extended {
            // A client that ever said EHLO is judged as one: pipelining was announced to it.
            if self.peer.client.protocol != "ESMTP" {
                self.peer.client.protocol = "SMTP".to_owned();
            }
            return Said::ok(Reply::plain(250, self.host().to_owned()));
        }
        self.peer.client.protocol = "ESMTP".to_owned();
        if told.is_some_and(|reply| reply.code >= 500) {
            return Said::ok(Reply::plain(250, format!("{}\nENHANCEDSTATUSCODES", self.host())));
        }
        Said::ok(Reply::plain(250, self.announce().await))
    }

    /// The lines of the EHLO reply.
    async fn announce(&self) -> String {
        let service = &self.service;
        let mut lines = vec![self.host().to_owned()];
        if let Some(told) = self.discarded.told() {
            log::info!(target: self.program(), "discarding EHLO keywords: {told}");
        }
        let mut add = |keyword: &str, line: String| {
            if !self.discarded.has(keyword) {
                lines.push(line);
            }
        };
        add("pipelining", "PIPELINING".to_owned());
        match self.setup.message_size_limit {
            0 => add("size", "SIZE".to_owned()),
            limit => add("size", format!("SIZE {limit}")),
        }
        if !service.params.disable_vrfy_command {
            add("vrfy", "VRFY".to_owned());
        }
        add("etrn", "ETRN".to_owned());
        if service.encryption.offered && self.tls.is_none() {
            add("starttls", "STARTTLS".to_owned());
        }
        if let Some(mechanisms) = self.mechanisms().await {
            add("auth", format!("AUTH {mechanisms}"));
            if service.sasl.broken_sasl_auth_clients {
                add("auth", format!("AUTH={mechanisms}"));
            }
        }
        if self.may_verp().await {
            add("xverp", "XVERP".to_owned());
        }
        if self.may_xclient {
            let names = "NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT";
            add("xclient", format!("XCLIENT {names}"));
        }
        if self.may_xforward {
            add("xforward", "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT".to_owned());
        }
        add("enhancedstatuscodes", "ENHANCEDSTATUSCODES".to_owned());
        add("8bitmime", "8BITMIME".to_owned());
        add("dsn", "DSN".to_owned());
        if service.settings.smtputf8 {
            add("smtputf8", "SMTPUTF8".to_owned());
        }
        add("chunking", "CHUNKING".to_owned());
        lines.join("\n")
    }

    /// May this client ask for VERP?
    pub(super) async fn may_verp(&self) -> bool {
        let list = &self.service.lists.verp;
        match self.peer.ip {
            Some(ip) if !list.is_empty() => {
                list.matches_host(&self.peer.client.name, ip).await.unwrap_or(false)
            }
            _ => false,
        }
    }
}

/// The name stands in logs and in Received headers: what could end a comment or a quote there becomes `?`.
pub(super) fn harmless(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || " <>()\\\";@".contains(c) { '?' } else { c }).collect()
}
