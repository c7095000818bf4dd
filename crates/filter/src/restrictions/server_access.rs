//! `check_*_a_access`, `check_*_mx_access`, `check_*_ns_access`: what a table says of the servers of a domain.
//!
//! Name servers and exchangers are the stranger's own choice: a table may refuse them, never say yes to them.

use mail::Address;
use net::dns::{Data, Kind, Missing};

use crate::access;
use crate::case::{Case, Subject, class};
use crate::names;
use crate::restriction::{Decision, Restriction, Rule, Step, Wanted};
use crate::{NameLookup, Stage};

/// `check_client_a_access`
pub const CLIENT_A: Restriction = Restriction {
    name: "check_client_a_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the addresses of the client's verified name in an access table; a yes is not believed.",
    run: |case, rule| client(case, rule, Kind::A),
};

/// `check_client_mx_access`
pub const CLIENT_MX: Restriction = Restriction {
    name: "check_client_mx_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the mail exchangers of the client's verified name in an access table; a yes is not believed.",
    run: |case, rule| client(case, rule, Kind::Mx),
};

/// `check_client_ns_access`
pub const CLIENT_NS: Restriction = Restriction {
    name: "check_client_ns_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the name servers of the client's verified name in an access table; a yes is not believed.",
    run: |case, rule| client(case, rule, Kind::Ns),
};

/// `check_reverse_client_hostname_a_access`
pub const REVERSE_CLIENT_A: Restriction = Restriction {
    name: "check_reverse_client_hostname_a_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the addresses of the client's unverified name in an access table; a yes is not believed.",
    run: |case, rule| reverse_client(case, rule, Kind::A),
};

/// `check_reverse_client_hostname_mx_access`
pub const REVERSE_CLIENT_MX: Restriction = Restriction {
    name: "check_reverse_client_hostname_mx_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the mail exchangers of the client's unverified name in an access table; a yes is not believed.",
    run: |case, rule| reverse_client(case, rule, Kind::Mx),
};

/// `check_reverse_client_hostname_ns_access`
pub const REVERSE_CLIENT_NS: Restriction = Restriction {
    name: "check_reverse_client_hostname_ns_access",
    argument: Wanted::Table,
    since: Stage::Client,
    doc: "Looks up the name servers of the client's unverified name in an access table; a yes is not believed.",
    run: |case, rule| reverse_client(case, rule, Kind::Ns),
};

/// `check_helo_a_access`
pub const HELO_A: Restriction = Restriction {
    name: "check_helo_a_access",
    argument: Wanted::Table,
    since: Stage::Helo,
    doc: "Looks up the addresses of the HELO name in an access table; a yes is not believed.",
    run: |case, rule| helo(case, rule, Kind::A),
};

/// `check_helo_mx_access`
pub const HELO_MX: Restriction = Restriction {
    name: "check_helo_mx_access",
    argument: Wanted::Table,
    since: Stage::Helo,
    doc: "Looks up the mail exchangers of the HELO name in an access table; a yes is not believed.",
    run: |case, rule| helo(case, rule, Kind::Mx),
};

/// `check_helo_ns_access`
pub const HELO_NS: Restriction = Restriction {
    name: "check_helo_ns_access",
    argument: Wanted::Table,
    since: Stage::Helo,
    doc: "Looks up the name servers of the HELO name in an access table; a yes is not believed.",
    run: |case, rule| helo(case, rule, Kind::Ns),
};

/// `check_sender_a_access`
pub const SENDER_A: Restriction = Restriction {
    name: "check_sender_a_access",
    argument: Wanted::Table,
    since: Stage::Sender,
    doc: "Looks up the addresses of the sender's domain in an access table; a yes is not believed.",
    run: |case, rule| sender(case, rule, Kind::A),
};

/// `check_sender_mx_access`
pub const SENDER_MX: Restriction = Restriction {
    name: "check_sender_mx_access",
    argument: Wanted::Table,
    since: Stage::Sender,
    doc: "Looks up the mail exchangers of the sender's domain in an access table; a yes is not believed.",
    run: |case, rule| sender(case, rule, Kind::Mx),
};

