//! `reject_unauth_pipelining`: clients that do not wait for our answers.

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `reject_unauth_pipelining`
pub const RULE: Restriction = Restriction {
    name: "reject_unauth_pipelining",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Refuses a client that sent commands ahead where the protocol does not let it.",
    run,
};

fn run<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    if !case.facts.improper_pipelining {
        return Step::DUNNO;
    }
    Step::Ready(case.reject(503, (5, 0), "Improper use of SMTP command pipelining"))
}
