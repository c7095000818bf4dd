//! What the queue does when nothing fails.

use std::sync::Arc;

use mail::QueueId;

use super::ramdisk::{Crash, RamDisk};
use super::{block_on, content, draft, envelope, now, open, put, report, settings, tidy};
use crate::disk::Disk;
use crate::{Change, Entry, Fate, Flush, Kind, Left, Queue, Selection, Settlement, State};

fn ram() -> (RamDisk, Arc<dyn Disk>) {
    let ram = RamDisk::default();
    let disk: Arc<dyn Disk> = Arc::new(ram.clone());
    (ram, disk)
}

#[test]
fn what_is_put_is_there_after_the_power_failed() {
    block_on(async {
        let (ram, disk) = ram();
        let (queue, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.messages, 0);
        let mut ids = Vec::new();
        for len in [0, 10, 999, 1000, 1001, 50_000] {
            ids.push((put(&queue, 3, len).await.unwrap(), len));
        }
        let after: Arc<dyn Disk> = Arc::new(ram.crash(Crash::Nothing));
        for queue in [queue, open(&after).unwrap().0] {
            for (id, len) in &ids {
                let stored = queue.load(id).unwrap();
                assert_eq!(stored.body.bytes().unwrap(), content(id, *len), "{len}");
                assert_eq!(
                    stored.body.read_at(3, 4).unwrap(),
                    content(id, *len).get(3..7).unwrap_or_default()
                );
                assert_eq!(*stored.envelope, envelope(3));
                assert_eq!(stored.fates, vec![Fate::Pending; 3]);
                assert_eq!(stored.state, State::Incoming);
            }
        }
    });
}

#[test]
fn a_message_goes_when_its_last_recipient_is_done() {
    block_on(async {
        let (ram, disk) = ram();
        let (queue, _) = open(&disk).unwrap();
        let id = put(&queue, 3, 5000).await.unwrap();
        assert_eq!(ram.names("/q/journal/body").len(), 1);
        assert_eq!(queue.activate(&id).unwrap().state, State::Active);
        let later = now() + jiff::SignedDuration::from_secs(300);
        let settlement = Settlement {
            fates: vec![(0, Fate::Done), (2, Fate::Deferred(report("not now")))],
            defer_until: Some(later),
            delay_warned: true,
        };
        assert_eq!(queue.settle(&id, settlement).await.unwrap(), Left::Recipients(2));
        let reopened: Arc<dyn Disk> = Arc::new(ram.crash(Crash::Nothing));
        let (again, _) = open(&reopened).unwrap();
        for queue in [&queue, &again] {
            let stored = queue.load(&id).unwrap();
            assert_eq!(stored.fates, [Fate::Done, Fate::Pending, Fate::Deferred(report("not now"))]);
            assert_eq!((stored.state, stored.attempts, stored.next_attempt), (State::Deferred, 1, later));
            assert!(stored.delay_warned);
            let shown = &queue.list(None, 10)[0];
            let reasons: Vec<_> = shown.recipients.iter().map(|r| r.reason.as_deref()).collect();
            assert_eq!(reasons, [None, Some("not now")]);
        }
        let body = queue.body(&id).unwrap();
        let done = Settlement::fates(vec![(1, Fate::Done), (2, Fate::Done), (2, Fate::Done)]);
        assert_eq!(queue.settle(&id, done.clone()).await.unwrap(), Left::Removed);
        assert_eq!(queue.settle(&id, done).await.unwrap(), Left::Gone);
        assert_eq!(queue.load(&id).unwrap_err().kind, Kind::NotFound);
        tidy(&queue);
        assert!(ram.names("/q/journal/body").is_empty());
        assert_eq!(body.bytes().unwrap(), content(&id, 5000), "readable to the end by who reads it");
        assert_eq!(open(&(Arc::new(ram.crash(Crash::Nothing)) as Arc<dyn Disk>)).unwrap().1.messages, 0);
    });
}

#[test]
fn a_failure_waits_for_its_notice() {
    block_on(async {
        let (_, disk) = ram();
        let (queue, _) = open(&disk).unwrap();
        let id = put(&queue, 1, 10).await.unwrap();
        let failed = Fate::Failed(report("no such user"));
        let left = queue.settle(&id, Settlement::fates(vec![(0, failed.clone())])).await.unwrap();
        assert_eq!(left, Left::Recipients(1));
        drop(queue);
        let (queue, _) = open(&disk).unwrap();
        assert_eq!(queue.load(&id).unwrap().fates, [failed]);
        assert_eq!(queue.settle(&id, Settlement::fates(vec![(0, Fate::Done)])).now(), Left::Removed);
    });
}

