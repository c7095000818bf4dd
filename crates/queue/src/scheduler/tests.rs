use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use jiff::SignedDuration;

use super::*;

/// A world to deliver to: messages with their recipients' destinations, and servers that are up or down.
struct World {
    scheduler: Scheduler,
    limits: Limits,
    now: Timestamp,
    /// Arrival, and destination of each recipient.
    messages: HashMap<QueueId, (Timestamp, Vec<String>)>,
    pending: HashMap<QueueId, HashSet<u32>>,
    /// Recipients in all that are pending.
    left: usize,
    /// What this attempt has not read yet.
    unread: HashMap<QueueId, VecDeque<u32>>,
    /// Messages that were taken away.
    gone: HashSet<QueueId>,
    flying: BTreeMap<(Timestamp, u64), Work>,
    down: HashSet<String>,
    /// How long a delivery takes.
    time: SignedDuration,
    /// Every delivery: when it began, and what it was.
    log: Vec<(Timestamp, Work)>,
    suspended: usize,
    over: Vec<QueueId>,
    most_flying: usize,
    /// At most so many recipients a read, as if there were no more room.
    read_at_most: usize,
}

fn id(n: usize) -> QueueId {
    QueueId::parse(&format!("M{n:06}")).expect("an id")
}

fn world(limits: Limits, transport: TransportLimits) -> World {
    World {
        scheduler: Scheduler::new(limits.clone(), Box::new(move |_| transport.clone())),
        limits,
        now: Timestamp::from_second(1_000_000).expect("in range"),
        messages: HashMap::new(),
        pending: HashMap::new(),
        left: 0,
        unread: HashMap::new(),
        gone: HashSet::new(),
        flying: BTreeMap::new(),
        down: HashSet::new(),
        time: SignedDuration::from_secs(1),
        log: Vec::new(),
        suspended: 0,
        over: Vec::new(),
        most_flying: 0,
        read_at_most: usize::MAX,
    }
}

impl World {
    fn send(&mut self, n: usize, destinations: Vec<String>) {
        let all: HashSet<u32> = (0..destinations.len() as u32).collect();
        self.left += all.len();
        self.messages.insert(id(n), (self.now, destinations));
        self.pending.insert(id(n), all);
        self.scheduler.ready(id(n));
    }

    fn work(&mut self) {
        while let Some(step) = self.scheduler.next(self.now) {
            match step {
                Step::Read { id, room } => {
                    let pending = self.pending.get(&id);
                    let unread = self.unread.entry(id.clone()).or_insert_with(|| {
                        let mut all: Vec<u32> = pending.into_iter().flatten().copied().collect();
                        all.sort_unstable();
                        all.into()
                    });
                    let count = room.min(self.read_at_most).min(unread.len());
                    let some: Vec<u32> = unread.drain(..count).collect();
                    let more = !unread.is_empty();
                    let destinations = &self.messages[&id].1;
                    let target = |index: &u32| {
                        let destination = destinations[*index as usize].clone();
                        let (index, nexthop) = (*index, destination.clone());
                        Target { index, transport: "smtp".into(), nexthop, destination }
                    };
                    self.scheduler.add(&id, some.iter().map(target).collect(), more, self.now);
                }
                Step::Deliver(work) => {
                    self.log.push((self.now, work.clone()));
                    self.flying.insert((self.now + self.time, work.ticket.0), work);
                    self.most_flying = self.most_flying.max(self.flying.len());
                }
                Step::Suspend { recipients, .. } => self.suspended += recipients.len(),
                Step::Over { id } => {
                    self.over.push(id.clone());
                    self.unread.remove(&id);
                    if self.pending.get(&id).is_some_and(|pending| !pending.is_empty()) {
                        let at = next_attempt(&self.limits, self.messages[&id].0, self.now);
                        self.scheduler.deferred(id, at);
                    }
                }
            }
        }
    }

