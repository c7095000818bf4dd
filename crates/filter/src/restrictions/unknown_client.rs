//! `reject_unknown_client_hostname`, `reject_unknown_reverse_client_hostname`.

use crate::case::Case;
use crate::restriction::{Restriction, Rule, Step, Wanted};
use crate::{NameLookup, Stage};

/// `reject_unknown_client_hostname`
pub const NAME: Restriction = Restriction {
    name: "reject_unknown_client_hostname",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Refuses a client whose address has no name that leads back to it.",
    run: name,
};

/// `reject_unknown_reverse_client_hostname`
pub const REVERSE_NAME: Restriction = Restriction {
    name: "reject_unknown_reverse_client_hostname",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Refuses a client whose address has no name.",
    run: reverse_name,
};

fn name<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let peer = case.facts.peer;
    refuse(case, &peer.client.name, peer.name_lookup, (7, 25), "hostname")
}

fn reverse_name<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let peer = case.facts.peer;
    refuse(case, &peer.client.reverse_name, peer.reverse_lookup, (7, 1), "reverse hostname")
}

fn refuse<'a>(
    case: &'a mut Case<'_>,
    name: &str,
    lookup: NameLookup,
    detail: (u16, u16),
    what: &str,
) -> Step<'a> {
    if !name.eq_ignore_ascii_case("unknown") {
        return Step::DUNNO;
    }
    // A name server that does not answer is no reason to refuse for good.
    let code =
        if lookup == NameLookup::Later { 450 } else { case.judge.settings.codes.unknown_client_reject_code };
    let say = format!("Client host rejected: cannot find your {what}, [{}]", case.facts.peer.client.address);
    let refusal = case.refusal(code, detail, say);
    Step::Ready(case.refuse(refusal))
}
