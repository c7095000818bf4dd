//! `reject_rbl_client`, `permit_dnswl_client`: DNS lists of addresses.

use mail::{Blame, Detail, Refusal};

use crate::Stage;
use crate::case::{Case, class};
use crate::dnsbl::{self, Listing, reversed};
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};

/// `reject_rbl_client`
pub const REJECT_CLIENT: Restriction = Restriction {
    name: "reject_rbl_client",
    argument: Wanted::Zone,
    since: Stage::Client,
    doc: "Refuses a client whose address the DNS list has; a list that does not answer is passed over.",
    run: reject,
};

/// `permit_dnswl_client`
pub const PERMIT_CLIENT: Restriction = Restriction {
    name: "permit_dnswl_client",
    argument: Wanted::Zone,
    since: Stage::Client,
    doc: "Says yes to a client whose address the DNS list has; while it does not answer, nothing is refused for good.",
    run: permit,
};

fn reject<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let Some(ip) = case.facts.peer.ip else { return Step::DUNNO };
    Step::later(async move {
        let zone = rule.zone();
        match dnsbl::ask(case, zone, &reversed(ip)).await {
            Listing::Listed { text, .. } => {
                let address = &case.facts.peer.client.address;
                dnsbl::reject(case, zone, &text, address, class::CLIENT).await
            }
            Listing::Absent | Listing::Unknown => Decision::Dunno,
        }
    })
}

fn permit<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let Some(ip) = case.facts.peer.ip else { return Step::DUNNO };
    Step::later(async move {
        match dnsbl::ask(case, rule.zone(), &reversed(ip)).await {
            Listing::Listed { .. } => {
                let subject = case.client_subject();
                case.permit(&rule.name, &subject, "").await
            }
            Listing::Absent => Decision::Dunno,
            Listing::Unknown => {
                let address = case.facts.peer.client.address.clone();
                case.defer_if_reject(silent_list(&address, class::CLIENT))
            }
        }
    })
}

/// A list that might have said yes did not answer.
pub(crate) fn silent_list(what: &str, class: &str) -> Refusal {
    let say = format!("<{what}>: {class} rejected: Service unavailable");
    Refusal::later(50, Detail(7, 1), Blame::Policy, say)
}
