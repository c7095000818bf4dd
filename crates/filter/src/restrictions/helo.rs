//! `reject_invalid_helo_hostname`, `reject_non_fqdn_helo_hostname`: the form of the HELO name.

use crate::Stage;
use crate::case::{Case, Subject, class};
use crate::names;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};

/// `reject_invalid_helo_hostname`
pub const INVALID: Restriction = Restriction {
    name: "reject_invalid_helo_hostname",
    argument: Wanted::Nothing,
    since: Stage::Helo,
    doc: "Refuses a HELO name that is no host name and no address.",
    run: invalid,
};

/// `reject_non_fqdn_helo_hostname`
pub const NON_FQDN: Restriction = Restriction {
    name: "reject_non_fqdn_helo_hostname",
    argument: Wanted::Nothing,
    since: Stage::Helo,
    doc: "Refuses a HELO name that is neither a full host name nor an address literal.",
    run: non_fqdn,
};

fn invalid<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let Some(helo) = case.facts.helo else { return Step::DUNNO };
    if helo.starts_with('[') {
        return Step::Ready(literal(case, helo));
    }
    let name = without_dot(helo);
    if names::is_host_name(name) || names::address(name).is_some() {
        return Step::DUNNO;
    }
    let code = case.judge.settings.codes.invalid_hostname_reject_code;
    Step::Ready(refuse(case, helo, code, "Invalid name"))
}

fn non_fqdn<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let Some(helo) = case.facts.helo else { return Step::DUNNO };
    if helo.starts_with('[') {
        return Step::Ready(literal(case, helo));
    }
    let name = without_dot(helo);
    if names::is_host_name(name) && name.contains('.') {
        return Step::DUNNO;
    }
    let code = case.judge.settings.codes.non_fqdn_reject_code;
    Step::Ready(refuse(case, helo, code, "need fully-qualified hostname"))
}

/// Refuses `[…]` that holds no address.
pub(crate) fn literal(case: &mut Case<'_>, helo: &str) -> Decision {
    let inner = helo.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if inner.and_then(names::literal).is_some() {
        return Decision::Dunno;
    }
    let code = case.judge.settings.codes.invalid_hostname_reject_code;
    refuse(case, helo, code, "invalid ip address")
}

/// One dot at the end makes a name no worse.
pub(crate) fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').filter(|rest| !rest.is_empty() && !rest.ends_with('.')).unwrap_or(name)
}

fn refuse(case: &mut Case<'_>, helo: &str, code: i64, text: &str) -> Decision {
    let before = case.turn_to(Subject { name: helo.to_owned(), class: class::HELO });
    let decision = case.reject(code, (5, 2), text);
    case.turn_to(before);
    decision
}
