//! Security list, item 22. 250 means on disk: whatever kills the program, acknowledged mail is delivered, bounced or in the queue, and a
//! restart doubles nothing in a Maildir, and elsewhere nothing beyond what was under way.
//!
//! `FACTEUR_KILLS=200 cargo test --test all durability` kills it two hundred times; the seed of a run is printed, and
//! `FACTEUR_SEED` takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use testbed::{Address, Client, Instance, Random, Sink, Site, wait};

/// Clients that send at the same time. Even ones send to mailboxes, odd ones through the sink, and every seventh
/// message to somebody the sink refuses.
const CLIENTS: u64 = 4;

/// Mailboxes, so that several deliveries are under way when the program dies.
const MAILBOXES: u64 = 4;

/// What became of the messages, as clients saw it.
#[derive(Default)]
struct Ledger {
    /// Answered 250 after the content.
    acknowledged: Mutex<BTreeSet<String>>,
    next: AtomicU64,
    stop: AtomicBool,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Sends numbered messages until told to stop; a connection that breaks is made anew, and what was under way on it is
/// never sent again: only an acknowledged message has a claim.
fn send(ledger: &Ledger, at: Address, client: u64) {
    while !ledger.stop.load(Ordering::Relaxed) {
        let Ok(mut connection) = Client::connect(at) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        if connection.try_reply().is_err() || connection.try_ask("EHLO client.test").is_err() {
            continue;
        }
        while !ledger.stop.load(Ordering::Relaxed) {
            let n = ledger.next.fetch_add(1, Ordering::Relaxed);
            let (name, to) = match client % 2 {
                0 => (format!("box-{n}."), format!("u{}@box.test", n % MAILBOXES)),
                _ if n.is_multiple_of(7) => (format!("refused-{n}."), "nobody@far.test".to_owned()),
                _ => (format!("far-{n}."), "somebody@far.test".to_owned()),
            };
            // Some are too big for the journal and have a file of their own.
            let padding = "x".repeat(70) + "\n";
            let padding = padding.repeat(if n.is_multiple_of(50) { 4000 } else { 10 });
            let content = format!("Subject: {name}\n\n{padding}");
            match connection.try_deliver("u4@box.test", &[&to], &content) {
                Ok(reply) if reply.code == 250 => {
                    ledger.acknowledged.lock().expect("no client panics").insert(name);
                }
                _ => break,
            }
        }
    }
}

/// How often each name stands in the subject of these messages.
fn count<'a>(messages: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for message in messages {
        // In a notice, the subject of the message that comes back is the last one.
        let subject = message.lines().rev().find_map(|line| line.strip_prefix("Subject: "));
        *counts.entry(subject.unwrap_or("(none)").to_owned()).or_default() += 1;
    }
    counts
}

/// Everything that has arrived anywhere: mailboxes, the sink, notices.
fn arrived(instance: &Instance, sink: &Sink) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let mut boxes: Vec<String> = Vec::new();
    for n in 0..MAILBOXES {
        boxes.extend(instance.maildir(&format!("u{n}")).messages());
    }
    let mut elsewhere: Vec<String> = sink.taken().iter().map(testbed::Taken::text).collect();
    elsewhere.extend(instance.maildir("u4").messages());
    (count(boxes.iter().map(String::as_str)), count(elsewhere.iter().map(String::as_str)))
}

