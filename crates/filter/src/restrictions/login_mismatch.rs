//! `reject_sender_login_mismatch` and its kin: who may use which sender address (`smtpd_sender_login_maps`).

use mail::Address;
use tables::{AddressSearch, Found};

use crate::Stage;
use crate::case::Case;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};

const LOGGED_IN_NAME: &str = "reject_authenticated_sender_login_mismatch";
const NOT_LOGGED_IN_NAME: &str = "reject_unauthenticated_sender_login_mismatch";
const KNOWN_NAME: &str = "reject_known_sender_login_mismatch";

/// `reject_sender_login_mismatch`
pub const ANY: Restriction = Restriction {
    name: "reject_sender_login_mismatch",
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a sender address whose owner is not logged in, or somebody else is.",
    run: any,
};

/// `reject_authenticated_sender_login_mismatch`
pub const LOGGED_IN: Restriction = Restriction {
    name: LOGGED_IN_NAME,
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a sender address that does not belong to whoever is logged in.",
    run: |case, _| Step::later(logged_in(case, LOGGED_IN_NAME, Unowned::Refused)),
};

/// `reject_unauthenticated_sender_login_mismatch`
pub const NOT_LOGGED_IN: Restriction = Restriction {
    name: NOT_LOGGED_IN_NAME,
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a sender address that has an owner when nobody is logged in.",
    run: |case, _| Step::later(not_logged_in(case)),
};

/// `reject_known_sender_login_mismatch`
pub const KNOWN: Restriction = Restriction {
    name: KNOWN_NAME,
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a sender address that has an owner who is not logged in.",
    run: known,
};

/// What becomes of an address without an owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unowned {
    Refused,
    Free,
}

fn any<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    Step::later(async move {
        match logged_in(case, LOGGED_IN_NAME, Unowned::Refused).await {
            Decision::Dunno => not_logged_in(case).await,
            decision => decision,
        }
    })
}

fn known<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    Step::later(async move {
        match logged_in(case, KNOWN_NAME, Unowned::Free).await {
            Decision::Dunno => not_logged_in(case).await,
            decision => decision,
        }
    })
}

/// The sender, when logins exist here at all.
fn sender<'c>(case: &Case<'c>, name: &str) -> Option<&'c Address> {
    let sender = case.facts.sender.filter(|sender| !sender.is_null())?;
    if case.judge.settings.logins {
        return Some(sender);
    }
    case.warning(&format!("restriction `{name}' ignored: no SASL support"));
    None
}

async fn owners(case: &mut Case<'_>, sender: &Address) -> Result<Option<Found>, Decision> {
    let stop = case.resolve(sender).await?;
    let settings = &case.judge.settings;
    let local = matches!(stop.class, route::DomainClass::Local);
    let search = AddressSearch::standard(&settings.recipient_delimiter, local);
    match settings.login_maps.find_address(stop.recipient.as_str(), search).await {
        Ok(found) => {
            let value = found.as_ref().map_or("no owner", |found| found.value.as_str());
            case.note("smtpd_sender_login_maps", sender.as_str(), None, value);
            Ok(found)
        }
        Err(trouble) => {
            case.warning(&trouble.to_string());
            Err(case.lookup_failed(sender.as_str()))
        }
    }
}

async fn logged_in(case: &mut Case<'_>, name: &str, unowned: Unowned) -> Decision {
    let Some(sender) = sender(case, name) else { return Decision::Dunno };
    let login = case.facts.peer.client.sasl_username.as_str();
    if login.is_empty() || case.judge.settings.login_maps.is_empty() {
        return Decision::Dunno;
    }
    let owner = match owners(case, sender).await {
        Ok(owner) => owner,
        Err(decision) => return decision,
    };
    let owns = match &owner {
        Some(found) => {
            found.value.split([',', ' ', '\t', '\r', '\n']).any(|owner| owner.eq_ignore_ascii_case(login))
        }
        None => unowned == Unowned::Free,
    };
    if owns {
        return Decision::Dunno;
    }
    refuse(case, sender, &format!("not owned by user {login}"))
}

async fn not_logged_in(case: &mut Case<'_>) -> Decision {
    let Some(sender) = sender(case, NOT_LOGGED_IN_NAME) else { return Decision::Dunno };
    if !case.facts.peer.client.sasl_username.is_empty() || case.judge.settings.login_maps.is_empty() {
        return Decision::Dunno;
    }
    match owners(case, sender).await {
        Ok(Some(_)) => refuse(case, sender, "not logged in"),
        Ok(None) => Decision::Dunno,
        Err(decision) => decision,
    }
}

fn refuse(case: &mut Case<'_>, sender: &Address, why: &str) -> Decision {
    let refusal = case.refusal(553, (7, 1), format!("<{sender}>: Sender address rejected: {why}"));
    case.refuse(refusal)
}
