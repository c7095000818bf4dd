//! What the DNS should know of this server: addresses and name of the host, mail servers and SPF of its domains.

use std::collections::BTreeMap;
use std::net::IpAddr;

use conf::Mistake;
use net::dns::{Data, Kind, Missing, Resolver};

use super::{at, warning};
use crate::config::Config;
use crate::interfaces;

/// Lists of domains for which mail comes in.
const LISTS: [&str; 4] =
    ["mydestination", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains"];

/// Most domains that are asked for.
const MOST: usize = 50;

/// Names that are never in the DNS (RFC 2606, RFC 6761, RFC 6762).
const PRIVATE: [&str; 8] =
    ["localhost", "localdomain", "local", "test", "example", "invalid", "internal", "lan"];

/// Everything that is missing. Nothing is asked where the configuration says that there is no DNS.
pub async fn find(config: &Config, resolver: &Resolver) -> Vec<Mistake> {
    let view = &config.view;
    let off = view.get("smtp_dns_support_level").eq_ignore_ascii_case("disabled")
        || view.get("disable_dns_lookups").eq_ignore_ascii_case("yes");
    if off {
        return Vec::new();
    }
    let host = view.get("myhostname");
    let asked = host_records(config, resolver, &host).await;
    let mut found = match asked {
        Ok(found) => found,
        Err(why) => {
            return vec![warning(
                None,
                format!("the DNS does not answer ({why}): nothing was looked up in it"),
            )];
        }
    };
    let domains: Vec<(String, &str)> = domains(config, &host).into_iter().take(MOST).collect();
    let mut tasks = Vec::new();
    for (domain, parameter) in domains {
        let resolver = resolver.clone();
        tasks.push((parameter, tokio::spawn(async move { domain_records(&resolver, &domain).await })));
    }
    for (parameter, task) in tasks {
        let texts = task.await.unwrap_or_default();
        found.extend(texts.into_iter().map(|text| at(view, parameter, text)));
    }
    found
}

/// Domains that stand in the lists by name, each with the list. Tables are not looked through.
fn domains(config: &Config, host: &str) -> BTreeMap<String, &'static str> {
    let mut domains = BTreeMap::new();
    for parameter in LISTS {
        let value = config.view.get(parameter);
        for word in tables::divide(&value) {
            let name = word.trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
            let is_name = !word.starts_with('!') && !name.contains([':', '/', '=', '[']);
            if is_name && is_public(&name) && name != host.to_ascii_lowercase() {
                domains.entry(name).or_insert(parameter);
            }
        }
    }
    domains
}

fn is_public(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| !PRIVATE.contains(&last))
}

/// The host itself. The error: the DNS does not answer.
async fn host_records(config: &Config, resolver: &Resolver, host: &str) -> Result<Vec<Mistake>, String> {
    let view = &config.view;
    let mut found = Vec::new();
    if !is_public(host) {
        let text =
            format!("myhostname = {host} is no name of the public DNS: other servers may refuse its mail");
        return Ok(vec![at(view, "myhostname", text)]);
    }
    let addresses = match resolver.addresses(host, interfaces::protocols(view)).await {
        Ok(addresses) => addresses,
        Err(Missing::Temporary(why)) => return Err(why),
        Err(_) => {
            let text = format!(
                "myhostname: {host} has no A or AAAA record: servers that check the name in HELO refuse its mail"
            );
            return Ok(vec![at(view, "myhostname", text)]);
        }
    };
    for address in &addresses {
        let names = names_of(resolver, *address).await?;
        let text = match names.as_slice() {
            [] => {
                format!("myhostname: {host}[{address}] has no PTR record: many servers refuse mail from it")
            }
            names if !names.iter().any(|name| name.eq_ignore_ascii_case(host)) => {
                format!("myhostname: the PTR record of {address} is {}, not {host}", names.join(", "))
            }
            _ => continue,
        };
        found.push(at(view, "myhostname", text));
    }
    Ok(found)
}

async fn names_of(resolver: &Resolver, address: IpAddr) -> Result<Vec<String>, String> {
    match resolver.reverse(address).await {
        Ok(answer) => Ok(answer
            .records
            .into_iter()
            .filter_map(|record| match record {
                Data::Ptr(name) => Some(name),
                _ => None,
            })
            .collect()),
        Err(Missing::Temporary(why)) => Err(why),
        Err(_) => Ok(Vec::new()),
    }
}

/// One domain: somewhere for its mail to go, and who may send in its name.
async fn domain_records(resolver: &Resolver, domain: &str) -> Vec<String> {
    let (mx, txt) = tokio::join!(resolver.lookup(domain, Kind::Mx), resolver.lookup(domain, Kind::Txt));
    let mut texts = Vec::new();
    match mx {
        Ok(answer) => {
            let null = |record: &Data| matches!(record, Data::Mx { host, .. } if host.is_empty());
            if answer.records.iter().any(null) {
                texts.push(format!("{domain} has a null MX record: nobody sends mail to it"));
            }
        }
        Err(missing) if missing.is_temporary() => texts.push(format!("{domain}: MX record: {missing}")),
        Err(_) => match resolver.addresses(domain, net::dns::Protocols { v4: true, v6: true }).await {
            Ok(_) => {}
            Err(missing) if missing.is_temporary() => texts.push(format!("{domain}: A record: {missing}")),
            Err(_) => {
                texts.push(format!("{domain} has no MX record and no address: nobody can send mail to it"))
            }
        },
    }
    match txt {
        Ok(answer) if answer.records.iter().any(is_spf) => {}
        Err(missing) if missing.is_temporary() => {}
        _ => texts.push(format!("{domain} has no SPF record: other servers trust mail in its name less")),
    }
    texts
}

fn is_spf(record: &Data) -> bool {
    matches!(record, Data::Txt(text) if text.to_ascii_lowercase().starts_with("v=spf1"))
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;

    #[test]
    fn domains_are_names_that_stand_in_lists() {
        let config = config(
            "myhostname = mx.site.org\nmydestination = $myhostname, site.org, localhost, hash:/x, !no.org\n\
             relay_domains = .far.org box.test /etc/list\n",
            "",
        );
        let found: Vec<(String, &str)> = domains(&config, "mx.site.org").into_iter().collect();
        assert_eq!(
            found,
            [("far.org".to_owned(), "relay_domains"), ("site.org".to_owned(), "mydestination")]
        );
    }

    #[tokio::test]
    async fn without_dns_nothing_is_asked() {
        let config = config("smtp_dns_support_level = disabled\nmyhostname = x\n", "");
        let resolver =
            Resolver::new(net::dns::Settings::parse("nameserver 127.0.0.1\n"), net::dns::Hosts::parse(""));
        assert!(find(&config, &resolver).await.is_empty());
    }

    #[tokio::test]
    async fn a_dns_that_does_not_answer_is_told_once() {
        let config = config("myhostname = mx.site.org\nmydestination = a.org b.org\n", "");
        let resolver = Resolver::new(
            net::dns::Settings::parse("nameserver 127.255.255.1\noptions timeout:1 attempts:1\n"),
            net::dns::Hosts::parse(""),
        );
        let found = find(&config, &resolver).await;
        let [only] = found.as_slice() else { panic!("{found:?}") };
        assert!(only.text.contains("the DNS does not answer"), "{only}");
    }
}
