//! verify(8): is an address deliverable? Answers from a bounded memory, and probes for what it does not know.
//!
//! A probe asks the agent that would deliver, without delivering. It goes by the `address_verify_*` routing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use deliver::{Purpose, Report, Request, Target};
use filter::{Boxed, Probe};
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
    /// `address_verify_sender`, completed; the probe's reverse-path.
    pub sender: Address,
}

/// Most addresses remembered; the oldest answers go first.
const REMEMBERED: usize = 50_000;

/// A probe that has not come back after so long is asked again (as in verify(8)).
const PROBE_TTL: Duration = Duration::from_secs(100);

#[derive(Clone, Debug)]
struct Known {
    answer: Probe,
    updated: Timestamp,
    probed: Option<Timestamp>,
}

/// The memory of one program; it outlives configurations. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    house: Arc<House>,
    known: Arc<Mutex<HashMap<String, Known>>>,
}

impl Verifier {
    /// An empty memory.
    pub fn new(house: Arc<House>) -> Verifier {
        Verifier { house, known: Arc::default() }
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
        if setup.verify.negative || matches!(answer, Probe::Deliverable) {
            known.insert(key, Known { answer, updated: now, probed: None });
        } else if let Some(entry) = known.get_mut(&key) {
            // Bad news is told once to those who wait for it, and then asked for anew.
            *entry = Known { answer, updated: now, probed: Some(now) };
        }
    }

    /// One probe, logged like a delivery.
    async fn attempt(&self, setup: &Arc<Setup>, address: &Address) -> Result<Report, Refusal> {
        let began = self.house.now();
        let id = self.house.queue.new_id(began);
        let sender = &setup.verify.sender;
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
            sender: Address::from("double-bounce@x"),
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
