//! One transport: its jobs, its destinations, and which delivery comes next.
//!
//! A *job* is what a transport has to do for one message; a *peer* is the part of a job for one destination; an
//! *entry* is one delivery. Jobs are served in the order of their messages; a job whose destinations are all busy
//! is passed over. A small job may overtake ("preempt") a large one that has earned it the right.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::destination::Destination;
use super::limits::TransportLimits;

/// Number of a message, and of its job in each transport.
pub(super) type MessageNumber = u64;

/// Number of a destination within its transport.
pub(super) type DestinationNumber = u64;

/// Place of a job among the others: a job that overtakes another stands directly before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    /// Since when the message is active, and its number: of the job that was overtaken, if it overtook one.
    base: (i64, MessageNumber),
    /// How many jobs it stands on.
    level: Reverse<u32>,
    pub(super) message: MessageNumber,
}

/// One delivery to be made.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) nexthop: String,
    pub(super) recipients: Vec<u32>,
}

/// What a transport has to do for one message.
#[derive(Debug)]
struct Job {
    order: Order,
    since: i64,
    peers: HashMap<DestinationNumber, VecDeque<Entry>>,
    /// Entries not yet handed out.
    waiting: usize,
    /// Entries handed out, less what overtaking jobs have used up.
    slots: i64,
}

/// A transport.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) name: String,
    pub(super) limits: TransportLimits,
    jobs: HashMap<MessageNumber, Job>,
    /// Jobs that have not overtaken another, by number of waiting entries, oldest first.
    by_size: BTreeMap<usize, BTreeSet<(i64, MessageNumber)>>,
    numbers: HashMap<String, DestinationNumber>,
    pub(super) destinations: HashMap<DestinationNumber, Destination>,
    /// Destinations that can be served, by their best job; of one job the destination that waits longest.
    open: BTreeSet<(Order, u64, DestinationNumber)>,
    /// Deliveries that run.
    pub(super) busy: usize,
    /// Recipients in memory.
    pub(super) recipients: usize,
    /// Between two deliveries (`transport_rate_delay`) until then.
    pub(super) pausing: Option<i64>,
    serial: u64,
}

/// How many jobs of one size, and how many sizes, are looked at to find one that may overtake.
const PROBES: usize = 16;

impl Transport {
    pub(super) fn new(name: String, limits: TransportLimits) -> Transport {
        Transport {
            name,
            limits,
            jobs: HashMap::new(),
            by_size: BTreeMap::new(),
            numbers: HashMap::new(),
            destinations: HashMap::new(),
            open: BTreeSet::new(),
            busy: 0,
            recipients: 0,
            pausing: None,
            serial: 0,
        }
    }

    /// The destination of that name, which is created if it is new.
    pub(super) fn destination(&mut self, name: &str) -> DestinationNumber {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.serial += 1;
        self.numbers.insert(name.to_owned(), self.serial);
        self.destinations.insert(self.serial, Destination::new(name.to_owned(), &self.limits));
        self.serial
    }

    /// Adds a recipient to a job. Says whether that makes a new entry.
    pub(super) fn add(
        &mut self,
        message: MessageNumber,
        since: i64,
        number: DestinationNumber,
        nexthop: &str,
        recipient: u32,
    ) -> bool {
        self.recipients += 1;
        let job = self.jobs.entry(message).or_insert_with(|| Job {
            order: Order { base: (since, message), level: Reverse(0), message },
            since,
            peers: HashMap::new(),
            waiting: 0,
            slots: 0,
        });
        let limit = if self.limits.recipient_limit == 0 { usize::MAX } else { self.limits.recipient_limit };
        let peer = job.peers.entry(number).or_default();
        if let Some(entry) = peer.back_mut().filter(|entry| entry.recipients.len() < limit) {
            entry.recipients.push(recipient);
            return false;
        }
        peer.push_back(Entry { nexthop: nexthop.to_owned(), recipients: vec![recipient] });
        let (order, old) = (job.order, job.waiting);
        job.waiting += 1;
        self.resize(message, old);
        if let Some(destination) = self.destinations.get_mut(&number) {
            destination.waiting.insert(order);
        }
        self.refresh(number);
        true
    }