#[test]
fn administrators_hold_release_expire_and_delete() {
    block_on(async {
        let (_, disk) = ram();
        let (queue, _) = open(&disk).unwrap();
        let mut ids: Vec<QueueId> = Vec::new();
        for _ in 0..3 {
            ids.push(put(&queue, 1, 10).await.unwrap());
        }
        let held = queue.new_id(now());
        let entry = Entry { arrival: now(), hold: true };
        queue.put(held.clone(), draft(&queue, b"x").unwrap(), envelope(1), entry).await.unwrap();
        let ready: Vec<Change> = ids.iter().cloned().map(Change::Ready).collect();
        assert_eq!(queue.changes().await, ready);
        let all = State::ALL.to_vec();
        let one = |id: &QueueId| Selection::One(id.clone(), all.clone());
        assert_eq!(queue.hold(&one(&ids[0])).await.unwrap(), ids[..1]);
        assert_eq!(queue.hold(&one(&ids[0])).await.unwrap(), []);
        assert!(queue.activate(&ids[0]).is_none());
        assert_eq!(queue.expire(&one(&ids[0])).await.unwrap(), ids[..1]);
        assert_eq!(queue.brief(&ids[0]).unwrap().state, State::Hold);
        assert_eq!(queue.delete(&Selection::All(vec![State::Deferred])).await.unwrap(), []);
        assert_eq!(queue.delete(&one(&ids[1])).await.unwrap(), ids[1..2]);
        queue.flush(Flush::All);
        queue.flush(Flush::All);
        let told = queue.changes().await;
        assert_eq!(told.len(), 4);
        assert_eq!(told[3], Change::Flush(Flush::All));
        drop(queue);

        let (queue, _) = open(&disk).unwrap();
        assert_eq!(queue.changes().await, [Change::Ready(ids[2].clone())]);
        let counts = queue.counts().map(|(_, count)| count);
        assert_eq!(counts, [2, 1, 0, 0]);
        let brief = queue.brief(&ids[0]).unwrap();
        assert!(brief.forced_expire && brief.state == State::Hold);
        let mut released = queue.release(&Selection::All(all.clone())).await.unwrap();
        released.sort_by_key(|id| *id == held);
        assert_eq!(released, [ids[0].clone(), held]);
        assert_eq!(queue.brief(&ids[0]).unwrap().state, State::Deferred);
        assert!(matches!(queue.changes().await[..], [Change::Waiting(..), Change::Waiting(..)]));
    });
}

#[test]
fn old_segments_go_and_what_lives_in_them_moves() {
    block_on(async {
        let (ram, disk) = ram();
        let (queue, _) = open(&disk).unwrap();
        let stays = put(&queue, 2, 500).await.unwrap();
        let settlement = Settlement::fates(vec![(0, Fate::Deferred(report("not now"))), (1, Fate::Done)]);
        queue.settle(&stays, settlement).await.unwrap();
        for _ in 0..200 {
            let id = put(&queue, 1, 900).await.unwrap();
            queue.settle(&id, Settlement::fates(vec![(0, Fate::Done)])).await.unwrap();
            tidy(&queue);
        }
        let segments = ram.names("/q/journal").len();
        assert!(segments < 16, "{segments} segments for one message");
        let after: Arc<dyn Disk> = Arc::new(ram.crash(Crash::Nothing));
        for queue in [queue, open(&after).unwrap().0] {
            let stored = queue.load(&stays).unwrap();
            assert_eq!(stored.fates, [Fate::Deferred(report("not now")), Fate::Done]);
            assert_eq!(stored.body.bytes().unwrap(), content(&stays, 500));
            assert_eq!(queue.briefs(None, 9).len(), 1);
        }
    });
}

#[test]
fn many_attempts_do_not_pile_up_in_memory() {
    block_on(async {
        let (_, disk) = ram();
        let (queue, _) = open(&disk).unwrap();
        let id = put(&queue, 1, 10).await.unwrap();
        for n in 0..100 {
            let fates = vec![(0, Fate::Deferred(report(&format!("attempt {n}"))))];
            let settlement = Settlement { fates, defer_until: Some(now()), delay_warned: false };
            queue.settle(&id, settlement).await.unwrap();
            tidy(&queue);
        }
        let notes = queue.shared().lock().index.get(&id).unwrap().notes.len();
        assert!(notes < 12, "{notes} notes");
        let stored = queue.load(&id).unwrap();
        assert_eq!(stored.attempts, 100);
        assert_eq!(stored.fates, [Fate::Deferred(report("attempt 99"))]);
    });
}

#[test]
fn one_program_at_a_time_and_others_may_look() {
    let directory = tempfile::tempdir().unwrap();
    let (queue, _) = Queue::open(settings(directory.path()), now()).unwrap();
    let id = block_on(put(&queue, 1, 5000)).unwrap();
    let refused = Queue::open(settings(directory.path()), now()).unwrap_err();
    assert_eq!(refused.kind, Kind::Locked);
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    assert!(Queue::is_open(directory.path()));
    drop(queue);
    assert!(!Queue::is_open(directory.path()));
    let (queue, recovered) = Queue::look(settings(directory.path()), now()).unwrap();
    assert_eq!(recovered.messages, 1);
    assert_eq!(queue.load(&id).unwrap().body.bytes().unwrap(), content(&id, 5000));
    let refused = queue.delete(&Selection::All(State::ALL.to_vec())).wait().unwrap_err();
    assert_eq!(refused.kind, Kind::Closed);
    let (queue, recovered) = Queue::open(settings(directory.path()), now()).unwrap();
    assert_eq!((recovered.messages, recovered.cut), (1, 0));
    assert!(queue.free_space().unwrap() > 0);
}

#[test]
fn ids_are_not_given_twice() {
    let (_, disk) = ram();
    let (queue, _) = open(&disk).unwrap();
    let ids: std::collections::HashSet<_> = (0..10_000).map(|_| queue.new_id(now())).collect();
    assert_eq!(ids.len(), 10_000);
    assert!(ids.iter().all(|id| id.as_str().len() >= 6));
}

#[test]
fn a_dropped_draft_leaves_nothing() {
    let (ram, disk) = ram();
    let (queue, _) = open(&disk).unwrap();
    let mut incoming = draft(&queue, &[b'x'; 5000]).unwrap();
    assert_eq!(incoming.len(), 5000);
    assert_eq!(incoming.body().unwrap().bytes().unwrap(), vec![b'x'; 5000]);
    assert_eq!(ram.names("/q/journal/draft").len(), 1);
    drop(incoming);
    assert!(ram.names("/q/journal/draft").is_empty());
}
