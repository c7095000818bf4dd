//! verify(8): is an address deliverable? Answers from a bounded memory, and probes for what it does not know.
//!
//! A probe asks the agent that would deliver, without delivering. It goes by the `address_verify_*` routing. Answers
//! survive the program in the file of `address_verify_map`.

mod file;
mod prober;

pub use file::file;
pub use prober::Prober;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use deliver::{Purpose, Report, Request, Target};
use filter::{Boxed, Probe};
use gate::ledger::Ledger;
use jiff::Timestamp;
use mail::{Address, BodyType, Client, Outcome, Recipient, Refusal, Trail};

use crate::house::{House, Setup};

/// How long answers hold.
#[derive(Clone, Debug)]
pub struct Memory {
    /// `address_verify_positive_expire_time`.
    pub positive_expire: Duration,
    /// `address_verify_positive_refresh_time`.
    pub positive_refresh: Duration,
    /// `address_verify_negative_cache`.
    pub negative: bool,
    /// `address_verify_negative_expire_time`.
    pub negative_expire: Duration,
    /// `address_verify_negative_refresh_time`.
    pub negative_refresh: Duration,
    /// `address_verify_pending_request_limit`.
    pub pending_limit: usize,
    /// Who asks.
    pub prober: Prober,
    /// `address_verify_cache_cleanup_interval`; zero: never.
    pub clean_up: Duration,
}

/// Most addresses remembered; the oldest answers go first.
const REMEMBERED: usize = 50_000;

/// A probe that has not come back after so long is asked again (as in verify(8)).
const PROBE_TTL: Duration = Duration::from_secs(100);

/// How often it is asked whether cleaning up was switched on.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, PartialEq)]
struct Known {
    answer: Probe,
    updated: Timestamp,
    probed: Option<Timestamp>,
}

/// The memory of one program; it outlives configurations. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    house: Arc<House>,
    known: file::Shared,
    ledger: Option<Arc<Ledger>>,
}

impl Verifier {
    /// The memory that `file` holds, and that is kept there; without one, or when it cannot be opened, it is gone when
    /// the program ends. Expired answers are thrown away from time to time.
    pub fn new(house: Arc<House>, file: Option<&Path>) -> Verifier {
        let (known, ledger) = match file.map(file::open) {
            None => (Arc::default(), None),
            Some(Ok((known, ledger))) => (known, Some(Arc::new(ledger))),
            Some(Err(what)) => {
                log::warn!(target: "verify", "address_verify_map: {what}; answers are kept in memory");
                (Arc::default(), None)
            }
        };
        let verifier = Verifier { house, known, ledger };
        tokio::spawn(verifier.clone().clean_up());
        verifier
    }

    async fn clean_up(self) {
        loop {
            // Switched off it is asked again whether that is still so.
            let interval = self.house.setup().verify.clean_up;
            tokio::time::sleep(if interval.is_zero() { LOOK_AGAIN } else { interval }).await;
            let setup = self.house.setup();
            if setup.verify.clean_up.is_zero() {
                continue;
            }
            let now = self.house.now();
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let before = known.len();
            known.retain(|_, entry| is_worth_keeping(entry, &setup.verify, now));
            let (retained, dropped) = (known.len(), before - known.len());
            drop(known);
            if before > 0 {
                log::info!(
                    target: "verify",
                    "address verification cache full cleanup: retained={retained} dropped={dropped} entries"
                );
            }
        }
    }

