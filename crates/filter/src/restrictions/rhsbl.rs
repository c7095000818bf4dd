//! `reject_rhsbl_*`, `permit_rhswl_client`: DNS lists of domains.

use crate::Stage;
use crate::case::{Case, class};
use crate::dnsbl::{self, Listing};
use crate::names;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};
use crate::restrictions::dnsbl::silent_list;

/// `reject_rhsbl_client`
pub const REJECT_CLIENT: Restriction = Restriction {
    name: "reject_rhsbl_client",
    argument: Wanted::Zone,
    since: Stage::Client,
    doc: "Refuses a client whose verified name the DNS list has.",
    run: |case, rule| {
        let name = known(&case.facts.peer.client.name);
        reject(case, rule, name, class::CLIENT)
    },
};

/// `permit_rhswl_client`
pub const PERMIT_CLIENT: Restriction = Restriction {
    name: "permit_rhswl_client",
    argument: Wanted::Zone,
    since: Stage::Client,
    doc: "Says yes to a client whose verified name the DNS list has.",
    run: permit,
};

/// `reject_rhsbl_reverse_client`
pub const REJECT_REVERSE_CLIENT: Restriction = Restriction {
    name: "reject_rhsbl_reverse_client",
    argument: Wanted::Zone,
    since: Stage::Client,
    doc: "Refuses a client whose unverified name the DNS list has.",
    run: |case, rule| {
        let name = known(&case.facts.peer.client.reverse_name);
        reject(case, rule, name, class::REVERSE)
    },
};

/// `reject_rhsbl_helo`
pub const REJECT_HELO: Restriction = Restriction {
    name: "reject_rhsbl_helo",
    argument: Wanted::Zone,
    since: Stage::Helo,
    doc: "Refuses a client whose HELO name the DNS list has.",
    run: |case, rule| {
        let name = case.facts.helo;
        reject(case, rule, name, class::HELO)
    },
};

/// `reject_rhsbl_sender`
pub const REJECT_SENDER: Restriction = Restriction {
    name: "reject_rhsbl_sender",
    argument: Wanted::Zone,
    since: Stage::Sender,
    doc: "Refuses a sender whose domain the DNS list has.",
    run: |case, rule| {
        let name = case.facts.sender.map(mail::Address::as_str);
        reject(case, rule, name, class::SENDER)
    },
};

/// `reject_rhsbl_recipient`
pub const REJECT_RECIPIENT: Restriction = Restriction {
    name: "reject_rhsbl_recipient",
    argument: Wanted::Zone,
    since: Stage::Recipient,
    doc: "Refuses a recipient whose domain the DNS list has.",
    run: |case, rule| {
        let name = case.facts.recipient.map(mail::Address::as_str);
        reject(case, rule, name, class::RECIPIENT)
    },
};

/// A client's name, unless it has none.
fn known(name: &str) -> Option<&str> {
    (!name.eq_ignore_ascii_case("unknown")).then_some(name)
}

/// The domain to ask about: of a name or an address, when it can stand in the DNS.
fn domain(what: &str) -> Option<&str> {
    let domain = names::domain_of(what);
    names::is_host_name(domain).then_some(domain)
}

fn reject<'a>(
    case: &'a mut Case<'_>,
    rule: &'a Rule,
    what: Option<&'a str>,
    class: &'static str,
) -> Step<'a> {
    let Some(what) = what else { return Step::DUNNO };
    let Some(domain) = domain(what) else { return Step::DUNNO };
    Step::later(async move {
        let zone = rule.zone();
        match dnsbl::ask(case, zone, domain).await {
            Listing::Listed { text, .. } => dnsbl::reject(case, zone, &text, what, class).await,
            Listing::Absent | Listing::Unknown => Decision::Dunno,
        }
    })
}

fn permit<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let facts = case.facts;
    let Some(name) = known(&facts.peer.client.name).and_then(domain) else { return Step::DUNNO };
    Step::later(async move {
        match dnsbl::ask(case, rule.zone(), name).await {
            Listing::Listed { .. } => {
                let subject = case.client_subject();
                case.permit(&rule.name, &subject, "").await
            }
            Listing::Absent => Decision::Dunno,
            Listing::Unknown => case.defer_if_reject(silent_list(name, class::CLIENT)),
        }
    })
}
