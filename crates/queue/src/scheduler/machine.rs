//! The scheduler: messages come and go, transports decide what of them is delivered next.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use mail::QueueId;

use super::transport::{DestinationNumber, Entry, MessageNumber, Transport};
use super::waiting::Waiting;
use super::{Dead, Health, Limits, Step, Target, Ticket, TransportLimits, Work};
use crate::record::timestamp;

/// Gives the limits of a transport by its name.
pub type LimitsOf = Box<dyn Fn(&str) -> TransportLimits + Send>;

/// Messages that are being read at a time: more would only wait for each other.
const READING: usize = 100;

/// `qmgr_message_recipient_minimum`: a message has room for so many recipients however full memory is.
const MINIMUM_ROOM: usize = 10;

/// The scheduler. A pure machine: it is told what happened and when, and says what to do.
pub struct Scheduler {
    limits: Limits,
    limits_of: LimitsOf,
    waiting: Waiting,
    active: HashMap<QueueId, MessageNumber>,
    messages: HashMap<MessageNumber, Message>,
    transports: Vec<Transport>,
    /// Which transport is asked first, so that each has its turn.
    turn: usize,
    deliveries: HashMap<Ticket, Delivery>,
    /// Steps that are already decided.
    steps: VecDeque<Step>,
    timers: BTreeSet<(i64, Timer)>,
    /// Messages that are being read.
    reading: usize,
    /// Recipients in memory.
    recipients: usize,
    serial: u64,
}

/// An active message.
#[derive(Debug)]
struct Message {
    id: QueueId,
    since: i64,
    /// Entries not handed out.
    waiting: usize,
    /// Deliveries that run.
    flying: usize,
    /// Recipients in memory.
    recipients: usize,
    /// Recipients were left unread.
    more: bool,
    reading: bool,
    /// When recipients were read last.
    read_at: i64,
    /// Held or deleted: only what runs is waited for.
    forgotten: bool,
    /// Somebody asked for it: dead destinations are tried.
    flush: bool,
    /// Transports it has jobs with.
    transports: Vec<usize>,
}

#[derive(Debug)]
struct Delivery {
    message: MessageNumber,
    transport: usize,
    destination: DestinationNumber,
    recipients: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A dead destination may be tried again.
    Back(usize, DestinationNumber),
    /// The pause of a destination, or of a transport, is over.
    Destination(usize, DestinationNumber),
    Transport(usize),
    /// More recipients of a message may be read.
    Refill(MessageNumber),
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("active", &self.messages.len())
            .field("flying", &self.deliveries.len())
            .finish_non_exhaustive()
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

impl Scheduler {
    /// A scheduler; `limits_of` gives the limits of a transport when it is first seen.
    pub fn new(limits: Limits, limits_of: LimitsOf) -> Scheduler {
        Scheduler {
            limits,
            limits_of,
            waiting: Waiting::default(),
            active: HashMap::new(),
            messages: HashMap::new(),
            transports: Vec::new(),
            turn: 0,
            deliveries: HashMap::new(),
            steps: VecDeque::new(),
            timers: BTreeSet::new(),
            reading: 0,
            recipients: 0,
            serial: 0,
        }
    }

    /// Takes new limits (reload); what is in flight stays.
    pub fn reconfigure(&mut self, limits: Limits, limits_of: LimitsOf) {
        self.limits = limits;
        for transport in &mut self.transports {
            transport.limits = limits_of(&transport.name);
            let numbers: Vec<_> = transport.destinations.keys().copied().collect();
            numbers.into_iter().for_each(|number| transport.refresh(number));
        }
        self.limits_of = limits_of;
    }

    /// A message is ready: new or requeued. One that is active stays so.
    pub fn ready(&mut self, id: QueueId) {
        if !self.active.contains_key(&id) {
            self.waiting.ready(id);
        }
    }

    /// A message waits until `at`. One that is active is let go first, with its deliveries.
    pub fn deferred(&mut self, id: QueueId, at: Timestamp) {
        if let Some(number) = self.active.get(&id).copied() {
            self.withdraw(number);
            self.close(number);
        }
        self.waiting.deferred(id, at.as_microsecond());
    }

