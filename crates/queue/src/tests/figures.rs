//! Prints how fast the queue is on this machine:
//! `cargo test --release -p queue figures -- --ignored --nocapture --test-threads 1`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{draft, now, tick};
use crate::{Entry, Fate, Queue, Settings, Settlement};

#[allow(clippy::disallowed_methods, reason = "a measurement")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = std::time::Instant::now();
    let value = work();
    (value, start.elapsed().as_secs_f64())
}

/// CPU seconds of this process, and resident megabytes.
fn cost() -> (f64, usize) {
    let usage =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("always there");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    (seconds(usage.user_time()) + seconds(usage.system_time()), (pages * 4096) >> 20)
}

fn envelope() -> mail::Envelope {
    let client = mail::Client {
        name: "client.example.org".into(),
        address: "192.0.2.1".into(),
        helo: "client.example.org".into(),
        protocol: "ESMTP".into(),
        ..mail::Client::default()
    };
    mail::Envelope { client, origin: "smtpd".into(), ..super::envelope(1) }
}

async fn fill(queue: &Queue, writers: usize, messages: usize, size: usize, settle: bool) {
    let left = Arc::new(AtomicUsize::new(messages));
    let content = Arc::new(vec![b'x'; size]);
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (queue, left, content) = (queue.clone(), left.clone(), content.clone());
            tokio::spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                    let id = queue.new_id(tick());
                    let draft = draft(&queue, &content).expect("room");
                    queue.put(id.clone(), draft, envelope(), Entry::at(now())).await.expect("a disk");
                    if settle {
                        let stored = queue.load(&id).expect("just put");
                        assert_eq!(stored.body.len(), content.len() as u64);
                        drop(queue.settle(&id, Settlement::fates(vec![(0, Fate::Done)])));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

#[test]
#[ignore = "prints figures"]
fn puts_and_settles() {
    let runtime = runtime();
    for size in [4 << 10, 50 << 10] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("raw");
        let count = 1000;
        let ((), time) = timed(|| {
            let mut file = std::fs::File::create(&path).unwrap();
            for _ in 0..count {
                file.write_all(&vec![b'x'; size]).unwrap();
                file.sync_data().unwrap();
            }
        });
        println!("{size} bytes, append and sync each: {:.0}/s", f64::from(count) / time);
        for writers in [1, 20, 100] {
            let directory = tempfile::tempdir().unwrap();
            let (queue, _) = Queue::open(Settings::new(directory.path()), now()).unwrap();
            let messages = if writers == 1 { 2000 } else { 20_000 };
            let (cpu, _) = cost();
            let ((), time) = timed(|| runtime.block_on(fill(&queue, writers, messages, size, true)));
            let (after, rss) = cost();
            println!(
                "{size} bytes, {writers} writers: {:.0} puts and settles/s, {:.0} us CPU each, {rss} MB",
                messages as f64 / time,
                (after - cpu) * 1e6 / messages as f64
            );
        }
    }
}

#[test]
#[ignore = "prints figures"]
fn a_hundred_thousand_messages() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let (queue, _) = Queue::open(Settings::new(directory.path()), now()).unwrap();
    let ((), time) = timed(|| runtime.block_on(fill(&queue, 100, 100_000, 4 << 10, false)));
    println!("filled in {time:.1} s, {} MB", cost().1);
    let ((), time) = timed(|| {
        for brief in queue.briefs(None, usize::MAX) {
            let fates =
                vec![(0, Fate::Deferred(super::report("connect to h[192.0.2.1]:25: Connection refused")))];
            drop(
                queue.settle(&brief.id, Settlement { fates, defer_until: Some(now()), delay_warned: false }),
            );
        }
    });
    println!("deferred in {time:.1} s, {} MB", cost().1);
    let (count, time) = timed(|| {
        let (mut count, mut after) = (0, None);
        loop {
            let some = queue.list(after.as_ref(), 500);
            count += some.len();
            match some.last() {
                None => return count,
                Some(last) => after = Some(last.brief.id.clone()),
            }
        }
    });
    println!("listed {count} in {time:.2} s, {} MB", cost().1);
    drop(queue);
    let (queue, time) = timed(|| Queue::open(Settings::new(directory.path()), now()).unwrap());
    println!("opened with {} messages in {time:.2} s, {} MB", queue.1.messages, cost().1);
}
