//! Random histories, compared with a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use mail::QueueId;

use super::ramdisk::{Crash, RamDisk};
use super::{Dice, block_on, content, open, put, report, tidy};
use crate::disk::Disk;
use crate::{Fate, Queue, Selection, Settlement, State};

#[derive(Clone, Debug)]
struct Known {
    len: usize,
    fates: Vec<Fate>,
    hold: bool,
    attempts: u32,
}

fn same(queue: &Queue, known: &BTreeMap<QueueId, Known>, seed: u64) {
    let ids: Vec<QueueId> = queue.briefs(None, usize::MAX).into_iter().map(|brief| brief.id).collect();
    assert_eq!(ids, known.keys().cloned().collect::<Vec<_>>(), "seed {seed}");
    for (id, known) in known {
        let stored = queue.load(id).unwrap();
        assert_eq!(stored.fates, known.fates, "seed {seed}: {id}");
        assert_eq!(stored.state == State::Hold, known.hold, "seed {seed}: {id}");
        assert_eq!(stored.attempts, known.attempts, "seed {seed}: {id}");
        assert_eq!(stored.body.bytes().unwrap(), content(id, known.len), "seed {seed}: {id}");
    }
    let counted: usize = queue.counts().iter().map(|(_, count)| count).sum();
    assert_eq!(counted, known.len(), "seed {seed}");
}

async fn history(seed: u64) {
    let mut dice = Dice(seed * 2 + 1);
    let mut ram = RamDisk::default();
    let mut disk: Arc<dyn Disk> = Arc::new(ram.clone());
    let (mut queue, _) = open(&disk).unwrap();
    let mut known: BTreeMap<QueueId, Known> = BTreeMap::new();
    for step in 0..120 {
        let some = known.keys().nth(dice.roll(known.len().max(1))).cloned();
        match (dice.roll(12), some) {
            (0..=3, _) | (_, None) => {
                let recipients = [1, 1, 2, 70][dice.roll(4)];
                let len = [0, 10, 800, 1500][dice.roll(4)];
                let id = put(&queue, recipients, len).await.unwrap();
                let fates = vec![Fate::Pending; recipients];
                known.insert(id, Known { len, fates, hold: false, attempts: 0 });
            }
            (4..=6, Some(id)) => {
                let message = known.get_mut(&id).unwrap();
                let mut fates = Vec::new();
                for index in 0..message.fates.len() {
                    let fate = match dice.roll(4) {
                        0 => Fate::Deferred(report(&format!("step {step}"))),
                        1 => Fate::Failed(report("no")),
                        2 => Fate::Done,
                        _ => continue,
                    };
                    if message.fates[index] != Fate::Done {
                        message.fates[index] = fate.clone();
                    }
                    fates.push((index as u32, fate));
                }
                let over = dice.roll(2) == 0;
                message.attempts += u32::from(over);
                let defer_until = over.then(super::now);
                if message.fates.iter().all(|fate| *fate == Fate::Done) {
                    known.remove(&id);
                }
                queue.settle(&id, Settlement { fates, defer_until, delay_warned: false }).await.unwrap();
            }
            (7, Some(id)) => {
                let which = Selection::One(id.clone(), State::ALL.to_vec());
                let message = known.get_mut(&id).unwrap();
                message.hold = !message.hold;
                let changed = match message.hold {
                    true => queue.hold(&which).await,
                    false => queue.release(&which).await,
                };
                assert_eq!(changed.unwrap(), [id]);
            }
            (8, Some(id)) => {
                queue.delete(&Selection::One(id.clone(), State::ALL.to_vec())).await.unwrap();
                known.remove(&id);
            }
            (9, _) => tidy(&queue),
            (10, _) => {
                ram = ram.crash([Crash::Nothing, Crash::Everything, Crash::Something(seed)][dice.roll(3)]);
                disk = Arc::new(ram.clone());
                queue = open(&disk).unwrap().0;
                same(&queue, &known, seed);
            }
            _ => {
                drop(queue);
                queue = open(&disk).unwrap().0;
            }
        }
    }
    same(&queue, &known, seed);
}

#[test]
fn any_history_is_remembered() {
    for seed in 0..60 {
        block_on(history(seed));
    }
}