    /// Goes to the next moment at which something happens; false when nothing will.
    fn step(&mut self) -> bool {
        self.work();
        let finish = self.flying.keys().next().map(|(at, _)| *at);
        let Some(next) = finish.into_iter().chain(self.scheduler.wakeup()).min() else { return false };
        assert!(next >= self.now, "time goes on");
        self.now = next;
        while let Some(((at, _), _)) = self.flying.first_key_value()
            && *at <= self.now
        {
            let (_, work) = self.flying.pop_first().expect("just seen");
            let health = match self.down.contains(&work.nexthop) {
                true => Health::Bad(Dead { status: "4.4.1".into(), reason: "connection refused".into() }),
                false => {
                    let pending = self.pending.entry(work.id.clone()).or_default();
                    for index in &work.recipients {
                        let first = pending.remove(index);
                        assert!(first || self.gone.contains(&work.id), "{}: delivered twice", work.id);
                        self.left -= usize::from(first);
                    }
                    Health::Good
                }
            };
            self.scheduler.finished(work.ticket, health, self.now);
        }
        true
    }

    fn run_until(&mut self, done: impl Fn(&World) -> bool) {
        for _ in 0..10_000_000 {
            if done(self) || !self.step() {
                return;
            }
        }
        panic!("no end");
    }

    fn take_away(&mut self, n: usize) {
        self.scheduler.forget(&id(n));
        self.left -= self.pending.insert(id(n), HashSet::new()).map_or(0, |pending| pending.len());
        self.gone.insert(id(n));
    }

    fn delivered_at(&self, n: usize) -> usize {
        self.log.iter().position(|(_, work)| work.id == id(n)).expect("delivered")
    }
}

fn steps(world: &mut World, count: usize) {
    for _ in 0..count {
        world.step();
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn recipients_of_one_destination_go_together_up_to_the_limit() {
    let transport = TransportLimits { recipient_limit: 2, ..TransportLimits::default() };
    let mut world = world(Limits::default(), transport);
    world.send(1, ["a", "b", "a", "a", "b", "a", "a"].map(str::to_owned).to_vec());
    world.run_until(|world| world.left == 0);
    let mut sizes: Vec<_> =
        world.log.iter().map(|(_, work)| (work.nexthop.clone(), work.recipients.clone())).collect();
    sizes.sort();
    let expected = [("a", vec![0, 2]), ("a", vec![3, 5]), ("a", vec![6]), ("b", vec![1, 4])];
    assert_eq!(sizes, expected.map(|(name, recipients)| (name.to_owned(), recipients)));
    world.work();
    assert_eq!(world.over, [id(1)]);
}

#[test]
fn concurrency_and_process_limits_hold() {
    for (concurrency, processes, most) in [(3, 100, 3), (20, 7, 7), (0, 0, 200)] {
        let transport = TransportLimits {
            concurrency_limit: concurrency,
            process_limit: processes,
            ..TransportLimits::default()
        };
        let mut world = world(Limits::default(), transport);
        (0..200).for_each(|n| world.send(n, vec!["y".into()]));
        world.run_until(|world| world.left == 0);
        assert!(world.most_flying <= most, "{} for {concurrency}/{processes}", world.most_flying);
        assert!(world.most_flying >= most.min(20), "{} for {concurrency}/{processes}", world.most_flying);
    }
}

#[test]
fn a_slow_destination_does_not_hold_up_the_others() {
    let mut world = world(Limits::default(), TransportLimits::default());
    (0..1000).for_each(|n| world.send(n, vec!["slow".into()]));
    world.send(5000, vec!["quick".into()]);
    world.work();
    assert!(world.delivered_at(5000) <= 5);
}

#[test]
fn a_dead_destination_is_left_alone_and_tried_again() {
    let mut world = world(Limits::default(), TransportLimits::default());
    world.down.insert("dead".into());
    (0..100).for_each(|n| world.send(n, vec!["dead".into(), "alive".into()]));
    world.run_until(|world| world.left == 100 && world.flying.is_empty());
    let tried = |world: &World| world.log.iter().filter(|(_, work)| work.nexthop == "dead").count();
    assert!(tried(&world) <= 5, "{}", tried(&world));
    assert!(world.suspended >= 95);
    let began = world.now;
    world.down.clear();
    world.run_until(|world| world.left == 0);
    let waited = world.now.duration_since(began).as_secs();
    assert!((290..=700).contains(&waited), "{waited}");
}

#[test]
fn a_flush_goes_before_the_time_and_tries_the_dead() {
    let mut world = world(Limits::default(), TransportLimits::default());
    world.down.insert("dead".into());
    (0..3).for_each(|n| world.send(n, vec!["dead".into()]));
    world.run_until(|world| world.over.len() == 3);
    world.work();
    world.down.clear();
    let count = world.log.len();
    world.scheduler.flush_message(&id(1));
    world.work();
    assert_eq!(world.log[count..].iter().map(|(_, work)| work.id.clone()).collect::<Vec<_>>(), [id(1)]);
    let now = world.now;
    world.scheduler.flush_all(now);
    world.run_until(|world| world.left == 0);
    assert!(world.now.duration_since(now).as_secs() < 5);
}

#[test]
fn a_rate_delay_makes_one_delivery_at_a_time() {
    let transport = TransportLimits { rate_delay: seconds(10), ..TransportLimits::default() };
    let mut of_destination = world(Limits::default(), transport);
    let transport = TransportLimits { transport_rate_delay: seconds(10), ..TransportLimits::default() };
    let mut of_transport = world(Limits::default(), transport);
    for n in 0..4 {
        of_destination.send(n, vec!["a".into(), "b".into()]);
        of_transport.send(n, vec!["a".into(), "b".into()]);
    }
    for (world, name) in [(&mut of_destination, Some("a")), (&mut of_transport, None)] {
        world.run_until(|world| world.left == 0);
        let mine = world.log.iter().filter(|(_, work)| name.is_none_or(|name| work.nexthop == name));
        let times: Vec<i64> = mine.map(|(at, _)| at.as_second()).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 11), "{times:?}");
    }
}