    /// What is known now; starts a probe where that is nothing, or old.
    pub fn ask(&self, address: &Address) -> Probe {
        let setup = self.house.setup();
        let memory = &setup.verify;
        let now = self.house.now();
        let key = address.as_str().to_ascii_lowercase();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(&key).cloned();
        let (answer, stale) = match &entry {
            Some(entry) => weigh(entry, memory, now),
            None => (Probe::Pending, true),
        };
        let under_way = entry.as_ref().and_then(|entry| entry.probed).is_some_and(|at| now < at + PROBE_TTL);
        if stale && !under_way {
            let pending =
                known.values().filter(|one| one.probed.is_some_and(|at| now < at + PROBE_TTL)).count();
            if pending >= memory.pending_limit {
                return Probe::Trouble("too many address probes are under way".to_owned());
            }
            make_room(&mut known);
            let old = entry.unwrap_or(Known { answer: Probe::Pending, updated: now, probed: None });
            known.insert(key.clone(), Known { probed: Some(now), ..old });
            let verifier = self.clone();
            let address = address.clone();
            tokio::spawn(async move { verifier.probe(&setup, key, address).await });
        }
        answer
    }

    async fn probe(&self, setup: &Arc<Setup>, key: String, address: Address) {
        let answer = match self.attempt(setup, &address).await {
            Ok(report) => answer(&report),
            Err(refusal) => refused(&refusal),
        };
        let now = self.house.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if answer != Probe::Deliverable
            && let Some(entry) = known.get_mut(&key)
            && is_good(entry, &setup.verify, now)
        {
            // One failure does not undo a success that still holds: it is asked again at the next occasion.
            entry.probed = None;
        } else if setup.verify.negative || answer == Probe::Deliverable {
            let entry = Known { answer, updated: now, probed: None };
            if let (Some(ledger), Some(record)) = (&self.ledger, file::record(&key, &entry)) {
                ledger.append(record);
            }
            known.insert(key, entry);
        } else if let Some(entry) = known.get_mut(&key) {
            // Bad news is told once to those who wait for it, and then asked for anew.
            *entry = Known { answer, updated: now, probed: Some(now) };
        }
    }

    /// One probe, logged like a delivery.
    async fn attempt(&self, setup: &Arc<Setup>, address: &Address) -> Result<Report, Refusal> {
        let began = self.house.now();
        let id = self.house.queue.new_id(began);
        let sender = &setup.verify.prober.address(began);
        log::info!(
            target: "qmgr",
            "{id}: from=<{}>, size=0, nrcpt=1 (queue active)",
            mail::logline::printable(&sender.external())
        );
        let mut trail = Trail::off();
        let stop = setup.router.resolve_probe(sender, address, &mut trail).await?;
        let request = Request {
            id: id.clone(),
            sender: sender.clone(),
            targets: vec![Target { index: 0, recipient: Recipient::new(address.clone()) }],
            transport: stop.transport.clone(),
            nexthop: stop.nexthop,
            content: queue::Body::from(Bytes::new()),
            arrival: began,
            body_type: BodyType::Unspecified,
            smtputf8: !address.is_ascii(),
            envid: None,
            ret: None,
            client: Client::default(),
            rewrite_local: true,
            purpose: Purpose::Verify,
            again: false,
        };
        let Some(carrier) = setup.carriers.get(&stop.transport) else {
            return Err(Refusal::from(mail::Trouble::new(format!(
                "transport {}: not in master.cf",
                stop.transport
            ))));
        };
        let report = carrier.agent.deliver(request).await;
        for one in &report.delivered {
            let line = mail::logline::Delivery {
                id: &id,
                to: address,
                original: address,
                relay: &one.relay,
                conn_use: one.conn_use,
                delays: mail::logline::Delays(0.0, 0.0, one.delays.0, one.delays.1),
                resolution: setup.delay_resolution,
            };
            log::info!(target: &carrier.program, "{}", line.probe(&one.outcome));
        }
        Ok(report)
    }
}

impl filter::Verifier for Verifier {
    fn verify<'a>(&'a self, address: &'a Address) -> Boxed<'a, Probe> {
        Box::pin(async move { self.ask(address) })
    }
}

/// Does the answer still hold, and is it time to ask again?
fn weigh(entry: &Known, memory: &Memory, now: Timestamp) -> (Probe, bool) {
    let (expire, refresh) = match entry.answer {
        Probe::Deliverable => (memory.positive_expire, memory.positive_refresh),
        Probe::Pending => return (Probe::Pending, true),
        _ => (memory.negative_expire, memory.negative_refresh),
    };
    if now >= entry.updated + expire {
        (Probe::Pending, true)
    } else {
        (entry.answer.clone(), now >= entry.updated + refresh)
    }
}

