//! `reject_unlisted_sender`, `reject_unlisted_recipient`: addresses in our domains that nobody has.

use mail::{Address, Blame, Detail, Refusal};
use route::{DomainClass, Listing, Stop};

use crate::Stage;
use crate::access::split_status;
use crate::case::{Case, Subject, class};
use crate::restriction::{Decision, Restriction, Step, Wanted};

/// `reject_unlisted_sender`
pub const SENDER: Restriction = Restriction {
    name: "reject_unlisted_sender",
    argument: Wanted::Nothing,
    since: Stage::Sender,
    doc: "Refuses a sender in one of our domains whom no table lists.",
    run: |case, _| Step::later(sender(case)),
};

/// `reject_unlisted_recipient`
pub const RECIPIENT: Restriction = Restriction {
    name: "reject_unlisted_recipient",
    argument: Wanted::Nothing,
    since: Stage::Recipient,
    doc: "Refuses a recipient in one of our domains whom no table lists.",
    run: |case, _| Step::later(recipient(case)),
};

/// Looks up the sender.
pub(crate) async fn sender(case: &mut Case<'_>) -> Decision {
    let Some(sender) = case.facts.sender.filter(|sender| !sender.is_null()) else { return Decision::Dunno };
    case.standing.sender_listed = true;
    check(case, sender, class::SENDER).await
}

/// Looks up the recipient.
pub(crate) async fn recipient(case: &mut Case<'_>) -> Decision {
    let Some(recipient) = case.facts.recipient.filter(|recipient| !recipient.is_null()) else {
        return Decision::Dunno;
    };
    case.recipient_listed |= !case.warns();
    check(case, recipient, class::RECIPIENT).await
}

async fn check(case: &mut Case<'_>, address: &Address, class: &'static str) -> Decision {
    let stop = match case.resolve(address).await {
        Ok(stop) => stop,
        Err(decision) => return decision,
    };
    let addresses = &case.judge.outside.addresses;
    let listing = if class == class::SENDER {
        addresses.listed_sender(address, &stop, case.trail).await
    } else {
        addresses.listed_recipient(address, &stop, case.trail).await
    };
    let before = case.turn_to(Subject { name: address.as_str().to_owned(), class });
    let decision = match listing {
        Ok(Listing::Listed) => Decision::Dunno,
        Ok(listing @ Listing::Unknown(domain)) => unknown(case, listing, domain, class),
        Ok(Listing::Refused) => refused(case, &stop, class),
        Err(trouble) if trouble.misconfigured => {
            case.warning(&trouble.to_string());
            let say = "Server configuration error";
            case.refuse(Refusal::later(51, Detail(3, 5), Blame::Ourselves, say))
        }
        Err(trouble) => {
            case.warning(&trouble.to_string());
            case.lookup_failed(address.as_str())
        }
    };
    case.turn_to(before);
    decision
}

fn unknown(case: &mut Case<'_>, listing: Listing, domain: DomainClass, class: &'static str) -> Decision {
    let Some(table) = listing.table() else { return Decision::Dunno };
    let codes = &case.judge.settings.codes;
    let code = match domain {
        DomainClass::VirtualAlias => codes.unknown_virtual_alias_reject_code,
        DomainClass::VirtualMailbox => codes.unknown_virtual_mailbox_reject_code,
        DomainClass::Relay => codes.unknown_relay_recipient_reject_code,
        DomainClass::Local | DomainClass::Default => codes.unknown_local_recipient_reject_code,
    };
    let detail = if class == class::SENDER { (1, 0) } else { (1, 1) };
    let text = if case.judge.settings.show_table {
        format!("User unknown in {table}")
    } else {
        "User unknown".to_owned()
    };
    nowhere(case, code, detail, &text)
}

/// Mail to it would come back.
fn nowhere(case: &mut Case<'_>, code: i64, detail: (u16, u16), text: &str) -> Decision {
    let mut refusal = case.refusal(code, detail, case.rejected(text));
    refusal.blame = Blame::Address;
    case.refuse(refusal)
}

/// The address leads to an `error:` (or `retry:`) transport, whose next hop says why.
fn refused(case: &mut Case<'_>, stop: &Stop, class: &'static str) -> Decision {
    let (status, text) = split_status(&stop.nexthop);
    let later = stop.transport == "retry";
    let code = match stop.class {
        _ if later => 450,
        DomainClass::VirtualAlias => case.judge.settings.codes.unknown_virtual_alias_reject_code,
        _ => 550,
    };
    let detail = match status {
        Some(status) => crate::access::fit_status(case, status, class),
        None if class == class::SENDER => (1, 0),
        None => (1, 1),
    };
    let text = if text.is_empty() { "User unknown" } else { text }.to_owned();
    nowhere(case, code, detail, &text)
}