#[test]
fn small_mail_overtakes_a_large_list() {
    let position = |slot_cost| {
        let transport = TransportLimits { process_limit: 10, slot_cost, ..TransportLimits::default() };
        let mut world = world(Limits::default(), transport);
        world.send(1, (0..5000).map(|n| format!("d{n}")).collect());
        steps(&mut world, 50);
        world.send(2, vec!["x".into()]);
        let before = world.log.len();
        world.run_until(|world| world.left == 0);
        world.delivered_at(2) - before
    };
    assert!(position(5) < 50, "{}", position(5));
    assert!(position(0) > 1000, "{}", position(0));
}

#[test]
fn overtaking_mail_gets_its_share_and_no_more() {
    let transport = TransportLimits { process_limit: 10, slot_cost: 5, ..TransportLimits::default() };
    let mut world = world(Limits::default(), transport);
    world.send(0, (0..5000).map(|n| format!("d{n}")).collect());
    steps(&mut world, 10);
    (1..2000).for_each(|n| world.send(n, vec![format!("x{n}")]));
    world.run_until(|world| world.log.len() >= 3000);
    let small = world.log.iter().filter(|(_, work)| work.id != id(0)).count();
    // One in six deliveries: one slot for five of the list's own.
    assert!((350..=650).contains(&small), "{small}");
}

#[test]
fn what_is_held_or_deleted_starts_nothing_more() {
    let mut world =
        world(Limits::default(), TransportLimits { process_limit: 2, ..TransportLimits::default() });
    world.send(1, (0..50).map(|n| format!("d{n}")).collect());
    world.work();
    assert_eq!(world.log.len(), 2);
    world.take_away(1);
    while world.step() {}
    assert_eq!(world.log.len(), 2);
    assert_eq!(world.over, [id(1)]);
    world.scheduler.deferred(id(2), world.now);
    world.scheduler.forget(&id(2));
    assert_eq!(world.scheduler.next(world.now + SignedDuration::from_hours(1)), None);
}

#[test]
fn large_lists_are_read_piece_by_piece() {
    let limits = Limits { message_recipient_limit: 100, ..Limits::default() };
    let transport = TransportLimits { recipient_limit: 1, ..TransportLimits::default() };
    let mut world = world(limits, transport);
    world.read_at_most = 40;
    world.send(1, (0..1000).map(|n| format!("d{}", n % 7)).collect());
    world.run_until(|world| world.left == 0);
    assert_eq!(world.log.len(), 1000);
    world.work();
    assert_eq!(world.over, [id(1)]);
}