    /// A message is held or deleted: nothing more of it is started. [`Step::Over`] comes when what runs has ended.
    pub fn forget(&mut self, id: &QueueId) {
        self.waiting.forget(id);
        if let Some(number) = self.active.get(id).copied() {
            self.withdraw(number);
            if let Some(message) = self.messages.get_mut(&number) {
                message.forgotten = true;
                message.more = false;
            }
            self.end_if_over(number);
        }
    }

    /// Tries all deferred mail now, and dead destinations too.
    pub fn flush_all(&mut self, now: Timestamp) {
        self.waiting.flush_all(now.as_microsecond());
        for transport in &mut self.transports {
            let numbers: Vec<_> = transport.destinations.keys().copied().collect();
            for number in numbers {
                if let Some(destination) = transport.destinations.get_mut(&number) {
                    destination.revive(&transport.limits);
                }
                transport.refresh(number);
                transport.sweep(number);
            }
        }
    }

    /// Tries one deferred message now, even if its destination is dead.
    pub fn flush_message(&mut self, id: &QueueId) {
        match self.active.get(id) {
            Some(number) => {
                if let Some(message) = self.messages.get_mut(number) {
                    message.flush = true;
                }
            }
            None => self.waiting.flush(id),
        }
    }

    /// The answer to [`Step::Read`]; `more` says that recipients were left unread.
    pub fn add(&mut self, id: &QueueId, targets: Vec<Target>, more: bool, now: Timestamp) {
        let Some(number) = self.active.get(id).copied() else { return };
        let Some(message) = self.messages.get_mut(&number) else { return };
        if std::mem::take(&mut message.reading) {
            self.reading -= 1;
        }
        message.read_at = now.as_microsecond();
        message.more = more && !message.forgotten;
        if message.forgotten {
            self.end_if_over(number);
            return;
        }
        let (since, flush) = (message.since, message.flush);
        let mut dead: Vec<(Dead, Vec<u32>)> = Vec::new();
        for target in targets {
            let index = self.transport(&target.transport);
            let transport = &mut self.transports[index];
            let place = transport.destination(&target.destination);
            if let Some(destination) = transport.destinations.get_mut(&place) {
                if flush {
                    destination.revive(&transport.limits);
                } else if let Some((_, why)) = &destination.dead {
                    match dead.iter_mut().find(|(known, _)| known == why) {
                        Some((_, recipients)) => recipients.push(target.index),
                        None => dead.push((why.clone(), vec![target.index])),
                    }
                    continue;
                }
            }
            let new = transport.add(number, since, place, &target.nexthop, target.index);
            self.recipients += 1;
            if let Some(message) = self.messages.get_mut(&number) {
                message.waiting += usize::from(new);
                message.recipients += 1;
                if !message.transports.contains(&index) {
                    message.transports.push(index);
                }
            }
        }
        let suspend = |(why, recipients)| Step::Suspend { id: id.clone(), recipients, why };
        self.steps.extend(dead.into_iter().map(suspend));
        self.refill(number, now.as_microsecond());
        self.end_if_over(number);
    }

    fn transport(&mut self, name: &str) -> usize {
        if let Some(index) = self.transports.iter().position(|transport| transport.name == name) {
            return index;
        }
        self.transports.push(Transport::new(name.to_owned(), (self.limits_of)(name)));
        self.transports.len() - 1
    }

    /// What to do next; `None` until something finishes, arrives, or [`Scheduler::wakeup`] has come.
    pub fn next(&mut self, now: Timestamp) -> Option<Step> {
        let now = now.as_microsecond();
        self.run_timers(now);
        if let Some(step) = self.steps.pop_front() {
            return Some(step);
        }
        self.admit(now).or_else(|| self.dispatch(now))
    }

