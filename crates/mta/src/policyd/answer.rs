//! What is answered to one request.

use filter::{Boxed, Dns};
use gate::greylist::Question;
use gate::outbound::{Sender, Verdict as Sent};
use gate::policy::Request;
use mail::logline::printable;
use net::dns::{Answer, Kind, Missing};
use sign::spf::{self, Spf, Verdict};

use super::{Check, Service};
use crate::smtpd::What;

/// Nothing to say.
const DUNNO: &str = "DUNNO";

/// Lends the judge's DNS.
struct Lent<'a>(&'a dyn Dns);

impl sign::Dns for Lent<'_> {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        self.0.lookup(name, kind)
    }
}

/// Is it asked about a recipient? What is asked at other stages counts nothing.
fn is_recipient(request: &Request) -> bool {
    !request.recipient.is_empty() && matches!(request.protocol_state.as_str(), "RCPT" | "")
}

/// A message's name, for one of the checks.
fn named(check: &str, request: &Request) -> String {
    match request.instance.as_str() {
        "" => String::new(),
        instance => format!("{check} {instance}"),
    }
}

impl Service {
    /// The action of the first check that refuses, or else a hold, or else the first header, or else nothing.
    pub(super) async fn answer(&self, request: &Request) -> String {
        let (mut hold, mut header) = (None, None);
        let mut policy = None;
        for check in &self.checks {
            let action = match check {
                Check::Spf => self.by_policy(request, &mut policy).await,
                Check::Greylist => self.by_greylist(request, &mut policy).await,
                Check::Rates => self.by_rates(request).await,
                Check::Outbound => self.by_outbound(request).await,
            };
            if action.starts_with("PREPEND ") {
                header.get_or_insert(action);
            } else if action.starts_with("HOLD ") {
                hold.get_or_insert(action);
            } else if action != DUNNO {
                return action;
            }
        }
        hold.or(header).unwrap_or_else(|| DUNNO.to_owned())
    }

    /// Rates of clients, as anvil(8) counts them: messages with their first recipient.
    async fn by_rates(&self, request: &Request) -> String {
        let Some(client) = request.client_address.filter(|_| is_recipient(request)) else {
            return DUNNO.to_owned();
        };
        if let Some(list) = &self.unlimited
            && list.matches_host(&request.client_name, client.to_canonical()).await.unwrap_or(false)
        {
            return DUNNO.to_owned();
        }
        let address = client.to_string();
        let exceeds = |what: What, limit: i64| {
            let span = self.rates.anvil_rate_time_unit;
            let count = self.counters.count(what, ("policyd", &address), span, net::clock::now());
            (limit > 0 && i64::from(count) > limit).then_some(count)
        };
        if self.gate.headers.is_first(&named("rates", request))
            && let Some(count) = exceeds(What::Messages, self.rates.smtpd_client_message_rate_limit)
        {
            log::warn!(target: "policyd", "Message delivery request rate limit exceeded: {count} from {address}");
            return format!("450 4.7.1 Error: too much mail from {address}");
        }
        match exceeds(What::Recipients, self.rates.smtpd_client_recipient_rate_limit) {
            Some(count) => {
                log::warn!(target: "policyd", "Recipient address rate limit exceeded: {count} from {address}");
                format!("450 4.7.1 Error: too many recipients from {address}")
            }
            None => DUNNO.to_owned(),
        }
    }

    /// What the account may send.
    async fn by_outbound(&self, request: &Request) -> String {
        let account = &request.sasl_username;
        let limits = self.outbound.of(account).await.filter(|_| is_recipient(request));
        let Some(limits) = limits else { return DUNNO.to_owned() };
        let (memory, sender) = (&self.gate.outbound, Sender { account, address: &request.sender });
        let mut sent = Sent::Fine;
        if self.gate.headers.is_first(&named("outbound", request)) {
            sent = memory.message(&limits, &sender);
        }
        if !matches!(sent, Sent::TooMuch(_)) {
            sent = memory.recipient(&limits, &sender);
        }
        match sent {
            Sent::Fine => DUNNO.to_owned(),
            Sent::TooMuch(why) => {
                log::info!(target: "policyd", "{why}");
                "450 4.7.1 Error: you sent too much mail; try again later".to_owned()
            }
            Sent::Held { first } => {
                if let Some((sent, usual)) = first {
                    (self.held)(account, sent, usual);
                }
                format!("HOLD account {account} sent far more than usual")
            }
        }
    }

    /// The sender's policy, asked once a request.
    async fn policy(&self, request: &Request, known: &mut Option<Spf>) -> Option<Spf> {
        let question = self.question(request)?;
        if known.is_none() {
            *known = Some(spf::check(&Lent(&*self.dns), &question, 0).await);
        }
        known.clone()
    }

    fn question<'a>(&'a self, request: &'a Request) -> Option<spf::Question<'a>> {
        Some(spf::Question {
            client: request.client_address?,
            helo: &request.helo_name,
            sender: &request.sender,
            receiver: &self.myhostname,
        })
    }

    async fn by_policy(&self, request: &Request, known: &mut Option<Spf>) -> String {
        let (Some(question), Some(answer)) = (self.question(request), self.policy(request, known).await)
        else {
            return DUNNO.to_owned();
        };
        if !question.sender.is_empty() {
            // The name of the client itself comes first, whoever wrote. RFC 7208 2.3
            let helo = spf::Question { sender: "", ..question.clone() };
            let of_helo = spf::check(&Lent(&*self.dns), &helo, 0).await;
            if of_helo.verdict == Verdict::Fail {
                log::info!(target: "policyd", "spf=fail identity=helo client-ip={} helo={}",
                    question.client, printable(question.helo));
                let why = of_helo.explanation.unwrap_or_default();
                let text = format!(
                    "550 5.7.23 {} may not use the name {} (SPF) {why}",
                    question.client, question.helo
                );
                return text.trim_end().to_owned();
            }
        }
        log::info!(
            target: "policyd",
            "spf={} client-ip={} helo={} envelope-from={}",
            answer.verdict.word(), question.client, printable(question.helo), printable(question.sender)
        );
        match answer.verdict {
            Verdict::Fail => {
                let why = answer.explanation.unwrap_or_default();
                let (client, domain) = (question.client, &answer.domain);
                // RFC 7372 3.2
                format!("550 5.7.23 {client} may not send mail for {domain} (SPF) {why}")
                    .trim_end()
                    .to_owned()
            }
            // For now nothing is known, and nothing refused.
            Verdict::TempError => DUNNO.to_owned(),
            _ if self.gate.headers.is_first(&request.instance) => {
                format!("PREPEND {}", answer.received(&question).replace("\n\t", " "))
            }
            _ => DUNNO.to_owned(),
        }
    }

    async fn by_greylist(&self, request: &Request, known: &mut Option<Spf>) -> String {
        let Some(client) = request.client_address else { return DUNNO.to_owned() };
        let question = Question {
            client,
            name: &request.client_name,
            sender: &request.sender,
            recipient: &request.recipient,
            instance: &request.instance,
            queue_id: &request.queue_id,
        };
        if question.recipient.is_empty() {
            return DUNNO.to_owned();
        }
        let policy = match self.greylist.wants_policy(&self.gate.greylist, &question) {
            true => self.policy(request, known).await.filter(|answer| answer.verdict == Verdict::Pass),
            false => None,
        };
        let domain = policy.as_ref().map(|answer| answer.domain.as_str());
        let answer = self.greylist.ask(&self.gate.greylist, &question, domain);
        log::info!(target: "=postgrey", "{}", answer.log);
        answer.action
    }
}