#[test]
fn a_month_of_retries_follows_the_backoff() {
    let mut world = world(Limits::default(), TransportLimits::default());
    world.down.insert("dead".into());
    world.send(1, vec!["dead".into()]);
    let began = world.now;
    world.run_until(|world| world.now.duration_since(began).as_secs() > 30 * 86400);
    let times: Vec<i64> = world.log.iter().map(|(at, _)| at.duration_since(began).as_secs()).collect();
    let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| (300..=4000 + 300 + 1).contains(pause)), "{pauses:?}");
    assert!(pauses[0] <= 601 && *pauses.last().expect("some") > 3900);
    assert!((600..=700).contains(&times.len()), "{}", times.len());
    assert!(too_old(&world.limits, false, began, began + SignedDuration::from_hours(5 * 24)));
    assert!(!too_old(&world.limits, true, began, began + SignedDuration::from_hours(119)));
    let at_once = Limits { maximal_lifetime: Duration::ZERO, ..Limits::default() };
    assert!(too_old(&at_once, false, began, began));
}

#[test]
fn the_active_limit_holds() {
    let limits = Limits { message_active_limit: 10, ..Limits::default() };
    let mut world = world(limits, TransportLimits::default());
    (0..100).for_each(|n| world.send(n, vec![format!("d{n}")]));
    world.work();
    assert_eq!(world.log.len(), 10);
    world.run_until(|world| world.left == 0);
    assert_eq!(world.most_flying, 10);
}

#[test]
fn a_hundred_thousand_messages_and_long_lists() {
    let mut world = world(Limits::default(), TransportLimits::default());
    for n in 0..100_000 {
        let recipients = if n % 100 == 0 { 50 } else { 1 };
        world.send(n, (0..recipients).map(|r| format!("d{}", (n * 31 + r) % 997)).collect());
    }
    world.down.extend((0..50).map(|n| format!("d{n}")));
    world.run_until(|world| {
        world.now.duration_since(Timestamp::from_second(1_000_000).expect("ok")).as_hours() > 1
    });
    let stuck = world.left;
    assert!(stuck > 5_000, "{stuck}");
    world.down.clear();
    let now = world.now;
    world.scheduler.flush_all(now);
    world.run_until(|world| world.left == 0);
    assert_eq!(world.left, 0);
    let delivered: usize = world.log.iter().filter(|(_, work)| work.nexthop == "d500").count();
    assert!(delivered > 50);
}

#[test]
fn any_order_of_events_ends_with_everything_done() {
    for seed in 1..200u64 {
        let mut dice = crate::tests::Dice(seed * 2 + 1);
        let transport = TransportLimits {
            process_limit: dice.roll(6),
            concurrency_limit: dice.roll(4),
            recipient_limit: dice.roll(3),
            slot_cost: dice.roll(4),
            rate_delay: seconds(dice.roll(2) as u64),
            memory_limit: 20,
            ..TransportLimits::default()
        };
        let limits = Limits {
            message_active_limit: 1 + dice.roll(5),
            message_recipient_limit: 30,
            ..Limits::default()
        };
        let mut world = world(limits, transport);
        world.read_at_most = 1 + dice.roll(20);
        for n in 0..60 {
            match dice.roll(8) {
                0 => drop(world.down.insert(format!("d{}", dice.roll(5)))),
                1 => world.down.clear(),
                2 => world.take_away(dice.roll(n + 1)),
                3 => world.scheduler.flush_all(world.now),
                4 => world.scheduler.flush_message(&id(dice.roll(n + 1))),
                _ => {
                    let count = 1 + dice.roll(30);
                    world.send(n, (0..count).map(|_| format!("d{}", dice.roll(5))).collect());
                }
            }
            steps(&mut world, dice.roll(10));
        }
        world.down.clear();
        world.run_until(|world| world.left == 0);
        while !world.flying.is_empty() {
            world.step();
        }
        world.work();
        assert_eq!(world.left, 0, "seed {seed}");
        let done: HashSet<_> = world.over.iter().chain(&world.gone).cloned().collect();
        assert!(world.messages.keys().all(|id| done.contains(id)), "seed {seed}");
        assert_eq!(world.scheduler.next(world.now + SignedDuration::from_hours(1)), None, "seed {seed}");
    }
}