#[test]
fn no_acknowledged_message_is_lost_when_the_program_is_killed_at_any_moment() {
    let kills = number("FACTEUR_KILLS").unwrap_or(5);
    let seed = number("FACTEUR_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("FACTEUR_KILLS={kills} FACTEUR_SEED={seed}");
    let sink = Sink::scripted(|line| {
        line.starts_with("RCPT TO:<nobody@").then_some(testbed::Answer::Say("550 5.1.1 unknown"))
    });
    let site = Site::new("mx.test").set("relayhost", &sink.nexthop()).set("smtp_connect_timeout", "5s");
    let mut instance = site
        .set("minimal_backoff_time", "1s")
        .set("maximal_backoff_time", "2s")
        .set("queue_run_delay", "1s")
        .start();
    let ledger = Ledger::default();
    let mut random = Random::new(seed);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (ledger, at) = (&ledger, instance.smtp());
            scope.spawn(move || send(ledger, at, client));
        }
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(random.below(400)));
            instance.kill();
            instance.launch();
            // Now and then it dies again before it has read its queue, or while it does.
            if random.below(4) > 0 {
                wait::until("the greeting after a kill", || Client::connect(instance.smtp()).ok());
            }
        }
        std::thread::sleep(Duration::from_millis(300));
        ledger.stop.store(true, Ordering::Relaxed);
    });
    let acknowledged = ledger.acknowledged.into_inner().expect("no client panics");
    let missing = |boxes: &BTreeMap<String, usize>, elsewhere: &BTreeMap<String, usize>| -> Vec<String> {
        let found = |name: &&String| boxes.contains_key(*name) || elsewhere.contains_key(*name);
        acknowledged.iter().filter(|name| !found(name)).cloned().collect()
    };
    // What is still queued is on its way: given time, everything has arrived.
    let settled = wait::within(Duration::from_secs(60), || {
        let (boxes, elsewhere) = arrived(&instance, &sink);
        let empty = || instance.run("postqueue", &["-p"]).out.starts_with("Mail queue is empty");
        (missing(&boxes, &elsewhere).is_empty() && empty()).then_some((boxes, elsewhere))
    });
    let Some((boxes, elsewhere)) = settled else {
        let (boxes, elsewhere) = arrived(&instance, &sink);
        let queue = instance.run("postqueue", &["-p"]);
        panic!("lost: {:?}\nqueue: {queue:?}\n{}", missing(&boxes, &elsewhere), instance.log());
    };
    assert!(acknowledged.len() as u64 > kills, "hardly any load: {} messages", acknowledged.len());
    let doubled: usize = boxes.values().map(|count| count - 1).sum();
    let twice_elsewhere: usize = elsewhere.values().map(|count| count - 1).sum();
    println!(
        "{kills} kills, {} messages acknowledged, none lost; {doubled} twice in a mailbox, {twice_elsewhere} twice at \
         the sink or as a notice",
        acknowledged.len()
    );
    // A mailbox knows what it has, whenever the program died.
    assert_eq!(doubled, 0, "doubled in mailboxes by {kills} kills");
}

/// `FACTEUR_QUEUED` says how many; the bar is 10,000 messages in two seconds, with an optimised build.
#[test]
fn a_program_with_a_long_queue_greets_soon_after_its_start() {
    let count = number("FACTEUR_QUEUED").unwrap_or(400);
    let mut site = Site::new("mx.test").set("defer_transports", "smtp, virtual");
    site.change("smtpd_client_message_rate_limit", "0");
    let mut instance = site.start();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let at = instance.smtp();
            scope.spawn(move || {
                let mut client = Client::greeted(at);
                client.hello();
                for n in 0..count / 8 {
                    let content = format!("Subject: {n}\n\n{}", "waiting\n".repeat(500));
                    let reply = client.try_deliver("a@mx.test", &["bob@box.test"], &content);
                    assert_eq!(reply.expect("the server listens").code, 250);
                }
            });
        }
    });
    instance.kill();
    let begun = wait::now();
    instance.restart();
    let took = begun.elapsed();
    println!("{count} messages queued: greets after {took:?}");
    assert!(took < Duration::from_secs(10), "{count} messages queued: greets after {took:?}");
    let listed = instance.run("postqueue", &["-p"]).out;
    let last = listed.lines().last().unwrap_or_default();
    assert!(last.ends_with(&format!("in {} Requests.", count / 8 * 8)), "{last}");
}
