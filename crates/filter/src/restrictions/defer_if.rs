//! `defer_if_permit`, `defer_if_reject`: doubt that is settled at the end of the lists.

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `defer_if_permit`
pub const PERMIT: Restriction = Restriction {
    name: "defer_if_permit",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Refuses for now, unless a later restriction refuses for good.",
    run: if_permit,
};

/// `defer_if_reject`
pub const REJECT: Restriction = Restriction {
    name: "defer_if_reject",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Makes a later refusal one for now.",
    run: if_reject,
};

fn if_permit<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let refusal = case.refusal(450, (7, 0), case.rejected("defer_if_permit requested"));
    Step::Ready(case.defer_if_permit(refusal))
}

fn if_reject<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let refusal = case.refusal(450, (7, 0), case.rejected("defer_if_reject requested"));
    Step::Ready(case.defer_if_reject(refusal))
}