/// `check_sender_ns_access`
pub const SENDER_NS: Restriction = Restriction {
    name: "check_sender_ns_access",
    argument: Wanted::Table,
    since: Stage::Sender,
    doc: "Looks up the name servers of the sender's domain in an access table; a yes is not believed.",
    run: |case, rule| sender(case, rule, Kind::Ns),
};

/// `check_recipient_a_access`
pub const RECIPIENT_A: Restriction = Restriction {
    name: "check_recipient_a_access",
    argument: Wanted::Table,
    since: Stage::Recipient,
    doc: "Looks up the addresses of the recipient's domain in an access table; a yes is not believed.",
    run: |case, rule| recipient(case, rule, Kind::A),
};

/// `check_recipient_mx_access`
pub const RECIPIENT_MX: Restriction = Restriction {
    name: "check_recipient_mx_access",
    argument: Wanted::Table,
    since: Stage::Recipient,
    doc: "Looks up the mail exchangers of the recipient's domain in an access table; a yes is not believed.",
    run: |case, rule| recipient(case, rule, Kind::Mx),
};

/// `check_recipient_ns_access`
pub const RECIPIENT_NS: Restriction = Restriction {
    name: "check_recipient_ns_access",
    argument: Wanted::Table,
    since: Stage::Recipient,
    doc: "Looks up the name servers of the recipient's domain in an access table; a yes is not believed.",
    run: |case, rule| recipient(case, rule, Kind::Ns),
};

fn client<'a>(case: &'a mut Case<'_>, rule: &'a Rule, kind: Kind) -> Step<'a> {
    let peer = case.facts.peer;
    if peer.client.name.eq_ignore_ascii_case("unknown") {
        return Step::DUNNO;
    }
    let subject = case.client_subject();
    Step::later(servers(case, rule, kind, &peer.client.name, subject))
}

fn reverse_client<'a>(case: &'a mut Case<'_>, rule: &'a Rule, kind: Kind) -> Step<'a> {
    let peer = case.facts.peer;
    if peer.reverse_lookup != NameLookup::Found || peer.client.reverse_name.eq_ignore_ascii_case("unknown") {
        return Step::DUNNO;
    }
    let subject = Subject { name: peer.client.reverse_name.clone(), class: class::REVERSE };
    Step::later(servers(case, rule, kind, &peer.client.reverse_name, subject))
}

fn helo<'a>(case: &'a mut Case<'_>, rule: &'a Rule, kind: Kind) -> Step<'a> {
    let Some(helo) = case.facts.helo else { return Step::DUNNO };
    let subject = Subject { name: helo.to_owned(), class: class::HELO };
    Step::later(servers(case, rule, kind, helo, subject))
}

fn sender<'a>(case: &'a mut Case<'_>, rule: &'a Rule, kind: Kind) -> Step<'a> {
    let sender = case.facts.sender;
    address(case, rule, kind, sender, class::SENDER)
}

fn recipient<'a>(case: &'a mut Case<'_>, rule: &'a Rule, kind: Kind) -> Step<'a> {
    let recipient = case.facts.recipient;
    address(case, rule, kind, recipient, class::RECIPIENT)
}

fn address<'a>(
    case: &'a mut Case<'_>,
    rule: &'a Rule,
    kind: Kind,
    address: Option<&'a Address>,
    class: &'static str,
) -> Step<'a> {
    let Some(address) = address.filter(|address| !address.is_null()) else { return Step::DUNNO };
    let subject = Subject { name: address.as_str().to_owned(), class };
    Step::later(servers(case, rule, kind, address.as_str(), subject))
}

/// Finds the servers of `name` and looks each up: by name, then by address.
async fn servers<'a>(
    case: &'a mut Case<'_>,
    rule: &'a Rule,
    kind: Kind,
    name: &'a str,
    subject: Subject,
) -> Decision {
    let (_, table) = rule.table();
    let domain = names::domain_of(name);
    let before = case.turn_to(subject);
    let decision = if names::is_bracketed(domain) {
        match kind {
            // An address has no name servers.
            Kind::Ns => Decision::Dunno,
            _ => literal(case, rule, table, domain).await,
        }
    } else {
        by_name(case, rule, kind, name, domain).await
    };
    case.turn_to(before);
    case.forbid_permit(rule, name, decision)
}

