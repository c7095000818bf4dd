//! The programs that a configuration names, and whether they answer: milters, policy servers, filters, next hops,
//! databases, login servers. Each is connected to once, nothing is said.

mod named;

use std::path::Path;
use std::time::Duration;

use conf::{Mistake, View};
use deliver::destination::Destination;
use net::dns::{Data, HostLookup, Kind, Missing, Resolver};

use super::warning;
use crate::config::Config;
use crate::interfaces;
use named::{Found, collect};

/// Who does not take a connection within this time does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most neighbours that are tried: a transport table may name thousands.
const MOST: usize = 64;

/// Every neighbour that does not answer.
pub async fn find(config: &Config, resolver: &Resolver) -> Vec<Mistake> {
    let Found { neighbours, mut mistakes } = collect(config);
    let left_out = neighbours.len().saturating_sub(MOST);
    let tried = neighbours.into_iter().take(MOST).map(|(name, neighbour)| {
        let view = config.view.clone();
        let resolver = resolver.clone();
        tokio::spawn(async move {
            let why = try_one(&view, &resolver, &neighbour.at).await.err()?;
            let place = neighbour.place.as_ref().map(|(file, line)| (file.as_path(), *line));
            Some(warning(place, format!("{} {name} does not answer: {why}", neighbour.role)))
        })
    });
    for one in tried.collect::<Vec<_>>() {
        mistakes.extend(one.await.ok().flatten());
    }
    if left_out > 0 {
        mistakes.push(warning(None, format!("{left_out} more next hops were not tried")));
    }
    mistakes
}

async fn try_one(view: &View, resolver: &Resolver, at: &Destination) -> Result<(), String> {
    let (host, port, literal) = match at {
        Destination::Unix(path) => {
            let path = Path::new(&view.get("queue_directory")).join(path);
            return net::connect::unix(&path, PATIENCE)
                .await
                .map(drop)
                .map_err(|error| format!("{}: {error}", path.display()));
        }
        Destination::Inet { host, port, literal } => (host.as_str(), *port, *literal),
    };
    let dns = !view.get("smtp_dns_support_level").eq_ignore_ascii_case("disabled");
    let mut hosts = vec![host.to_owned()];
    if dns && !literal && host.parse::<std::net::IpAddr>().is_err() {
        match resolver.lookup(host, Kind::Mx).await {
            Ok(answer) => {
                let mut servers: Vec<_> = answer.records.into_iter().filter_map(server).collect();
                servers.sort();
                hosts = servers.into_iter().map(|(_, host)| host).take(3).collect();
            }
            Err(missing) if missing.is_temporary() => return Err(format!("{host}: {missing}")),
            Err(_) => {}
        }
    }
    let mut why = "no mail server".to_owned();
    for host in hosts {
        match reach(view, resolver, &host, port, dns).await {
            Ok(()) => return Ok(()),
            Err(wrong) => why = wrong,
        }
    }
    Err(why)
}

fn server(record: Data) -> Option<(u16, String)> {
    match record {
        Data::Mx { preference, host } if !host.is_empty() => Some((preference, host)),
        _ => None,
    }
}

async fn reach(view: &View, resolver: &Resolver, host: &str, port: u16, dns: bool) -> Result<(), String> {
    let addresses = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => resolver
            .host(host, HostLookup { dns, native: true }, interfaces::protocols(view))
            .await
            .map_err(|missing| match missing {
                Missing::Temporary(why) => format!("{host}: {why}"),
                other => format!("{host}: {}", other.native_text()),
            })?,
    };
    let mut why = String::new();
    for address in addresses.into_iter().take(3) {
        match net::connect::tcp((address, port).into(), None, PATIENCE).await {
            Ok(_) => return Ok(()),
            Err(error) => why = format!("{host}[{address}]:{port}: {error}"),
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::config;
    use super::*;

    async fn texts(main: &str, master: &str) -> Vec<String> {
        let base =
            "smtp_dns_support_level = disabled\nmyhostname = mx.test\nqueue_directory = /nonexistent\n";
        let services = "smtp unix - - n - - smtp\nlmtp unix - - n - - lmtp\nlocal unix - n n - - local\n\
                        virtual unix - n n - - virtual\nrelay unix - - n - - smtp\n";
        let config = config(&format!("{base}{main}"), &format!("{services}{master}"));
        let resolver = Resolver::new(net::dns::Settings::parse(""), net::dns::Hosts::parse(""));
        find(&config, &resolver).await.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn who_answers_is_no_finding_and_who_does_not_is_named_with_its_place() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap().port();
        let dead = {
            let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            gone.local_addr().unwrap().port()
        };
        assert_eq!(texts("", "").await, Vec::<String>::new());
        let good = format!(
            "relayhost = [127.0.0.1]:{alive}\nsmtpd_milters = inet:127.0.0.1:{alive}\n\
             smtpd_recipient_restrictions = check_policy_service {{ inet:127.0.0.1:{alive}, timeout=1s }}, reject\n"
        );
        assert_eq!(texts(&good, "").await, Vec::<String>::new());
        for (main, master, part) in [
            (format!("relayhost = [127.0.0.1]:{dead}\n"), "", "main.cf, line 4: next hop of relayhost: "),
            (
                format!("non_smtpd_milters = {{ inet:127.0.0.1:{dead}, x=1 }}\n"),
                "",
                "milter of non_smtpd_milters: ",
            ),
            (
                "mailbox_transport = lmtp:unix:private/dovecot\n".to_owned(),
                "",
                "/nonexistent/private/dovecot: ",
            ),
            ("content_filter = scan:[127.0.0.1]:10024\n".to_owned(), "", "transport scan is no service"),
            (
                String::new(),
                "smtp inet n - n - - smtpd\n -o smtpd_client_restrictions=check_policy_service,unix:private/p\n",
                "policy server of smtpd_client_restrictions: unix:private/p does not answer",
            ),
            (
                format!("local_recipient_maps = socketmap:inet:127.0.0.1:{dead}:users\n"),
                "",
                "table server of ",
            ),
            ("relayhost = nobody.test\n".to_owned(), "", "nobody.test"),
            (
                "mailbox_transport = x\n".to_owned(),
                "x unix - n n - - pipe user=nobody argv=/no/such ${sender}\n",
                "no program /no/such",
            ),
        ] {
            let found = texts(&main, master).await;
            let [only] = found.as_slice() else { panic!("{main}{master}: {found:?}") };
            assert!(only.contains(part), "{only}");
        }
    }

    #[tokio::test]
    async fn next_hops_of_transport_tables_and_servers_of_databases_are_tried() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let transport =
            put("transport", "# far\na.test smtp:[127.0.0.1]:1\nb.test  relay:[127.0.0.1]:1\nc.test :\n");
        let sql = put("sql.cf", "hosts = 127.0.0.1:2, unix:/no/such\ndbname = x\n");
        let found =
            texts(&format!("transport_maps = hash:{transport}\nrelocated_maps = mysql:{sql}\n"), "").await;
        assert_eq!(found.len(), 3, "{found:?}");
        for (text, part) in found.iter().zip(["unix:/no/such", "[127.0.0.1]:1", "[127.0.0.1]:2"]) {
            assert!(found.iter().any(|text| text.contains(part)), "{text}: {part}");
        }
    }
}
