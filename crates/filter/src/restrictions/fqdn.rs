//! `reject_non_fqdn_sender`, `reject_non_fqdn_recipient`: addresses with a full domain.

use mail::Address;

use crate::Stage;
use crate::case::{Case, Subject, class};
use crate::names;
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `reject_non_fqdn_sender`
pub const SENDER: Restriction = Restriction {
    name: "reject_non_fqdn_sender",
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a sender whose domain is not a full one.",
    run: sender,
};

/// `reject_non_fqdn_recipient`
pub const RECIPIENT: Restriction = Restriction {
    name: "reject_non_fqdn_recipient",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Refuses a recipient whose domain is not a full one; postmaster needs none.",
    run: recipient,
};

fn sender<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let sender = case.facts.sender;
    address(case, sender, class::SENDER)
}

fn recipient<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    // RFC 5321 4.5.1: everybody takes mail for a plain postmaster.
    let recipient = case.facts.recipient.filter(|it| !it.as_str().eq_ignore_ascii_case("postmaster"));
    address(case, recipient, class::RECIPIENT)
}

fn address<'a>(case: &'a mut Case<'_>, address: Option<&Address>, class: &'static str) -> Step<'a> {
    let Some(address) = address.filter(|address| !address.is_null()) else { return Step::DUNNO };
    let domain = address.domain().unwrap_or_default();
    let full = names::is_bracketed(domain) || (domain.contains('.') && names::is_host_name(domain));
    if full {
        return Step::DUNNO;
    }
    let before = case.turn_to(Subject { name: address.as_str().to_owned(), class });
    let code = case.judge.settings.codes.non_fqdn_reject_code;
    let decision = case.reject(code, (5, 2), "need fully-qualified address");
    case.turn_to(before);
    Step::Ready(decision)
}
