//! `reject_unverified_sender`, `reject_unverified_recipient`: addresses that a probe can reach.

use std::time::Duration;

use mail::Address;

use crate::case::{Case, Subject, class};
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};
use crate::{Probe, Stage};

/// `reject_unverified_sender`
pub const SENDER: Restriction = Restriction {
    name: "reject_unverified_sender",
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a sender to whom mail would not be delivered: a probe is sent to find out.",
    run: sender,
};

/// `reject_unverified_recipient`
pub const RECIPIENT: Restriction = Restriction {
    name: "reject_unverified_recipient",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Refuses a recipient to whom mail would not be delivered: a probe is sent to find out.",
    run: recipient,
};

/// What the parameters say for a sender or a recipient.
struct Replies<'a> {
    class: &'static str,
    detail: (u16, u16),
    defer_code: i64,
    reject_code: i64,
    tempfail: &'a str,
    reason: &'a str,
}

fn sender<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let Some(sender) = case.facts.sender.filter(|it| !it.is_null()) else { return Step::DUNNO };
    let codes = &case.judge.settings.codes;
    let replies = Replies {
        class: class::SENDER,
        detail: (1, 7),
        defer_code: codes.unverified_sender_defer_code,
        reject_code: codes.unverified_sender_reject_code,
        tempfail: &codes.unverified_sender_tempfail_action,
        reason: &codes.unverified_sender_reject_reason,
    };
    Step::later(check(case, sender, replies))
}

fn recipient<'a>(case: &'a mut Case<'_>, _: &'a Rule) -> Step<'a> {
    let Some(recipient) = case.facts.recipient.filter(|it| !it.is_null()) else { return Step::DUNNO };
    let codes = &case.judge.settings.codes;
    let replies = Replies {
        class: class::RECIPIENT,
        detail: (1, 1),
        defer_code: codes.unverified_recipient_defer_code,
        reject_code: codes.unverified_recipient_reject_code,
        tempfail: &codes.unverified_recipient_tempfail_action,
        reason: &codes.unverified_recipient_reject_reason,
    };
    Step::later(check(case, recipient, replies))
}

async fn check<'a>(case: &'a mut Case<'_>, address: &'a Address, replies: Replies<'a>) -> Decision {
    let probe = poll(case, address).await;
    case.note("verify", address.as_str(), None, &format!("{probe:?}"));
    let before = case.turn_to(Subject { name: address.as_str().to_owned(), class: replies.class });
    let decision = judge(case, probe, &replies);
    case.turn_to(before);
    decision
}

/// Asks until there is a result, a few times.
async fn poll(case: &Case<'_>, address: &Address) -> Probe {
    let verify = &case.judge.settings.verify;
    let pause: Duration = verify.address_verify_poll_delay;
    let full = case.judge.outside.addresses.rewrite(address);
    let stress = case.facts.peer.stress;
    let settings = &case.judge.settings;
    let mut left = if stress { settings.stressed_polls } else { verify.address_verify_poll_count };
    loop {
        let probe = case.judge.outside.verifier.verify(&full).await;
        left -= 1;
        if left <= 0 || !matches!(probe, Probe::Pending) || case.standing.silent {
            return probe;
        }
        tokio::time::sleep(pause).await;
    }
}

fn judge(case: &mut Case<'_>, probe: Probe, replies: &Replies<'_>) -> Decision {
    let (code, why) = match probe {
        Probe::Deliverable => return Decision::Dunno,
        Probe::Trouble(why) => {
            case.warning(&format!("address verification: {why}"));
            let refusal = case.refusal(450, replies.detail, case.rejected("address verification problem"));
            return case.defer_if_permit(refusal);
        }
        Probe::Pending => (replies.defer_code, "Address verification in progress".to_owned()),
        Probe::Deferred(why) => (replies.defer_code, why),
        Probe::Undeliverable(why) => (replies.reject_code, why),
    };
    if code / 100 == 2 {
        return Decision::Dunno;
    }
    let why = if code >= 400 && !replies.reason.is_empty() { replies.reason } else { &why };
    // What another server said may be long; a reply line has an end.
    let why: String = why.chars().take(250).collect();
    if code / 100 == 4 {
        let refusal =
            case.refusal(code, replies.detail, case.rejected(&format!("unverified address: {why}")));
        case.tempfail(replies.tempfail, refusal)
    } else {
        case.reject(code, replies.detail, &format!("undeliverable address: {why}"))
    }
}
