//! `permit_sasl_authenticated`, `check_sasl_access`: clients that logged in.

use crate::Stage;
use crate::access;
use crate::case::{Case, Subject, class};
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `permit_sasl_authenticated`
pub const PERMIT: Restriction = Restriction {
    name: "permit_sasl_authenticated",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Says yes to clients that logged in.",
    run: permit,
};

/// `check_sasl_access`
pub const ACCESS: Restriction = Restriction {
    name: "check_sasl_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the login name in an access table.",
    run: check,
};

fn permit<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    if !case.judge.settings.logins || case.facts.peer.client.sasl_username.is_empty() {
        return Step::DUNNO;
    }
    Step::later(async move {
        let subject = case.client_subject();
        case.permit(&rule.name, &subject, "").await
    })
}

fn check<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let facts = case.facts;
    let login = facts.peer.client.sasl_username.as_str();
    if !case.judge.settings.logins || login.is_empty() {
        return Step::DUNNO;
    }
    Step::later(async move {
        let (maps, table) = rule.table();
        let found = maps.find(login).await;
        let before = case.turn_to(Subject { name: login.to_owned(), class: class::LOGIN });
        let decision = access::obey(case, table, login, found).await;
        case.turn_to(before);
        decision
    })
}
