//! DNS lists of clients and of domains in links, each with its points.

use std::net::Ipv4Addr;
use std::time::Duration;

use filter::Zone;
use net::dns::{Data, Kind, Resolver};
use scan::spam::Finding;
use tokio::task::JoinSet;

/// Most questions about one message.
const QUESTIONS: usize = 60;

/// A list: `domain[=filter]*points`.
#[derive(Clone, Debug)]
pub(crate) struct List {
    zone: Zone,
    points: f64,
}

impl List {
    /// Reads a word of the parameter.
    pub(crate) fn parse(word: &str) -> Result<List, String> {
        let (zone, points) = match word.rsplit_once('*') {
            None => (word, 1.0),
            Some((zone, points)) => {
                let number = points.parse().ok().filter(|number: &f64| number.abs() <= 100.0);
                (zone, number.ok_or_else(|| format!("\"{points}\" in \"{word}\" is no number of points"))?)
            }
        };
        Ok(List { zone: Zone::parse(zone)?, points })
    }
}

/// Asks all lists about all subjects at once. Those that do not answer in time say nothing. A list counts once,
/// whatever number of subjects it has.
pub(super) async fn ask(
    lists: &[List],
    subjects: &[(String, String)],
    name: &str,
    resolver: &Resolver,
    limit: Duration,
) -> Vec<Finding> {
    let mut questions = JoinSet::new();
    let pairs = subjects.iter().flat_map(|subject| (0..lists.len()).map(move |list| (subject, list)));
    for ((key, shown), at) in pairs.take(QUESTIONS) {
        let (resolver, shown) = (resolver.clone(), shown.clone());
        let query = format!("{key}.{}", lists[at].zone.domain);
        questions.spawn(async move {
            let answer = tokio::time::timeout(limit, resolver.lookup(&query, Kind::A)).await.ok()?.ok()?;
            let address = |data: &Data| if let Data::A(a) = data { Some(*a) } else { None };
            Some((at, shown, answer.records.iter().filter_map(address).collect::<Vec<Ipv4Addr>>()))
        });
    }
    let mut listed: Vec<Option<String>> = vec![None; lists.len()];
    while let Some(answer) = questions.join_next().await {
        if let Ok(Some((at, shown, addresses))) = answer
            && addresses.iter().any(|address| lists[at].zone.counts(*address))
            // Whichever answer comes first, the same is told.
            && listed[at].as_ref().is_none_or(|before| shown < *before)
        {
            listed[at] = Some(shown);
        }
    }
    let found = lists.iter().zip(listed);
    found
        .filter_map(|(list, shown)| {
            let text = format!("{} is listed by {}", shown?, list.zone.domain);
            Some(Finding::new(name, list.points, &text))
        })
        .collect()
}
