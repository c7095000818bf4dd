//! `check_policy_service`: a server of the site decides.

use crate::Stage;
use crate::access::{self, Source};
use crate::case::Case;
use crate::restriction::{Argument, Restriction, Rule, Step, Wanted, What};

/// `check_policy_service`
pub const RULE: Restriction = Restriction {
    name: "check_policy_service",
    argument: Wanted::Server,
    since: Stage::Client,
    doc: "Asks a policy server, and does the access(5) action it answers.",
    run,
};

fn run<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let What::Restriction(_, Argument::Server(server)) = &rule.what else { return Step::DUNNO };
    Step::later(async move {
        let action = server.ask(case).await;
        case.note(server.name(), "smtpd_access_policy", None, &action);
        let source = Source { table: server.name(), key: "policy query" };
        access::act(case, &action, source).await
    })
}
