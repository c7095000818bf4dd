//! `check_client_access` and its kin: what a table says of a name or an address.

use crate::Stage;
use crate::access;
use crate::case::{Case, Subject, class};
use crate::restriction::{Restriction, Rule, Step, Wanted};

/// `check_client_access`
pub const CLIENT: Restriction = Restriction {
    name: "check_client_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the client's name, its parent domains, its address and networks in an access table.",
    run: client,
};

/// `check_reverse_client_hostname_access`
pub const REVERSE_CLIENT: Restriction = Restriction {
    name: "check_reverse_client_hostname_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the unverified name of the client, its address and networks; a yes is not believed.",
    run: reverse_client,
};

/// `check_helo_access`
pub const HELO: Restriction = Restriction {
    name: "check_helo_access",
    argument: Wanted::Table,
    since: Stage::Helo,
    doc: "Looks up the HELO name and its parent domains in an access table.",
    run: helo,
};

/// `check_sender_access`
pub const SENDER: Restriction = Restriction {
    name: "check_sender_access",
    argument: Wanted::Table,
    since: Stage::Sender,
    doc: "Looks up MAIL FROM, its domain and parents, and its user part in an access table.",
    run: sender,
};

/// `check_recipient_access`
pub const RECIPIENT: Restriction = Restriction {
    name: "check_recipient_access",
    argument: Wanted::Table,
    since: Stage::Recipient,
    doc: "Looks up RCPT TO, its domain and parents, and its user part in an access table.",
    run: recipient,
};

/// `check_etrn_access`
pub const ETRN: Restriction = Restriction {
    name: "check_etrn_access",
    argument: Wanted::Table,
    since: Stage::Etrn,
    doc: "Looks up the ETRN domain and its parents in an access table.",
    run: etrn,
};

fn client<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    Step::later(async move {
        let (maps, table) = rule.table();
        let client = &case.facts.peer.client;
        let found = access::find_host(case, maps, &client.name, &client.address).await;
        let subject = case.client_subject();
        let before = case.turn_to(subject);
        let decision = access::obey(case, table, &client.name, found).await;
        case.turn_to(before);
        decision
    })
}

fn reverse_client<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    Step::later(async move {
        let (maps, table) = rule.table();
        let client = &case.facts.peer.client;
        let found = access::find_host(case, maps, &client.reverse_name, &client.address).await;
        let name = client.reverse_name.as_str();
        let before = case.turn_to(Subject { name: name.to_owned(), class: class::REVERSE });
        let decision = access::obey(case, table, name, found).await;
        case.turn_to(before);
        case.forbid_permit(rule, name, decision)
    })
}

fn helo<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let helo = case.facts.helo;
    domain(case, rule, helo, class::HELO)
}

fn etrn<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let site = case.facts.etrn;
    domain(case, rule, site, class::ETRN)
}

fn domain<'a>(
    case: &'a mut Case<'_>,
    rule: &'a Rule,
    name: Option<&'a str>,
    class: &'static str,
) -> Step<'a> {
    let Some(name) = name else { return Step::DUNNO };
    Step::later(async move {
        let (maps, table) = rule.table();
        let found = access::find_domain(case, maps, name, true).await;
        let before = case.turn_to(Subject { name: name.to_owned(), class });
        let decision = access::obey(case, table, name, found).await;
        case.turn_to(before);
        decision
    })
}

fn sender<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let sender = case.facts.sender;
    address(case, rule, sender, class::SENDER)
}

fn recipient<'a>(case: &'a mut Case<'_>, rule: &'a Rule) -> Step<'a> {
    let recipient = case.facts.recipient.filter(|recipient| !recipient.is_null());
    address(case, rule, recipient, class::RECIPIENT)
}

fn address<'a>(
    case: &'a mut Case<'_>,
    rule: &'a Rule,
    address: Option<&'a mail::Address>,
    class: &'static str,
) -> Step<'a> {
    let Some(address) = address else { return Step::DUNNO };
    Step::later(async move {
        let (maps, table) = rule.table();
        let judge = case.judge;
        let (key, found) = if address.is_null() {
            let key = judge.settings.restrictions.smtpd_null_access_lookup_key.as_str();
            (key.to_owned(), maps.find(key).await)
        } else {
            // The table is asked for the full form: `user` is `user@myorigin`.
            let stop = match case.resolve(address).await {
                Ok(stop) => stop,
                Err(decision) => return decision,
            };
            (stop.recipient.to_string(), access::find_mail(case, maps, &stop.recipient).await)
        };
        let before = case.turn_to(Subject { name: address.as_str().to_owned(), class });
        let decision = access::obey(case, table, &key, found).await;
        case.turn_to(before);
        decision
    })
}
