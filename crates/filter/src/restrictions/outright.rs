//! `permit`, `reject`, `defer`: the end of a list.

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `permit`
pub const PERMIT: Restriction = Restriction {
    name: "permit",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Says yes: the rest of the list is not asked.",
    run: permit,
};

/// `reject`
pub const REJECT: Restriction = Restriction {
    name: "reject",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Refuses with reject_code.",
    run: reject,
};

/// `defer`
pub const DEFER: Restriction = Restriction {
    name: "defer",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Refuses for now with defer_code.",
    run: defer,
};

fn permit<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    Step::later(async move {
        let subject = case.subject.clone();
        case.permit(&rule.name, &subject, "").await
    })
}

fn reject<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let code = case.judge.settings.codes.reject_code;
    Step::Ready(case.reject(code, (7, 1), "Access denied"))
}

fn defer<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let code = case.judge.settings.codes.defer_code;
    Step::Ready(case.reject(code, (3, 2), "Try again later"))
}
