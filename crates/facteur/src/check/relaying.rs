//! Who may send mail through this server that should not: each SMTP service is put to the test with a stranger, and the
//! settings that are known to let strangers in are looked at.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use conf::{Mistake, Service, View};
use filter::{Facts, Judge, Peer, Stage, Standing, Verdict};
use mail::{Address, Trail};
use route::Router;
use tables::Tables;

use super::{at, stranger, views};
use crate::config::Config;
use crate::interfaces;

/// A table may be asked over the network; a service gets so long to make up its mind.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lists that are asked before a recipient is accepted.
const LISTS: [&str; 5] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
];

/// Restrictions whose subject every client may choose as he likes.
const FORGED: [&str; 2] = ["check_sender_access", "check_helo_access"];

/// What ends the search for ways around it.
const PROTECTION: [&str; 4] = ["reject_unauth_destination", "defer_unauth_destination", "reject", "defer"];

/// All ways in that are found.
pub async fn find(config: &Config, tables: &Tables) -> Vec<Mistake> {
    let mut found = Vec::new();
    for view in views(config) {
        found.extend(wide_networks(&view));
        found.extend(forgeable(&view));
    }
    for service in config.master.services.iter().filter(|service| service.command == "smtpd") {
        let tried = tokio::time::timeout(PATIENCE, relays(config, service, tables)).await;
        // Who takes so long refuses mail for now, or asks somebody who is named among the neighbours.
        found.extend(tried.ok().flatten());
    }
    let mut told = BTreeSet::new();
    found.retain(|mistake| told.insert(mistake.to_string()));
    found
}

/// Lets a stranger try one service.
async fn relays(config: &Config, service: &Service, tables: &Tables) -> Option<Mistake> {
    let view = without_policy(&config.view.for_service(service));
    let own = interfaces::own(&view, &mut Vec::new());
    let router = Arc::new(Router::new(&view, tables, own.clone(), &mut Vec::new()));
    let outside = stranger::outside(router, own.into());
    let judge = Judge::new(&view, tables, outside, "smtpd", &mut Vec::new());
    if judge.open_relay().is_some() {
        // Such a service does not start, which is told as a mistake.
        return None;
    }
    let ours = format!("postmaster@{}", view.get("myorigin"));
    for address in stranger::ADDRESSES {
        for (sender, whose) in [(stranger::SENDER, "any sender"), (&ours, "a sender of this site")] {
            let Some(why) = accepts(&judge, &stranger::peer(address), sender).await else { continue };
            let place = (service.file.as_path(), service.line);
            let text = format!(
                "service {}: an OPEN RELAY: a stranger ({address}) who gives {whose} may send mail to other \
                 strangers; what let him in: {why}",
                service.name
            );
            return Some(super::warning(Some(place), text));
        }
    }
    None
}

/// Why this client may send to strangers; `None` when he may not.
async fn accepts(judge: &Judge, peer: &Peer, sender: &str) -> Option<String> {
    let (sender, recipient) = (Address::from(sender), Address::from(stranger::RECIPIENT));
    let mut standing = Standing::default();
    standing.silent = true;
    let helo = peer.client.helo.as_str();
    let facts = Facts { instance: "check", command: "RCPT", ..Facts::at_connection(peer) };
    let facts = Facts { helo: Some(helo), sender: Some(&sender), recipient: Some(&recipient), ..facts };
    let mut because = None;
    for stage in [Stage::Client, Stage::Helo, Stage::Sender, Stage::Recipient] {
        let mut trail = Trail::on();
        if let Verdict::Refuse(_) = judge.judge(stage, &facts, &mut standing, &mut trail).await {
            return None;
        }
        because = trail.steps().iter().rfind(|step| lets_in(step)).map(ToString::to_string).or(because);
    }
    Some(because.unwrap_or_else(|| "no restriction forbids it".to_owned()))
}

/// Is it a step that opens the way, rather than one that leaves it as it is?
fn lets_in(step: &mail::Because) -> bool {
    let (list, classes) = (step.parameter.ends_with("_restrictions"), step.found.starts_with("listed"));
    (list && step.found.starts_with("permit")) || (!list && classes)
}

/// The view in which policy servers are not asked: they would count, and greylist, somebody who does not exist.
fn without_policy(view: &View) -> View {
    let classes = view.get("smtpd_restriction_classes");
    let lists = LISTS.into_iter().chain(tables::divide(&classes)).map(|name| {
        let value = view.get(name);
        let mut words = tables::divide(&value).into_iter();
        let mut kept = Vec::new();
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case("check_policy_service") {
                words.next();
            } else {
                kept.push(word);
            }
        }
        (name.to_owned(), kept.join(" "))
    });
    let lists: Vec<_> = lists.collect();
    view.with_overrides(&lists)
}