/// Is it a success that still holds?
fn is_good(entry: &Known, memory: &Memory, now: Timestamp) -> bool {
    entry.answer == Probe::Deliverable && now < entry.updated + memory.positive_expire
}

/// Does the answer still hold, or is one on its way?
fn is_worth_keeping(entry: &Known, memory: &Memory, now: Timestamp) -> bool {
    weigh(entry, memory, now).0 != Probe::Pending || entry.probed.is_some_and(|at| now < at + PROBE_TTL)
}

/// Forgets the tenth of the answers that is oldest, when memory is full.
fn make_room(known: &mut HashMap<String, Known>) {
    if known.len() < REMEMBERED {
        return;
    }
    let mut dates: Vec<Timestamp> = known.values().map(|entry| entry.updated).collect();
    dates.sort_unstable();
    let limit = dates[dates.len() / 10];
    known.retain(|_, entry| entry.updated > limit);
}

/// Deliverable when every recipient it comes to is.
fn answer(report: &Report) -> Probe {
    let mut worst = Probe::Deliverable;
    for one in &report.delivered {
        match &one.outcome {
            Outcome::Never(refusal) => return refused(refusal),
            Outcome::Later(refusal) => worst = refused(refusal),
            Outcome::Delivered { .. } | Outcome::Expanded { .. } => {}
        }
    }
    worst
}

fn refused(refusal: &Refusal) -> Probe {
    let text = refusal.log_text().to_owned();
    match refusal.class() {
        mail::Class::Later => Probe::Deferred(text),
        mail::Class::Never => Probe::Undeliverable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        Memory {
            positive_expire: Duration::from_secs(1000),
            positive_refresh: Duration::from_secs(100),
            negative: true,
            negative_expire: Duration::from_secs(50),
            negative_refresh: Duration::from_secs(10),
            pending_limit: 10,
            prober: Prober::new(Address::from("double-bounce@x"), Duration::ZERO),
            clean_up: Duration::ZERO,
        }
    }

    #[test]
    fn answers_are_refreshed_before_they_expire() {
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).expect("a date");
        let entry = |answer: Probe| Known { answer, updated: at(0), probed: None };
        let good = entry(Probe::Deliverable);
        for (seconds, fresh, stale) in [(1, true, false), (150, true, true), (1001, false, true)] {
            let (answer, again) = weigh(&good, &memory(), at(seconds));
            assert_eq!((matches!(answer, Probe::Deliverable), again), (fresh, stale), "after {seconds} s");
        }
        let bad = entry(Probe::Undeliverable("no".into()));
        assert!(matches!(weigh(&bad, &memory(), at(60)), (Probe::Pending, true)));
        assert!(is_good(&good, &memory(), at(999)) && !is_good(&good, &memory(), at(1000)));
        assert!(!is_good(&bad, &memory(), at(1)), "a failure may be replaced by another");
        assert!(is_worth_keeping(&bad, &memory(), at(49)) && !is_worth_keeping(&bad, &memory(), at(50)));
        let asked = Known { probed: Some(at(60)), ..bad };
        assert!(is_worth_keeping(&asked, &memory(), at(61)), "its answer is on the way");
    }

    #[test]
    fn memory_is_bounded() {
        let at = |n: usize| Timestamp::from_second(1_000_000 + n as i64).expect("a date");
        let mut known: HashMap<String, Known> = (0..REMEMBERED)
            .map(|n| (n.to_string(), Known { answer: Probe::Deliverable, updated: at(n), probed: None }))
            .collect();
        make_room(&mut known);
        assert!(known.len() < REMEMBERED && known.contains_key(&(REMEMBERED - 1).to_string()));
    }
}
