//! Names of old times: still understood, with advice.

use crate::Stage;
use crate::case::{Case, class};
use crate::dnsbl::{self, Listing, Zone, reversed};
use crate::names;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};
use crate::restrictions::{destination, helo, unknown_domain};

/// `permit_naked_ip_address`
pub const NAKED_ADDRESS: Restriction = Restriction {
    name: "permit_naked_ip_address",
    argument: Wanted::Nothing,
    since: Stage::Helo,
    doc: "Obsolete: says yes when the HELO name is an address without brackets.",
    run: naked_address,
};

/// `reject_maps_rbl`
pub const MAPS_RBL: Restriction = Restriction {
    name: "reject_maps_rbl",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Obsolete: refuses clients that one of maps_rbl_domains lists.",
    run: maps_rbl,
};

/// `check_relay_domains`
pub const RELAY_DOMAINS: Restriction = Restriction {
    name: "check_relay_domains",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Obsolete: says yes to recipients in our domains or relay_domains, and refuses all others.",
    run: relay_domains,
};

/// `reject_unknown_address`
pub const UNKNOWN_ADDRESS: Restriction = Restriction {
    name: "reject_unknown_address",
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Obsolete: as reject_unknown_sender_domain.",
    run: |case, _| {
        let sender = case.facts.sender;
        unknown_domain::check(case, sender, class::SENDER)
    },
};

/// Old name, name of today, and what to do about it.
const RENAMED: &[(&str, &str, &str)] = &[
    ("reject_unknown_client", "reject_unknown_client_hostname", "now called reject_unknown_client_hostname"),
    ("reject_unknown_hostname", "reject_unknown_helo_hostname", "now called reject_unknown_helo_hostname"),
    ("reject_invalid_hostname", "reject_invalid_helo_hostname", "now called reject_invalid_helo_hostname"),
    ("reject_non_fqdn_hostname", "reject_non_fqdn_helo_hostname", "now called reject_non_fqdn_helo_hostname"),
    ("reject_rbl", "reject_rbl_client", "now called reject_rbl_client"),
    ("check_recipient_maps", "reject_unlisted_recipient", "now called reject_unlisted_recipient"),
];

/// The name of today, and advice, for an old name.
pub(super) fn renamed(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    let (_, today, advice) = RENAMED.iter().find(|(old, ..)| old.eq_ignore_ascii_case(name))?;
    Some((today, Some(advice)))
}

/// What to use instead of a restriction that has no future.
pub(super) fn advice(name: &str) -> Option<&'static str> {
    Some(match name {
        "permit_naked_ip_address" => {
            "is deprecated; use permit_mynetworks or permit_sasl_authenticated instead"
        }
        "reject_maps_rbl" => "is deprecated; use \"reject_rbl_client domain-name\" instead",
        "check_relay_domains" => "is deprecated; use \"reject_unauth_destination\" instead",
        "reject_unknown_address" => "is deprecated; use reject_unknown_sender_domain instead",
        _ => return None,
    })
}

fn naked_address<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let Some(name) = case.facts.helo else { return Step::DUNNO };
    if !name.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b':') {
        return Step::DUNNO;
    }
    if names::address(name).is_none() {
        return Step::Ready(helo::literal(case, name));
    }
    Step::later(async move {
        let subject = case.subject.clone();
        case.permit(&rule.name, &subject, "").await
    })
}

fn maps_rbl<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let Some(ip) = case.facts.peer.ip else { return Step::DUNNO };
    Step::later(async move {
        let judge = case.judge;
        for domain in &judge.settings.restrictions.maps_rbl_domains {
            let Ok(zone) = Zone::parse(domain) else { continue };
            if let Listing::Listed { text, .. } = dnsbl::ask(case, &zone, &reversed(ip)).await {
                let address = &case.facts.peer.client.address;
                return dnsbl::reject(case, &zone, &text, address, class::CLIENT).await;
            }
        }
        Decision::Dunno
    })
}

fn relay_domains<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    Step::later(async move {
        match destination::is_ours(case).await {
            Some(Ok(true)) => {
                let subject = case.subject.clone();
                case.permit(&rule.name, &subject, "").await
            }
            Some(Ok(false)) => {
                let code = case.judge.settings.codes.relay_domains_reject_code;
                case.reject(code, (7, 1), "Relay access denied")
            }
            Some(Err(decision)) => decision,
            None => Decision::Dunno,
        }
    })
}
