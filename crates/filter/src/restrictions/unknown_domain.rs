//! `reject_unknown_sender_domain`, `reject_unknown_recipient_domain`: domains the DNS knows.

use mail::Address;
use net::dns::{Data, Kind, Missing};
use route::DomainClass;

use crate::Stage;
use crate::case::{Case, Subject, class};
use crate::names;
use crate::reply_filter;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};

/// `reject_unknown_sender_domain`
pub const SENDER: Restriction = Restriction {
    name: "reject_unknown_sender_domain",
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a sender whose domain, not being ours, has neither exchangers nor addresses in the DNS.",
    run: sender,
};

/// `reject_unknown_recipient_domain`
pub const RECIPIENT: Restriction = Restriction {
    name: "reject_unknown_recipient_domain",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Refuses a recipient whose domain, not being ours, has neither exchangers nor addresses in the DNS.",
    run: recipient,
};

fn sender<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let sender = case.facts.sender;
    check(case, sender, class::SENDER)
}

fn recipient<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let recipient = case.facts.recipient;
    check(case, recipient, class::RECIPIENT)
}

/// Checks an address by name; also what `reject_unknown_address` did.
pub(crate) fn check<'a>(
    case: &'a mut Case<'_>,
    address: Option<&'a Address>,
    class: &'static str,
) -> Step<'a> {
    let Some(address) = address.filter(|address| !address.is_null()) else { return Step::DUNNO };
    Step::later(async move {
        let stop = match case.resolve(address).await {
            Ok(stop) => stop,
            Err(decision) => return decision,
        };
        let Some(domain) = stop.recipient.domain() else { return Decision::Dunno };
        let ours = matches!(
            stop.class,
            DomainClass::Local | DomainClass::VirtualAlias | DomainClass::VirtualMailbox
        );
        if ours || names::is_bracketed(domain) {
            return Decision::Dunno;
        }
        let found = find(case, domain).await;
        let before = case.turn_to(Subject { name: address.as_str().to_owned(), class });
        let decision = judge(case, domain, found, class);
        case.turn_to(before);
        decision
    })
}

/// What the DNS says of a mail domain.
enum Found {
    Mail,
    NullMx,
    Missing(Missing),
}

/// Exchangers, then addresses. A null MX is an answer.
async fn find(case: &Case<'_>, domain: &str) -> Found {
    let mut doubt = None;
    let mut nothing = Missing::NoSuchName;
    // Whatever is spoken here: the domain is known to others.
    for kind in [Kind::Mx, Kind::A, Kind::Aaaa] {
        match reply_filter::lookup(case, domain, kind).await {
            Ok(answer) => {
                let null = |data: &Data| matches!(data, Data::Mx { host, .. } if host.is_empty());
                return if answer.records.iter().all(null) { Found::NullMx } else { Found::Mail };
            }
            Err(missing) if missing.is_temporary() => doubt = Some(missing),
            Err(missing) => nothing = missing,
        }
    }
    Found::Missing(doubt.unwrap_or(nothing))
}

fn judge(case: &mut Case<'_>, domain: &str, found: Found, class: &'static str) -> Decision {
    let sender = class == class::SENDER;
    let codes = &case.judge.settings.codes;
    let detail = if sender { (1, 8) } else { (1, 2) };
    match found {
        Found::Mail => Decision::Dunno,
        Found::NullMx => {
            case.note("DNS", domain, None, "null MX");
            let (code, detail) = if sender { (550, (7, 27)) } else { (556, (1, 10)) };
            case.reject(code, detail, &format!("Domain {domain} does not accept mail (nullMX)"))
        }
        Found::Missing(missing) => {
            case.note("DNS", domain, None, &missing.to_string());
            let say = case.rejected("Domain not found");
            if missing.is_temporary() {
                let refusal = case.refusal(450, detail, say);
                case.tempfail(&codes.unknown_address_tempfail_action, refusal)
            } else {
                let refusal = case.refusal(codes.unknown_address_reject_code, detail, say);
                case.refuse(refusal)
            }
        }
    }
}