async fn literal(case: &mut Case<'_>, rule: &Rule, table: &str, domain: &str) -> Decision {
    let inner = &domain[1..domain.len() - 1];
    match names::literal(inner) {
        Some(address) => {
            address_access(case, rule, table, &address.to_string()).await.unwrap_or(Decision::Dunno)
        }
        None => Decision::Dunno,
    }
}

async fn by_name(case: &mut Case<'_>, rule: &Rule, kind: Kind, name: &str, domain: &str) -> Decision {
    let (_, table) = rule.table();
    let hosts = match hosts(case, kind, domain).await {
        Ok(hosts) => hosts,
        Err((asked, missing)) => {
            let asked = if asked.is_empty() { name } else { &asked };
            case.warning(&format!("Unable to look up {kind} host for {asked}: {missing}"));
            return Decision::Dunno;
        }
    };
    for host in hosts {
        if names::address(&host).is_some() {
            if let Some(decision) = address_access(case, rule, table, &host).await {
                return decision;
            }
            continue;
        }
        if kind != Kind::A {
            let (maps, _) = rule.table();
            let found = access::find_domain(case, maps, &host, true).await;
            if !matches!(found, Ok(None)) {
                return access::obey(case, table, &host, found).await;
            }
        }
        let addresses = match case.judge.outside.dns.host(&host).await {
            Ok(addresses) => addresses,
            Err(missing) => {
                if kind != Kind::A {
                    let why = if missing.is_temporary() {
                        "Temporary failure in name resolution"
                    } else {
                        "Name or service not known"
                    };
                    let (class, name) = (case.subject.class, &case.subject.name);
                    case.warning(&format!("Unable to look up {kind} host {host} for {class} {name}: {why}"));
                }
                continue;
            }
        };
        for address in addresses {
            if let Some(decision) = address_access(case, rule, table, &address.to_string()).await {
                return decision;
            }
        }
    }
    Decision::Dunno
}

/// What the table says of an address; `None` when it does not know it.
async fn address_access(case: &mut Case<'_>, rule: &Rule, table: &str, address: &str) -> Option<Decision> {
    let (maps, _) = rule.table();
    let found = access::find_address(maps, address).await;
    if matches!(found, Ok(None)) {
        return None;
    }
    Some(access::obey(case, table, address, found).await)
}

/// The names of the servers. A domain without MX is its own exchanger; without NS, its parents' servers serve it.
async fn hosts(case: &Case<'_>, kind: Kind, domain: &str) -> Result<Vec<String>, (String, Missing)> {
    if kind == Kind::A {
        return Ok(vec![domain.to_owned()]);
    }
    let mut asked = domain;
    loop {
        match case.judge.outside.dns.lookup(asked, kind).await {
            Ok(answer) => {
                let mut hosts: Vec<(u16, String)> = answer.records.into_iter().filter_map(server).collect();
                hosts.sort_by_key(|(preference, _)| *preference);
                return Ok(hosts.into_iter().map(|(_, host)| host).filter(|host| !host.is_empty()).collect());
            }
            Err(Missing::NoSuchName | Missing::NoSuchRecord) if kind == Kind::Mx => {
                return Ok(vec![domain.to_owned()]);
            }
            Err(missing @ (Missing::NoSuchName | Missing::NoSuchRecord)) => match asked.split_once('.') {
                Some((_, parent)) if !parent.is_empty() => asked = parent,
                _ => return Err((String::new(), missing)),
            },
            Err(missing) => return Err((asked.to_owned(), missing)),
        }
    }
}

fn server(data: Data) -> Option<(u16, String)> {
    match data {
        Data::Mx { preference, host } => Some((preference, host)),
        Data::Ns(host) => Some((0, host)),
        _ => None,
    }
}
