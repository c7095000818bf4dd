//! What is answered to one request.

use filter::{Boxed, Dns};
use gate::greylist::Question;
use gate::policy::Request;
use mail::logline::printable;
use net::dns::{Answer, Kind, Missing};
use sign::spf::{self, Spf, Verdict};

use super::{Check, Service};

/// Nothing to say.
const DUNNO: &str = "DUNNO";

/// Lends the judge's DNS.
struct Lent<'a>(&'a dyn Dns);

impl sign::Dns for Lent<'_> {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        self.0.lookup(name, kind)
    }
}

impl Service {
    /// The action of the first check that refuses, or else the first header, or else nothing.
    pub(super) async fn answer(&self, request: &Request) -> String {
        let mut header = None;
        let mut policy = None;
        for check in &self.checks {
            let action = match check {
                Check::Spf => self.by_policy(request, &mut policy).await,
                Check::Greylist => self.by_greylist(request, &mut policy).await,
            };
            if action.starts_with("PREPEND ") {
                header.get_or_insert(action);
            } else if action != DUNNO {
                return action;
            }
        }
        header.unwrap_or_else(|| DUNNO.to_owned())
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
