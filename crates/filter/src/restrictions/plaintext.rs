//! `reject_plaintext_session`.

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `reject_plaintext_session`
pub const RULE: Restriction = Restriction {
    name: "reject_plaintext_session",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Refuses a session that is not encrypted.",
    run,
};

fn run<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    if case.facts.peer.tls.is_some() {
        return Step::DUNNO;
    }
    let code = case.judge.settings.codes.plaintext_reject_code;
    let refusal = case.refusal(code, (7, 1), "Session encryption is required");
    Step::Ready(case.refuse(refusal))
}
