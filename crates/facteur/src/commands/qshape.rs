//! qshape(1): how old the queue is, by domain.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;
use queue::control::{Answer, Request};
use queue::{State, Summary};

use super::Command;
use super::reach::{self, Intent};
use crate::config::{self, Config};

/// The command.
pub const COMMAND: Command = Command { name: "qshape", summary: "the age of queued mail, by domain", run };

const USAGE: &str = "usage: qshape [-s] [-p] [-m min_subdomains] [-b bucket_count] [-t bucket_time] [-l] \
[-w terminal_width] [-c config_directory] [queue_name ...]";

/// What is shown.
struct Shape {
    senders: bool,
    parents: bool,
    min_subdomains: usize,
    buckets: usize,
    /// Minutes of the first bucket.
    minutes: u64,
    linear: bool,
    width: usize,
    states: Vec<State>,
}

fn run(words: Vec<OsString>) -> u8 {
    match work(words) {
        Ok(text) => {
            print!("{text}");
            0
        }
        Err(what) => {
            eprintln!("qshape: {what}");
            1
        }
    }
}

fn work(words: Vec<OsString>) -> Result<String, String> {
    let mut given: Option<PathBuf> = None;
    let shape = options(words, &mut given)?;
    let config = Config::main_only(&config::directory(given.as_deref()), "qshape");
    let directory = reach::queue_directory(&config);
    let mut reach = match reach::connect(&directory) {
        Ok(reach) => reach,
        Err(_) if !directory.join("journal").exists() => {
            return Err(format!("no queue in {}", directory.display()));
        }
        Err(_) => reach::open(&directory, Intent::Look)?,
    };
    let now = Timestamp::try_from(net::clock::wall()).unwrap_or_default();
    let mut counts = Counts::default();
    reach.request(Request::List, &mut |answer| {
        if let Answer::Summary(summary) = answer {
            counts.add(&shape, &summary, now);
        }
    })?;
    Ok(counts.table(&shape))
}

