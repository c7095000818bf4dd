//! `permit_mynetworks`, `permit_inet_interfaces`: clients we know by address.

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};

/// `permit_mynetworks`
pub const MYNETWORKS: Restriction = Restriction {
    name: "permit_mynetworks",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Says yes to clients in mynetworks.",
    run: mynetworks,
};

/// `permit_inet_interfaces`
pub const INET_INTERFACES: Restriction = Restriction {
    name: "permit_inet_interfaces",
    argument: Wanted::Nothing,
    since: Stage::Client,
    doc: "Says yes to clients that call from one of our own addresses.",
    run: inet_interfaces,
};

fn mynetworks<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let Some(ip) = case.facts.peer.ip else { return Step::DUNNO };
    Step::later(async move {
        let name = &case.facts.peer.client.name;
        match case.judge.settings.mynetworks.matches_host(name, ip).await {
            Ok(true) => {
                let subject = case.client_subject();
                case.permit(&rule.name, &subject, "").await
            }
            Ok(false) => Decision::Dunno,
            Err(trouble) => {
                // Doubt about who is trusted is no trust, and no reason to refuse for good.
                case.warning(&trouble.to_string());
                let name = case.subject.name.clone();
                case.lookup_failed(&name)
            }
        }
    })
}

fn inet_interfaces<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let ours = case.facts.peer.ip.is_some_and(|ip| case.judge.outside.own_addresses.contains(&ip));
    if !ours {
        return Step::DUNNO;
    }
    Step::later(async move {
        let subject = case.client_subject();
        case.permit(&rule.name, &subject, "").await
    })
}
