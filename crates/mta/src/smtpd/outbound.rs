//! How much somebody who logged in may send.

use gate::outbound::{Sender, Verdict};
use proto::smtp::Reply;

use super::said::Said;
use super::session::Session;

impl Session {
    /// Counts a message of an account; what the client hears when that is too many.
    pub(super) async fn outbound_message(&self, address: &str) -> Option<Said> {
        let limits = self.service.outbound.of(&self.peer.client.sasl_username).await?;
        let sender = Sender { account: &self.peer.client.sasl_username, address };
        match self.service.gate.outbound.message(&limits, &sender) {
            Verdict::TooMuch(why) => Some(self.sent_too_much(&why)),
            Verdict::Fine | Verdict::Held { .. } => None,
        }
    }

    /// Counts a recipient of an account: too many are put off; far more than usual have its mail held.
    pub(super) async fn outbound_recipient(&mut self) -> Option<Said> {
        let limits = self.service.outbound.of(&self.peer.client.sasl_username).await?;
        let address = self.transaction.as_ref().map_or("", |transaction| transaction.sender.as_str());
        let account = &self.peer.client.sasl_username;
        let sender = Sender { account, address };
        match self.service.gate.outbound.recipient(&limits, &sender) {
            Verdict::Fine => None,
            Verdict::TooMuch(why) => Some(self.sent_too_much(&why)),
            Verdict::Held { first } => {
                if let Some((sent, usual)) = first {
                    let (house, account) = (self.service.house.clone(), account.clone());
                    tokio::spawn(crate::outbound::hold(house, account, sent, usual));
                }
                if !self.standing.orders.hold {
                    let text = format!("account {account} sent far more than usual");
                    let line = self.facts("RCPT").log_line("hold", &text);
                    log::info!(target: self.program(), "{}", mail::logline::printable(&line));
                }
                self.standing.orders.hold = true;
                None
            }
        }
    }

    fn sent_too_much(&self, why: &str) -> Said {
        let line = self.facts(self.stage).log_line("reject", &format!("450 4.7.1 Error: {why}"));
        log::info!(target: self.program(), "{}", mail::logline::printable(&line));
        Said::error(Reply::new(450, (7, 1), "Error: you sent too much mail; try again later"))
    }
}
