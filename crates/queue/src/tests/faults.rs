//! Security list, item 22. Whatever operation of the disk fails, and wherever the power goes: a message that was acknowledged is there,
//! once, with the recipients it still has; and the program goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use mail::QueueId;

use super::ramdisk::{Crash, Fault, Plan, RamDisk};
use super::{block_on, content, open, put, report, tidy};
use crate::disk::Disk;
use crate::{Fate, Queue, Selection, Settlement, State};

/// What may be found of a recipient.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    Pending,
    Done,
    Either,
}

/// What was promised.
#[derive(Debug, Default)]
struct Promises(BTreeMap<QueueId, (usize, Vec<Expect>)>);

impl Promises {
    async fn put(&mut self, queue: &Queue, recipients: usize, len: usize) -> Option<QueueId> {
        let id = put(queue, recipients, len).await.ok()?;
        self.0.insert(id.clone(), (len, vec![Expect::Pending; recipients]));
        Some(id)
    }

    async fn done(&mut self, queue: &Queue, id: Option<&QueueId>, which: &[u32], wait: bool) {
        let Some((id, (_, expected))) =
            id.and_then(|id| self.0.get_key_value(id).map(|_| id).zip(self.0.get_mut(id)))
        else {
            return;
        };
        let fates = which.iter().map(|index| (*index, Fate::Done)).collect();
        let commit = queue.settle(id, Settlement::fates(fates));
        let known = if wait { commit.await.is_ok() } else { false };
        for index in which {
            expected[*index as usize] = if known { Expect::Done } else { Expect::Either };
        }
    }

    fn check(&self, queue: &Queue, story: &str) {
        for (id, (len, expected)) in &self.0 {
            let Ok(stored) = queue.load(id) else {
                assert!(!expected.contains(&Expect::Pending), "{story}: {id} is lost");
                continue;
            };
            assert!(expected.iter().any(|e| *e != Expect::Done), "{story}: {id} is back");
            assert_eq!(stored.body.bytes().unwrap(), content(id, *len), "{story}: {id}");
            for (fate, expected) in stored.fates.iter().zip(expected) {
                let fits = match expected {
                    Expect::Either => true,
                    Expect::Pending => fate.is_pending(),
                    Expect::Done => *fate == Fate::Done,
                };
                assert!(fits, "{story}: {id}: {fate:?} instead of {expected:?}");
            }
        }
    }
}

/// A day in the life of a queue: all kinds of records, several segments, compaction, files.
async fn day(queue: &Queue, promises: &mut Promises) {
    let first = promises.put(queue, 2, 100).await;
    let large = promises.put(queue, 1, 3000).await;
    let list = promises.put(queue, 100, 200).await;
    promises.done(queue, first.as_ref(), &[0], true).await;
    promises.done(queue, list.as_ref(), &[0, 5, 99], false).await;
    if let Some(id) = &first {
        let fates = vec![(1, Fate::Deferred(report("not now")))];
        drop(queue.settle(id, Settlement { fates, ..Settlement::default() }).await);
    }
    for n in 0..8 {
        let id = promises.put(queue, 1, 900).await;
        promises.done(queue, id.as_ref(), &[0], n % 2 == 0).await;
    }
    tidy(queue);
    promises.done(queue, large.as_ref(), &[0], true).await;
    drop(queue.hold(&Selection::All(State::ALL.to_vec())).await);
    let other = promises.put(queue, 1, 2000).await;
    if let Some(id) = &other {
        let deleted = queue.delete(&Selection::One(id.clone(), State::ALL.to_vec())).await.is_ok();
        let expect = if deleted { Expect::Done } else { Expect::Either };
        promises.0.insert(id.clone(), (2000, vec![expect]));
    }
    for _ in 0..30 {
        let id = promises.put(queue, 1, 900).await;
        promises.done(queue, id.as_ref(), &[0], false).await;
    }
    tidy(queue);
    promises.done(queue, list.as_ref(), &[1, 2], true).await;
}

fn live(plan: Option<Plan>, crash: Crash) -> usize {
    let ram = RamDisk::default();
    let disk: Arc<dyn Disk> = Arc::new(ram.clone());
    let story = format!("{plan:?} {crash:?}");
    let mut promises = Promises::default();
    block_on(async {
        let (queue, _) = open(&disk).expect("a new disk");
        promises.put(&queue, 1, 50).await.expect("nothing fails yet");
        ram.plan(plan);
        day(&queue, &mut promises).await;
        let operations = ram.operations();
        ram.plan(None);
        promises.check(&queue, &format!("{story}, running"));
        // The disk is well again: so is the queue.
        promises.put(&queue, 1, 700).await.unwrap_or_else(|| panic!("{story}: does not recover"));
        // And what could not be written before that has been written before it.
        for (_, expected) in promises.0.values_mut() {
            expected.iter_mut().filter(|e| **e == Expect::Either).for_each(|e| *e = Expect::Done);
        }
        let after: Arc<dyn Disk> = Arc::new(ram.crash(crash));
        let (again, _) = open(&after).unwrap_or_else(|failure| panic!("{story}: does not open: {failure}"));
        promises.check(&again, &story);
        // What one start repaired, the next one finds whole.
        drop(again);
        let (again, recovered) = open(&after).expect("opened before");
        promises.check(&again, &format!("{story}, second start"));
        assert_eq!(recovered.cut, 0, "{story}");
        operations
    })
}

#[test]
fn whatever_fails_what_was_acknowledged_is_there() {
    let operations = live(None, Crash::Nothing);
    assert!(operations > 100, "{operations}");
    for fault in [Fault::Eio, Fault::NoSpace, Fault::Torn, Fault::Short] {
        for at in 0..operations {
            let crash = if at % 2 == 0 { Crash::Nothing } else { Crash::Something(at as u64) };
            live(Some(Plan { at, fault, times: 1 + at / 2 % 3 }), crash);
        }
    }
}

#[test]
fn a_disk_that_stays_broken_loses_nothing() {
    let operations = live(None, Crash::Everything);
    for fault in [Fault::Eio, Fault::NoSpace] {
        for at in (0..operations).step_by(5) {
            live(Some(Plan { at, fault, times: usize::MAX / 2 }), Crash::Nothing);
        }
    }
}

#[test]
fn whenever_the_power_goes_what_was_acknowledged_is_there() {
    for seed in 0..100 {
        live(None, Crash::Something(seed));
    }
    live(None, Crash::Everything);
}
