//! `reject_unknown_helo_hostname`.

use net::dns::{Kind, Missing};

use crate::Stage;
use crate::case::{Case, Subject, class};
use crate::reply_filter;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};
use crate::restrictions::helo;

/// `reject_unknown_helo_hostname`
pub const RULE: Restriction = Restriction {
    name: "reject_unknown_helo_hostname",
    argument: Wanted::Nothing,
    since: Stage::Helo,
    doc: "Refuses a HELO name that has neither addresses nor mail exchangers in the DNS.",
    run,
};

fn run<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let Some(name) = case.facts.helo else { return Step::DUNNO };
    if name.starts_with('[') {
        return Step::Ready(helo::literal(case, name));
    }
    Step::later(async move {
        let missing = match find(case, name).await {
            Ok(()) => return Decision::Dunno,
            Err(missing) => missing,
        };
        case.note("DNS", name, None, &missing.to_string());
        let before = case.turn_to(Subject { name: name.to_owned(), class: class::HELO });
        let settings = &case.judge.settings;
        let say = case.rejected("Host not found");
        let decision = if missing.is_temporary() {
            let refusal = case.refusal(450, (7, 1), say);
            case.tempfail(&settings.codes.unknown_helo_hostname_tempfail_action, refusal)
        } else {
            let refusal = case.refusal(settings.codes.unknown_hostname_reject_code, (7, 1), say);
            case.refuse(refusal)
        };
        case.turn_to(before);
        decision
    })
}

/// Addresses, then exchangers. Doubt about any of them is doubt about the name.
async fn find(case: &Case<'_>, name: &str) -> Result<(), Missing> {
    let mut doubt = None;
    let mut nothing = Missing::NoSuchName;
    for kind in [Kind::A, Kind::Aaaa, Kind::Mx] {
        match reply_filter::lookup(case, name, kind).await {
            Ok(_) => return Ok(()),
            Err(missing) if missing.is_temporary() => doubt = Some(missing),
            Err(missing) => nothing = missing,
        }
    }
    Err(doubt.unwrap_or(nothing))
}
