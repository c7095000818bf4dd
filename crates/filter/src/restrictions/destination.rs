//! `reject_unauth_destination` and its kin: for whom we take mail. The lock on the relay.

use mail::Address;
use route::DomainClass;

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};

/// `reject_unauth_destination`
pub const REJECT_UNAUTH: Restriction = Restriction {
    name: "reject_unauth_destination",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Refuses a recipient in a domain that is neither ours nor in relay_domains.",
    run: |case, _| {
        let code = case.judge.settings.codes.relay_domains_reject_code;
        Step::later(refuse_strangers(case, code))
    },
};

/// `defer_unauth_destination`
pub const DEFER_UNAUTH: Restriction = Restriction {
    name: "defer_unauth_destination",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Refuses for now a recipient in a domain that is neither ours nor in relay_domains.",
    run: |case, _| {
        let code = case.judge.settings.codes.relay_domains_reject_code - 100;
        Step::later(refuse_strangers(case, code))
    },
};

/// `permit_auth_destination`
pub const PERMIT_AUTH: Restriction = Restriction {
    name: "permit_auth_destination",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Says yes to a recipient in a domain that is ours or in relay_domains.",
    run: permit,
};

/// Is mail for this recipient ours to take? `None` when there is no recipient.
pub(crate) async fn is_ours(case: &mut Case<'_>) -> Option<Result<bool, Decision>> {
    let recipient: &Address = case.facts.recipient.filter(|recipient| !recipient.is_null())?;
    let stop = match case.resolve(recipient).await {
        Ok(stop) => stop,
        Err(decision) => return Some(Err(decision)),
    };
    if stop.recipient.domain().is_none() {
        return Some(Ok(true));
    }
    // `user%elsewhere@here` looks like ours, and is not.
    if stop.routed && !case.judge.settings.untrusted_routing {
        return Some(Ok(false));
    }
    Some(Ok(stop.class != DomainClass::Default))
}

async fn refuse_strangers(case: &mut Case<'_>, code: i64) -> Decision {
    match is_ours(case).await {
        None | Some(Ok(true)) => Decision::Dunno,
        Some(Err(decision)) => decision,
        Some(Ok(false)) => {
            let recipient = case.facts.recipient.map(ToString::to_string).unwrap_or_default();
            let refusal = case.refusal(code, (7, 1), format!("<{recipient}>: Relay access denied"));
            case.refuse(refusal)
        }
    }
}

fn permit<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    Step::later(async move {
        match is_ours(case).await {
            Some(Ok(true)) => {
                let subject = case.subject.clone();
                case.permit(&rule.name, &subject, "").await
            }
            Some(Err(decision)) => decision,
            None | Some(Ok(false)) => Decision::Dunno,
        }
    })
}
