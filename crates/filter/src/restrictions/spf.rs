//! `reject_spf_fail`, `reject_spf_helo_fail`: sender policy (RFC 7208).

use mail::{Blame, Detail, Refusal};
use net::dns::{Answer, Kind, Missing};
use sign::spf::{Question, Verdict, check};

use crate::case::Case;
use crate::outside::Boxed;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};
use crate::{Dns, Stage};

/// `reject_spf_fail`
pub const RULE: Restriction = Restriction {
    name: "reject_spf_fail",
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a client that the sender's domain forbids to send mail for it (SPF), and notes in a header Received-SPF \
          what its policy says of others; while the DNS does not answer, nothing is refused.",
    run,
};

/// `reject_spf_helo_fail`
pub const HELO: Restriction = Restriction {
    name: "reject_spf_helo_fail",
    argument: Wanted::Nothing,
    since: Stage::Helo,
    doc: "Refuses a client that the policy of its HELO name forbids to use that name (SPF, RFC 7208 2.3); while the DNS does \
          not answer, nothing is refused.",
    run: run_helo,
};

/// Lends the judge's DNS.
pub(super) struct Lent<'a>(pub &'a dyn Dns);

impl sign::Dns for Lent<'_> {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        self.0.lookup(name, kind)
    }
}

fn run<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let (Some(client), Some(sender)) = (case.facts.peer.ip, case.facts.sender) else { return Step::DUNNO };
    Step::later(async move {
        let text = sender.external().to_string();
        let question = Question {
            client,
            helo: case.facts.helo.unwrap_or_default(),
            sender: &text,
            receiver: &case.judge.settings.myhostname,
        };
        let answer = check(&Lent(&*case.judge.outside.dns), &question, 0).await;
        if answer.verdict != Verdict::Fail {
            let told = |line: &String| line.starts_with("Received-SPF:");
            if !case.standing.orders.prepend.iter().any(told) {
                case.standing.orders.prepend.push(answer.received(&question));
            }
            return Decision::Dunno;
        }
        let address = &case.facts.peer.client.address;
        let mut say = format!(
            "<{text}>: Sender address rejected: {address} may not send mail for {} (SPF)",
            answer.domain
        );
        if let Some(explanation) = &answer.explanation {
            say.push_str(&format!(": {}", mail::logline::printable(explanation)));
        }
        // RFC 7372 3.2
        let refusal = Refusal::never(50, Detail(7, 23), Blame::Policy, say);
        case.refuse(refusal)
    })
}

fn run_helo<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let (Some(client), Some(helo)) = (case.facts.peer.ip, case.facts.helo) else { return Step::DUNNO };
    Step::later(async move {
        // Without a sender the name itself is asked about.
        let receiver = &case.judge.settings.myhostname;
        let question = Question { client, helo, sender: "", receiver };
        let answer = check(&Lent(&*case.judge.outside.dns), &question, 0).await;
        if answer.verdict != Verdict::Fail {
            return Decision::Dunno;
        }
        let address = &case.facts.peer.client.address;
        let mut say = format!("<{helo}>: Helo command rejected: {address} may not use this name (SPF)");
        if let Some(explanation) = &answer.explanation {
            say.push_str(&format!(": {}", mail::logline::printable(explanation)));
        }
        case.refuse(Refusal::never(50, Detail(7, 23), Blame::Policy, say))
    })
}
