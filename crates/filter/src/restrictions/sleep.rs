//! `sleep seconds`.

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Argument, Decision, Restriction, Rule, Step, Wanted, What};

/// `sleep`
pub const RULE: Restriction = Restriction {
    name: "sleep",
    argument: Wanted::Seconds,
    since: Stage::Client,
    doc: "Pauses that many seconds: impatient clients talk out of turn.",
    run,
};

fn run<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let What::Restriction(_, Argument::Pause(pause)) = &rule.what else { return Step::DUNNO };
    if case.standing.silent {
        return Step::DUNNO;
    }
    Step::later(async move {
        tokio::time::sleep(*pause).await;
        Decision::Dunno
    })
}