    /// Keeps `by_size` in step with a job that had `old` entries waiting.
    fn resize(&mut self, message: MessageNumber, old: usize) {
        let Some(job) = self.jobs.get(&message) else { return };
        if job.order.level != Reverse(0) {
            return;
        }
        let key = (job.since, message);
        let new = job.waiting;
        self.unlist(old, key);
        if new > 0 {
            self.by_size.entry(new).or_default().insert(key);
        }
    }

    fn unlist(&mut self, size: usize, key: (i64, MessageNumber)) {
        if let Some(same) = self.by_size.get_mut(&size) {
            same.remove(&key);
            if same.is_empty() {
                self.by_size.remove(&size);
            }
        }
    }

    /// Keeps `open` in step with a destination that has changed.
    pub(super) fn refresh(&mut self, number: DestinationNumber) {
        let Some(destination) = self.destinations.get_mut(&number) else { return };
        let best = destination.waiting.first().copied().filter(|_| destination.has_room(&self.limits));
        let key = best.map(|order| (order, destination.served));
        if key == destination.open {
            return;
        }
        if let Some((order, served)) = std::mem::replace(&mut destination.open, key) {
            self.open.remove(&(order, served, number));
        }
        if let Some((order, served)) = key {
            self.open.insert((order, served, number));
        }
    }

    /// Forgets a destination that has nothing to remember.
    pub(super) fn sweep(&mut self, number: DestinationNumber) {
        if self.destinations.get(&number).is_some_and(Destination::is_idle)
            && let Some(destination) = self.destinations.remove(&number)
        {
            self.numbers.remove(&destination.name);
        }
    }

    /// Is there a process for another delivery?
    fn has_room(&self) -> bool {
        let limit = match (self.limits.process_limit, self.limits.transport_rate_delay.is_zero()) {
            (_, false) => 1,
            (0, true) => usize::MAX,
            (limit, true) => limit,
        };
        self.pausing.is_none() && self.busy < limit
    }

    /// Takes the delivery that comes next.
    pub(super) fn select(&mut self, now: i64) -> Option<(MessageNumber, DestinationNumber, Entry)> {
        if !self.has_room() {
            return None;
        }
        let (mut order, _, mut number) = *self.open.first()?;
        if self.overtake(order.message, now) {
            (order, _, number) = *self.open.first()?;
        }
        let entry = self.take(order.message, number)?;
        self.serial += 1;
        let served = self.serial;
        self.busy += 1;
        if let Some(destination) = self.destinations.get_mut(&number) {
            destination.busy += 1;
            destination.served = served;
        }
        if let Some(job) = self.jobs.get_mut(&order.message) {
            job.slots += 1;
        }
        self.refresh(number);
        self.drop_if_finished(order.message);
        Some((order.message, number, entry))
    }

    /// Takes the first entry of a peer.
    fn take(&mut self, message: MessageNumber, number: DestinationNumber) -> Option<Entry> {
        let job = self.jobs.get_mut(&message)?;
        let peer = job.peers.get_mut(&number)?;
        let entry = peer.pop_front()?;
        let (order, old, emptied) = (job.order, job.waiting, peer.is_empty());
        job.waiting -= 1;
        if emptied {
            job.peers.remove(&number);
            if let Some(destination) = self.destinations.get_mut(&number) {
                destination.waiting.remove(&order);
            }
        }
        self.resize(message, old);
        Some(entry)
    }

    fn drop_if_finished(&mut self, message: MessageNumber) {
        if self.jobs.get(&message).is_some_and(|job| job.waiting == 0) {
            self.jobs.remove(&message);
        }
    }