    /// When to call [`Scheduler::next`] again if nothing else happens.
    pub fn wakeup(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let scan = self.waiting.wakeup();
        timer.into_iter().chain(scan).min().map(timestamp)
    }

    /// A delivery has ended.
    pub fn finished(&mut self, ticket: Ticket, health: Health, now: Timestamp) {
        let now = now.as_microsecond();
        let Some(delivery) = self.deliveries.remove(&ticket) else { return };
        self.recipients -= delivery.recipients;
        let place = delivery.destination;
        let transport = &mut self.transports[delivery.transport];
        transport.busy -= 1;
        transport.recipients -= delivery.recipients;
        if !transport.limits.transport_rate_delay.is_zero() {
            let until = now + micros(transport.limits.transport_rate_delay);
            transport.pausing = Some(until);
            self.timers.insert((until, Timer::Transport(delivery.transport)));
        }
        let mut drained = Vec::new();
        if let Some(destination) = transport.destinations.get_mut(&place) {
            destination.busy -= 1;
            let back = now + micros(self.limits.minimal_backoff);
            let was_dead = destination.dead.is_some();
            destination.learn(health, &transport.limits, back);
            if let Some((at, why)) = destination.dead.clone().filter(|_| !was_dead) {
                self.timers.insert((at, Timer::Back(delivery.transport, place)));
                drained = transport.drain(place).into_iter().map(|entry| (entry, why.clone())).collect();
            } else if !transport.limits.rate_delay.is_zero() {
                let until = now + micros(transport.limits.rate_delay);
                destination.pausing = Some(until);
                self.timers.insert((until, Timer::Destination(delivery.transport, place)));
            }
        }
        let transport = &mut self.transports[delivery.transport];
        transport.refresh(place);
        transport.sweep(place);
        for ((number, entry), why) in drained {
            self.suspend(number, delivery.transport, entry, why);
        }
        if let Some(message) = self.messages.get_mut(&delivery.message) {
            message.flying -= 1;
            message.recipients -= delivery.recipients;
            self.refill(delivery.message, now);
            self.end_if_over(delivery.message);
        }
    }

    /// Tells that an entry is not delivered because its destination is dead.
    fn suspend(&mut self, number: MessageNumber, transport: usize, entry: Entry, why: Dead) {
        let count = entry.recipients.len();
        self.recipients -= count;
        self.transports[transport].recipients -= count;
        let Some(message) = self.messages.get_mut(&number) else { return };
        message.waiting -= 1;
        message.recipients -= count;
        self.steps.push_back(Step::Suspend { id: message.id.clone(), recipients: entry.recipients, why });
        self.end_if_over(number);
    }

    /// Takes back what is not yet handed out of a message.
    fn withdraw(&mut self, number: MessageNumber) {
        let Some(message) = self.messages.get_mut(&number) else { return };
        for index in &message.transports {
            for entry in self.transports[*index].forget(number) {
                let count = entry.recipients.len();
                message.waiting -= 1;
                message.recipients -= count;
                self.recipients -= count;
                self.transports[*index].recipients -= count;
            }
        }
    }

    /// Says that an attempt is over, if it is.
    fn end_if_over(&mut self, number: MessageNumber) {
        let over = |message: &Message| {
            message.waiting == 0 && message.flying == 0 && !message.reading && !message.more
        };
        if self.messages.get(&number).is_some_and(over)
            && let Some(id) = self.close(number)
        {
            self.steps.push_back(Step::Over { id });
        }
    }

    fn close(&mut self, number: MessageNumber) -> Option<QueueId> {
        let message = self.messages.remove(&number)?;
        self.reading -= usize::from(message.reading);
        self.active.remove(&message.id);
        Some(message.id)
    }