fn options(words: Vec<OsString>, given: &mut Option<PathBuf>) -> Result<Shape, String> {
    let mut shape = Shape {
        senders: false,
        parents: false,
        min_subdomains: 5,
        buckets: 10,
        minutes: 5,
        linear: false,
        width: 80,
        states: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(argument) = parser.next().map_err(|_| USAGE.to_owned())? {
        match argument {
            lexopt::Arg::Short('s') => shape.senders = true,
            lexopt::Arg::Short('p') => shape.parents = true,
            lexopt::Arg::Short('l') => shape.linear = true,
            lexopt::Arg::Short('c') => *given = Some(super::value(&mut parser)?.into()),
            lexopt::Arg::Short(option @ ('m' | 'b' | 't' | 'w' | 'n' | 'N')) => {
                let text = super::value(&mut parser)?;
                let number = text.to_str().and_then(|text| text.parse::<usize>().ok()).filter(|n| *n > 0);
                let number = number.ok_or_else(|| format!("-{option} needs a number\n{USAGE}"))?;
                match option {
                    'm' => shape.min_subdomains = number,
                    'b' => shape.buckets = number.min(60),
                    't' => shape.minutes = number as u64,
                    'w' => shape.width = number,
                    // All results are there at once: nothing is shown in between.
                    _ => {}
                }
            }
            lexopt::Arg::Value(word) => {
                let word = word.to_string_lossy().into_owned();
                let name = word.rsplit('/').next().unwrap_or_default();
                let unknown = || format!("{word}: there are incoming, active, deferred and hold");
                // Nothing is left in the maildrop while the program runs.
                if name != "maildrop" {
                    shape.states.push(State::named(name).ok_or_else(unknown)?);
                }
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    if shape.states.is_empty() {
        shape.states = vec![State::Incoming, State::Active];
    }
    Ok(shape)
}

impl Shape {
    /// Upper ends of all buckets but the last, in minutes.
    fn ends(&self) -> Vec<u64> {
        let end = |n: usize| match self.linear {
            true => self.minutes.saturating_mul(n as u64 + 1),
            false => self.minutes.saturating_mul(1_u64.checked_shl(n as u32).unwrap_or(u64::MAX)),
        };
        (0..self.buckets.saturating_sub(1)).map(end).collect()
    }
}

/// Messages or recipients by domain: all of them, then those of each bucket.
#[derive(Default)]
struct Counts {
    domains: HashMap<String, Vec<u64>>,
    total: Vec<u64>,
}

impl Counts {
    fn add(&mut self, shape: &Shape, summary: &Summary, now: Timestamp) {
        if !shape.states.contains(&summary.brief.state) {
            return;
        }
        let minutes = now.duration_since(summary.brief.arrival).as_secs().max(0) as u64 / 60;
        let bucket = shape.ends().iter().position(|end| minutes < *end).unwrap_or(shape.buckets - 1);
        let domain = |address: &mail::Address| match address.domain() {
            Some(domain) => domain.to_lowercase(),
            None if address.is_null() => "MAILER-DAEMON".to_owned(),
            None => address.as_str().to_lowercase(),
        };
        if shape.senders {
            self.count(shape, domain(&summary.sender), bucket);
        } else {
            for waiting in &summary.recipients {
                self.count(shape, domain(&waiting.address), bucket);
            }
        }
    }

    fn count(&mut self, shape: &Shape, domain: String, bucket: usize) {
        for row in [self.domains.entry(domain).or_default(), &mut self.total] {
            row.resize(shape.buckets + 1, 0);
            row[0] += 1;
            row[bucket + 1] += 1;
        }
    }

    /// Adds rows for parent domains that have enough subdomains.
    fn with_parents(&self, shape: &Shape) -> HashMap<String, Vec<u64>> {
        let mut all = self.domains.clone();
        let mut below: HashMap<String, BTreeSet<&str>> = HashMap::new();
        let mut sums: HashMap<String, Vec<u64>> = HashMap::new();
        for (domain, row) in &self.domains {
            let mut rest = domain.as_str();
            while let Some((_, parent)) = rest.split_once('.').filter(|(_, parent)| parent.contains('.')) {
                let name = format!(".{parent}");
                let sum = sums.entry(name.clone()).or_insert_with(|| vec![0; row.len()]);
                sum.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
                below.entry(name).or_default().insert(domain);
                rest = parent;
            }
        }
        all.extend(sums.into_iter().filter(|(name, _)| below[name].len() >= shape.min_subdomains));
        all
    }

    fn table(&self, shape: &Shape) -> String {
        let mut head = vec!["T".to_owned()];
        let ends = shape.ends();
        head.extend(ends.iter().map(u64::to_string));
        head.push(ends.last().map_or_else(|| "0+".to_owned(), |last| format!("{last}+")));
        let mut total = self.total.clone();
        total.resize(shape.buckets + 1, 0);
        // The total is the largest number of its column; columns have two places at least.
        let widths = head.iter().zip(&total);
        let widths = widths.map(|(head, count)| head.len().max(count.to_string().len()).max(2));
        let widths: Vec<usize> = widths.collect();
        let columns: usize = widths.iter().map(|width| width + 1).sum();
        let room = shape.width.saturating_sub(columns).max(17);
        let line = |name: &str, cells: &[String]| {
            let cells: String =
                cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:>width$}")).collect();
            format!("{:>room$}{cells}\n", short(name, room))
        };
        let numbers = |row: &[u64]| row.iter().map(u64::to_string).collect::<Vec<_>>();
        let domains = if shape.parents { self.with_parents(shape) } else { self.domains.clone() };
        let mut rows: Vec<(&String, &Vec<u64>)> = domains.iter().collect();
        rows.sort_by(|(a, x), (b, y)| y[0].cmp(&x[0]).then(a.cmp(b)));
        let mut text = line("", &head) + &line("TOTAL", &numbers(&total));
        for (domain, row) in rows {
            text.push_str(&line(domain, &numbers(row)));
        }
        text
    }
}

/// The end of a name that is too long.
fn short(name: &str, room: usize) -> String {
    if name.chars().count() <= room {
        return name.to_owned();
    }
    let mark = if name.starts_with('.') { ".+" } else { "+" };
    let tail: Vec<char> = name.chars().rev().take(room - mark.len()).collect();
    mark.chars().chain(tail.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::QueueId;
    use queue::{Brief, Waiting};

    fn summary(minutes: i64, domain: &str) -> Summary {
        let brief = Brief {
            id: QueueId::parse("ABC").unwrap(),
            state: State::Deferred,
            arrival: Timestamp::from_second(100_000 - minutes * 60).unwrap(),
            next_attempt: Timestamp::UNIX_EPOCH,
            attempts: 1,
            size: 1,
            recipients: 1,
            left: 1,
            forced_expire: false,
            delay_warned: false,
        };
        let recipients = vec![Waiting { address: format!("a@{domain}").as_str().into(), reason: None }];
        Summary { brief, sender: mail::Address::null(), recipients }
    }

    fn table(words: &[&str], mail: &[Summary]) -> String {
        let shape = options(words.iter().map(Into::into).collect(), &mut None).unwrap();
        let mut counts = Counts::default();
        for one in mail {
            counts.add(&shape, one, Timestamp::from_second(100_000).unwrap());
        }
        counts.table(&shape)
    }

    #[test]
    fn the_table_is_that_of_postfix() {
        let mail: Vec<Summary> = (0..5).map(|_| summary(50, "y.test")).collect();
        let expected = [
            "                                         T  5 10 20 40 80 160 320 640 1280 1280+",
            "                                  TOTAL  5  0  0  0  0  5   0   0   0    0     0",
            "                                 y.test  5  0  0  0  0  5   0   0   0    0     0",
            "",
        ];
        assert_eq!(table(&["deferred"], &mail), expected.join("\n"));
        let senders = table(&["-s", "-l", "-t", "10", "-b", "5", "hold", "deferred"], &mail);
        assert!(
            senders.ends_with(
                "                                                MAILER-DAEMON  5  0  0  0  0   5\n"
            ),
            "{senders}"
        );
        assert_eq!(table(&[], &mail).lines().count(), 2);
    }

    #[test]
    fn parents_are_shown_when_they_have_enough_below() {
        let mail: Vec<Summary> = (0..3).map(|n| summary(1, &format!("h{n}.y.test"))).collect();
        assert!(!table(&["-p", "deferred"], &mail).contains(" .y.test"));
        let text = table(&["-p", "-m", "3", "deferred"], &mail);
        assert!(text.lines().nth(2).unwrap().trim_start().starts_with(".y.test  3"), "{text}");
        assert!(options(vec!["lost".into()], &mut None).is_err());
        assert_eq!(short("a-very-long-name.test", 17), "+y-long-name.test");
    }
}
