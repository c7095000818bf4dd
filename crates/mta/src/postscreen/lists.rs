//! `postscreen_dnsbl_sites`: DNS lists, good and bad, each with a weight.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use filter::{Zone, reversed};
use net::dns::{Data, Kind, Resolver};
use tokio::task::JoinSet;

/// A list: `domain[=filter][*weight]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    zone: Zone,
    weight: i64,
}

/// What the lists say of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// The weights of the lists that have it.
    pub rank: i64,
    /// The list that counts most against it.
    pub blamed: Option<String>,
    /// The shortest time that an answer is good for, if there was one.
    pub ttl: Option<Duration>,
}

impl Site {
    /// Reads a word of the parameter.
    pub(super) fn parse(word: &str) -> Result<Site, String> {
        let (zone, weight) = match word.rsplit_once('*') {
            Some((zone, weight)) => {
                let weight = weight
                    .parse()
                    .map_err(|_| format!("bad DNSBL weight factor \"{weight}\" in \"{word}\""))?;
                (zone, weight)
            }
            None => (word, 1),
        };
        Ok(Site { zone: Zone::parse(zone)?, weight })
    }
}

/// Asks all lists at once. Those that do not answer in time say nothing.
pub(super) async fn score(sites: &[Site], resolver: &Resolver, ip: IpAddr, timeout: Duration) -> Score {
    let subject = reversed(ip);
    let mut questions = JoinSet::new();
    let mut asked: Vec<&str> = sites.iter().map(|site| site.zone.domain.as_str()).collect();
    asked.sort_unstable();
    asked.dedup();
    for domain in asked {
        let (resolver, domain, query) = (resolver.clone(), domain.to_owned(), format!("{subject}.{domain}"));
        questions.spawn(async move {
            let answer = tokio::time::timeout(timeout, resolver.lookup(&query, Kind::A)).await.ok()?.ok()?;
            let address = |data: &Data| if let Data::A(a) = data { Some(*a) } else { None };
            Some((domain, answer.records.iter().filter_map(address).collect::<Vec<_>>(), answer.ttl))
        });
    }
    let mut answers = HashMap::new();
    let mut ttl = None;
    while let Some(answer) = questions.join_next().await {
        if let Ok(Some((domain, addresses, seconds))) = answer {
            let seconds = Duration::from_secs(seconds.into());
            ttl = Some(ttl.map_or(seconds, |least: Duration| least.min(seconds)));
            answers.insert(domain, addresses);
        }
    }
    Score { ttl, ..add(sites, &answers) }
}

fn add(sites: &[Site], answers: &HashMap<String, Vec<Ipv4Addr>>) -> Score {
    let mut score = Score::default();
    let mut worst = 0;
    for Site { zone, weight } in sites {
        let listed = answers.get(&zone.domain).is_some_and(|list| list.iter().any(|a| zone.counts(*a)));
        if listed {
            score.rank = score.rank.saturating_add(*weight);
            if *weight > worst {
                worst = *weight;
                score.blamed = Some(zone.domain.clone());
            }
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_and_filters_choose() {
        let sites: Vec<Site> = [
            "bad.test*2",
            "worse.test=127.0.0.[2..3]*3",
            "good.test=127.0.0.9*-4",
            "good.test=127.0.0.8*-9",
            "no.test",
        ]
        .iter()
        .map(|word| Site::parse(word).unwrap())
        .collect();
        let answers = [("bad.test", 2), ("worse.test", 3), ("good.test", 9)]
            .map(|(domain, last)| (domain.to_owned(), vec![Ipv4Addr::new(127, 0, 0, last)]));
        let score = add(&sites, &HashMap::from(answers.clone()));
        assert_eq!((score.rank, score.blamed.as_deref()), (1, Some("worse.test")));
        let [bad, ..] = answers;
        assert_eq!(add(&sites, &HashMap::from([bad])).blamed.as_deref(), Some("bad.test"));
        assert!(Site::parse("x.test*y").unwrap_err().contains("weight"));
    }
}