    /// Makes a waiting message active, if there is room.
    fn admit(&mut self, now: i64) -> Option<Step> {
        self.waiting.scan(now, micros(self.limits.queue_run_delay));
        if self.messages.len() >= self.limits.message_active_limit
            || self.recipients >= self.limits.message_recipient_limit
            || self.reading >= READING
        {
            return None;
        }
        let (id, flush) = self.waiting.take()?;
        self.serial += 1;
        let number = self.serial;
        self.active.insert(id.clone(), number);
        self.reading += 1;
        let message = Message {
            id: id.clone(),
            since: now,
            waiting: 0,
            flying: 0,
            recipients: 0,
            more: false,
            reading: true,
            read_at: now,
            forgotten: false,
            flush,
            transports: Vec::new(),
        };
        self.messages.insert(number, message);
        Some(Step::Read { id, room: self.room(number) })
    }

    /// How many more recipients of a message there is room for.
    fn room(&self, number: MessageNumber) -> usize {
        let free = self.limits.message_recipient_limit.saturating_sub(self.recipients);
        let transports = self.messages.get(&number).map(|message| message.transports.as_slice());
        let of_transports = transports.unwrap_or_default().iter().map(|index| {
            let transport = &self.transports[*index];
            let extra = match transport.is_overtaking(number) {
                true => transport.limits.extra_memory_limit,
                false => 0,
            };
            (transport.limits.memory_limit + extra).saturating_sub(transport.recipients)
        });
        of_transports.chain([free]).min().unwrap_or(free).max(MINIMUM_ROOM)
    }

    /// Reads more recipients of a large list: when there is room for a good many, when some time has passed, or when
    /// all that were read are delivered.
    fn refill(&mut self, number: MessageNumber, now: i64) {
        let room = self.room(number);
        let Some(message) = self.messages.get_mut(&number) else { return };
        if !message.more || message.reading {
            return;
        }
        let limits = message.transports.iter().map(|index| &self.transports[*index].limits);
        let many = limits.clone().map(|limits| limits.refill_limit).max().unwrap_or(1);
        let pause = limits.map(|limits| limits.refill_delay).max().map_or(0, micros);
        if message.recipients == 0 || room >= many.max(MINIMUM_ROOM + 1) || now >= message.read_at + pause {
            message.reading = true;
            self.reading += 1;
            self.steps.push_back(Step::Read { id: message.id.clone(), room });
        } else {
            self.timers.insert((message.read_at + pause, Timer::Refill(number)));
        }
    }

    /// Starts a delivery, if there is one to be started.
    fn dispatch(&mut self, now: i64) -> Option<Step> {
        let count = self.transports.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let transport = &mut self.transports[index];
            let Some((number, destination, entry)) = transport.select(now) else { continue };
            self.turn = (index + 1) % count;
            self.serial += 1;
            let ticket = Ticket(self.serial);
            let recipients = entry.recipients.len();
            self.deliveries
                .insert(ticket, Delivery { message: number, transport: index, destination, recipients });
            let message = self.messages.get_mut(&number)?;
            message.waiting -= 1;
            message.flying += 1;
            return Some(Step::Deliver(Work {
                ticket,
                id: message.id.clone(),
                transport: self.transports[index].name.clone(),
                nexthop: entry.nexthop,
                recipients: entry.recipients,
            }));
        }
        None
    }

    fn run_timers(&mut self, now: i64) {
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            let due = |until: Option<i64>| until.is_some_and(|until| until <= at);
            match timer {
                Timer::Back(index, place) => {
                    let transport = &mut self.transports[index];
                    if let Some(destination) = transport.destinations.get_mut(&place)
                        && due(destination.dead.as_ref().map(|(until, _)| *until))
                    {
                        destination.revive(&transport.limits);
                    }
                    transport.refresh(place);
                    transport.sweep(place);
                }
                Timer::Destination(index, place) => {
                    let transport = &mut self.transports[index];
                    if let Some(destination) = transport.destinations.get_mut(&place)
                        && due(destination.pausing)
                    {
                        destination.pausing = None;
                    }
                    transport.refresh(place);
                    transport.sweep(place);
                }
                Timer::Transport(index) => {
                    let transport = &mut self.transports[index];
                    if due(transport.pausing) {
                        transport.pausing = None;
                    }
                }
                Timer::Refill(number) => self.refill(number, now),
            }
        }
    }
}