/// `mynetworks` that take in more than a site can have.
fn wide_networks(view: &View) -> Vec<Mistake> {
    let value = view.get("mynetworks");
    let mut found = Vec::new();
    for word in tables::divide(&value) {
        let Some((address, prefix)) = word.rsplit_once('/') else { continue };
        let Ok(prefix) = prefix.parse::<u8>() else { continue };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let Ok(address) = address.parse::<IpAddr>() else { continue };
        // Nobody has more than a /8, or a /19 of IPv6 (the largest ever given).
        // Link-local and unique local addresses of IPv6 lead nowhere else.
        let (most, private) = match address {
            IpAddr::V4(v4) => (8, v4.is_loopback()),
            IpAddr::V6(v6) => (19, v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
        };
        if prefix < most && !private {
            let text = format!(
                "mynetworks: {word} is larger than any site's network: strangers in it may relay, and get in without \
                 any check"
            );
            found.push(at(view, "mynetworks", text));
        }
    }
    let class = view.get("mynetworks_style").eq_ignore_ascii_case("class");
    if class && !view.is_set("mynetworks") {
        let text =
            "mynetworks_style = class trusts the provider's whole network: set mynetworks to the site's own";
        found.push(at(view, "mynetworks_style", text.to_owned()));
    }
    found
}

/// Tables asked for what the client says of itself before it is known whether the recipient is ours: an OK there
/// lets everybody relay who says the same.
fn forgeable(view: &View) -> Vec<Mistake> {
    let relay = "smtpd_relay_restrictions";
    let list = if view.get(relay).trim().is_empty() { "smtpd_recipient_restrictions" } else { relay };
    let value = view.get(list);
    let words = tables::divide(&value);
    let mut found = Vec::new();
    for pair in words.windows(2) {
        let word = pair[0].to_ascii_lowercase();
        if PROTECTION.contains(&word.as_str()) {
            break;
        }
        if FORGED.contains(&word.as_str()) {
            let text = format!(
                "{list}: {word} {} stands before reject_unauth_destination: an OK in it lets any stranger relay who \
                 gives that name; put it into smtpd_{}_restrictions",
                pair[1],
                if word == FORGED[0] { "sender" } else { "helo" }
            );
            found.push(at(view, list, text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;

    async fn texts(main: &str, options: &str) -> Vec<String> {
        let base = "compatibility_level = 3.6\nmyhostname = mx.test\ninet_interfaces = 127.0.0.1\nalias_maps =\nmynetworks = 127.0.0.0/8\n";
        let master = format!("smtp inet n - n - - smtpd {options}\n");
        let config = config(&format!("{base}{main}"), &master);
        let tables = crate::serve::tables(&config.view, &mut Vec::new());
        find(&config, &tables).await.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_closed_server_is_no_finding() {
        for main in [
            "",
            "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n",
            "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:1, reject_unauth_destination\n",
            "smtpd_sender_restrictions = check_sender_access static:ok\n",
            "relay_domains = example.com\nmynetworks = 127.0.0.0/8 10.0.0.0/8 [2001:db8:1::]/48 [fe80::]/10\n",
        ] {
            assert_eq!(texts(main, "").await, Vec::<String>::new(), "{main}");
        }
    }

    #[tokio::test]
    async fn open_relays_are_named_with_what_opens_them() {
        for (main, options, part) in [
            ("mynetworks = 0.0.0.0/0\n", "", "permit_mynetworks"),
            (
                "relay_domains = example.com static:all\n",
                "",
                "a stranger (203.0.113.77) who gives any sender",
            ),
            ("", "-o smtpd_relay_restrictions=check_client_access,static:ok,reject", "check_client_access"),
            ("", "-o smtpd_client_restrictions= -o mynetworks=[::]/0", "a stranger (2001:db8:77::77)"),
            (
                "smtpd_relay_restrictions = check_sender_access inline:{mx.test=OK}, reject_unauth_destination\n",
                "",
                "who gives a sender of this site",
            ),
        ] {
            let found = texts(main, options).await;
            assert!(
                found.iter().any(|text| text.contains("OPEN RELAY") && text.contains(part)),
                "{main}: {found:?}"
            );
        }
    }

    #[tokio::test]
    async fn doors_that_are_ajar_are_named() {
        let found = texts("mynetworks = 127.0.0.0/8 128.0.0.0/1\n", "").await;
        assert!(found.iter().any(|text| text.contains("128.0.0.0/1 is larger")), "{found:?}");
        let found = texts(
            "smtpd_relay_restrictions = check_helo_access inline:{friend.test=OK}, reject_unauth_destination\n",
            "",
        )
        .await;
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert!(only.contains("put it into smtpd_helo_restrictions"), "{only}");
    }
}