    /// Takes all that waits for a destination.
    pub(super) fn drain(&mut self, number: DestinationNumber) -> Vec<(MessageNumber, Entry)> {
        let waiting = self.destinations.get(&number).map(|destination| destination.waiting.clone());
        let mut entries = Vec::new();
        for order in waiting.unwrap_or_default() {
            while let Some(entry) = self.take(order.message, number) {
                entries.push((order.message, entry));
            }
            self.drop_if_finished(order.message);
        }
        self.refresh(number);
        entries
    }

    /// Takes all that waits of a message.
    pub(super) fn forget(&mut self, message: MessageNumber) -> Vec<Entry> {
        let numbers: Vec<DestinationNumber> =
            self.jobs.get(&message).map(|job| job.peers.keys().copied().collect()).unwrap_or_default();
        let mut entries = Vec::new();
        for number in numbers {
            while let Some(entry) = self.take(message, number) {
                entries.push(entry);
            }
            self.refresh(number);
            self.sweep(number);
        }
        self.drop_if_finished(message);
        entries
    }

    /// Has the message overtaken another?
    pub(super) fn is_overtaking(&self, message: MessageNumber) -> bool {
        self.jobs.get(&message).is_some_and(|job| job.order.level != Reverse(0))
    }

    /// Lets the best small job, if any, stand before the one that is next.
    ///
    /// A job earns one slot for every `slot_cost` deliveries, and a job of as many entries as there are slots may
    /// go first. `slot_loan` and `slot_discount` let it go before all of them are earned, not for less.
    fn overtake(&mut self, next: MessageNumber, now: i64) -> bool {
        let cost = self.limits.slot_cost as i64;
        // With a cost of 1 small mail would stop large mail altogether.
        if cost < 2 {
            return false;
        }
        let Some(job) = self.jobs.get(&next) else { return false };
        let (order, slots) = (job.order, job.slots);
        let most = usize::try_from((job.waiting as i64 + slots) / cost).unwrap_or(0);
        if most < self.limits.minimum_slots.max(1) {
            return false;
        }
        let Some((small, size)) = self.candidate(order, most, now) else { return false };
        let rest = 100usize.saturating_sub(self.limits.slot_discount);
        let needed = (size * rest) as i64;
        if (slots / cost + self.limits.slot_loan as i64) * 100 < needed {
            return false;
        }
        if let Some(job) = self.jobs.get_mut(&next) {
            job.slots -= size as i64 * cost;
        }
        self.promote(small, order);
        true
    }

    /// The job with the most waiting time for its size, among those that could be served now.
    fn candidate(&self, next: Order, most: usize, now: i64) -> Option<(MessageNumber, usize)> {
        let mut best: Option<(i64, MessageNumber, usize)> = None;
        for (size, same) in self.by_size.range(..=most).take(PROBES) {
            let servable = same.iter().take(PROBES).find(|(_, message)| {
                *message != next.message && *message != next.base.1 && self.is_servable(*message)
            });
            if let Some((since, message)) = servable {
                let score = (now - since + 1_000_000) / *size as i64;
                if best.is_none_or(|(best, ..)| score > best) {
                    best = Some((score, *message, *size));
                }
            }
        }
        best.map(|(_, message, size)| (message, size))
    }

    fn is_servable(&self, message: MessageNumber) -> bool {
        let has_room = |number| {
            self.destinations.get(number).is_some_and(|destination| destination.has_room(&self.limits))
        };
        self.jobs.get(&message).is_some_and(|job| job.peers.keys().any(has_room))
    }

    /// Puts a job directly before another.
    fn promote(&mut self, message: MessageNumber, before: Order) {
        let Some(job) = self.jobs.get_mut(&message) else { return };
        let old = job.order;
        job.order = Order { base: before.base, level: Reverse(before.level.0 + 1), message };
        let (new, size, key) = (job.order, job.waiting, (job.since, message));
        let numbers: Vec<DestinationNumber> = job.peers.keys().copied().collect();
        self.unlist(size, key);
        for number in numbers {
            if let Some(destination) = self.destinations.get_mut(&number) {
                destination.waiting.remove(&old);
                destination.waiting.insert(new);
            }
            self.refresh(number);
        }
    }
}
