//! The queue manager: drives the scheduler, starts deliveries, ends attempts.
//!
//! The scheduler decides; this file only does what it says and tells it what happened.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mail::{Blame, DeliveryReport, Detail, QueueId, Refusal, Trail};
use queue::scheduler::{Dead, Health, Scheduler, Step, Target, Ticket, too_old};
use queue::{Change, Fate, Flush, Left, Settlement, State};
use tokio::sync::mpsc;

use crate::active::Active;
use crate::bounce::{self, post};
use crate::carry::{carry, is_double_bounce, refuse, settle, suspended};
use crate::house::{House, Setup};

/// What tasks report to the queue manager.
enum News {
    /// A message was read: these recipients, and whether more are left.
    Read(QueueId, Vec<Target>, bool),
    /// A message could not be read: leave it alone until then.
    Unreadable(QueueId, Timestamp),
    /// A delivery has ended.
    Finished(Ticket, Health),
    /// Of a message that was requeued something is left to do.
    Left(QueueId),
    /// An attempt has ended; what is left is tried then.
    Ended(QueueId, Option<Timestamp>),
}

/// Runs until the task is dropped.
pub async fn run(house: Arc<House>) {
    let setup = house.setup();
    let transports = setup.transports.clone();
    let (tell, mut news) = mpsc::unbounded_channel();
    let mut manager = Manager {
        scheduler: Scheduler::new(setup.limits.clone(), Box::new(move |name| transports(name))),
        active: HashMap::new(),
        setup,
        house: house.clone(),
        tell,
    };
    loop {
        manager.work();
        let wakeup = manager.scheduler.wakeup();
        let pause = wakeup.map_or(Duration::from_secs(3600), |at| until(house.now(), at));
        tokio::select! {
            changes = house.queue.changes() => changes.into_iter().for_each(|change| manager.changed(change)),
            Some(first) = news.recv() => {
                manager.heard(first);
                while let Ok(more) = news.try_recv() {
                    manager.heard(more);
                }
            }
            () = house.renewed() => manager.renew(),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The time from `now` to `at`; a little at least, so that a clock that stands still does not make us spin.
fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default().max(Duration::from_millis(1))
}

struct Manager {
    scheduler: Scheduler,
    active: HashMap<QueueId, Arc<Active>>,
    setup: Arc<Setup>,
    house: Arc<House>,
    tell: mpsc::UnboundedSender<News>,
}

impl Manager {
    fn renew(&mut self) {
        self.setup = self.house.setup();
        let transports = self.setup.transports.clone();
        self.scheduler.reconfigure(self.setup.limits.clone(), Box::new(move |name| transports(name)));
    }

    fn changed(&mut self, change: Change) {
        let now = self.house.now();
        match change {
            Change::Ready(id) => self.scheduler.ready(id),
            Change::Requeued(id) => self.requeue(id),
            Change::Waiting(id, until) => self.scheduler.deferred(id, until),
            Change::Held(id) | Change::Removed(id) => self.scheduler.forget(&id),
            // It goes back at its next attempt, as postsuper(1) says.
            Change::Expired(_) => {}
            Change::Flush(Flush::All) => self.scheduler.flush_all(now),
            Change::Flush(Flush::Message(id)) => self.scheduler.flush_message(&id),
            Change::Flush(Flush::Site(site)) => self.flush_site(&site),
        }
    }

    /// `postsuper -r`: no delivery of the old message is started while the new one is made.
    fn requeue(&mut self, id: QueueId) {
        self.scheduler.forget(&id);
        let (house, tell) = (self.house.clone(), self.tell.clone());
        tokio::spawn(async move {
            if crate::requeue::requeue(&house, &id).await {
                // The receiver lives as long as the queue manager.
                let _ = tell.send(News::Left(id));
            }
        });
    }

    /// `postqueue -s` and ETRN: every deferred message with a recipient in this domain.
    fn flush_site(&mut self, site: &str) {
        let mut after: Option<QueueId> = None;
        loop {
            let page = self.house.queue.list(after.as_ref(), 1000);
            let Some(last) = page.last() else { return };
            after = Some(last.brief.id.clone());
            for summary in page {
                let wanted = summary.brief.state == State::Deferred
                    && summary.recipients.iter().any(|one| {
                        one.address.domain().is_some_and(|domain| domain.eq_ignore_ascii_case(site))
                    });
                if wanted {
                    self.scheduler.flush_message(&summary.brief.id);
                }
            }
        }
    }

    fn heard(&mut self, news: News) {
        let now = self.house.now();
        match news {
            News::Read(id, targets, more) => self.scheduler.add(&id, targets, more, now),
            News::Unreadable(id, at) => {
                self.scheduler.forget(&id);
                self.active.remove(&id);
                self.scheduler.deferred(id, at);
            }
            News::Finished(ticket, health) => self.scheduler.finished(ticket, health, now),
            News::Left(id) => self.scheduler.ready(id),
            News::Ended(id, again) => {
                self.active.remove(&id);
                // What was held or deleted meanwhile waits for nothing.
                let is_deferred = |brief: queue::Brief| brief.state == State::Deferred;
                if let Some(at) = again.filter(|_| self.house.queue.brief(&id).is_some_and(is_deferred)) {
                    self.scheduler.deferred(id, at);
                }
            }
        }
    }

    /// Does what the scheduler says until it has nothing more to say.
    fn work(&mut self) {
        let now = self.house.now();
        while let Some(step) = self.scheduler.next(now) {
            match step {
                Step::Read { id, room } => self.read(id, room),
                Step::Deliver(work) => self.deliver(work),
                Step::Suspend { id, recipients, why } => self.suspend(&id, &recipients, &why),
                Step::Over { id } => self.over(&id),
            }
        }
    }

    fn read(&mut self, id: QueueId, room: usize) {
        let (house, setup, tell) = (self.house.clone(), self.setup.clone(), self.tell.clone());
        let known = self.active.get(&id).cloned();
        let active = match known {
            Some(active) => Ok(active),
            // Fresh mail is in memory; what is not costs one short read here.
            None => activate(&house, &id),
        };
        match active {
            Ok(active) => {
                self.active.insert(id, active.clone());
                tokio::spawn(async move {
                    let (targets, more) = route(&house, &setup, &active, room).await;
                    // The receiver lives as long as the queue manager.
                    let _ = tell.send(News::Read(active.id().clone(), targets, more));
                });
            }
            // It was held or deleted after the scheduler had chosen it: there is nothing to deliver.
            Err(failure) if failure.kind == queue::Kind::NotFound => {
                self.scheduler.add(&id, Vec::new(), false, house.now());
            }
            Err(failure) => {
                log::warn!(target: "qmgr", "{id}: {failure}");
                let again = house.now() + setup.limits.minimal_backoff;
                let _ = tell.send(News::Unreadable(id, again));
            }
        }
    }

    fn deliver(&mut self, work: queue::scheduler::Work) {
        let Some(active) = self.active.get(&work.id).cloned() else {
            let _ = self.tell.send(News::Finished(work.ticket, Health::Good));
            return;
        };
        let (house, setup, tell) = (self.house.clone(), self.setup.clone(), self.tell.clone());
        tokio::spawn(async move {
            let health = carry(&house, &setup, &active, &work).await;
            let _ = tell.send(News::Finished(work.ticket, health));
        });
    }

    fn suspend(&mut self, id: &QueueId, recipients: &[u32], why: &Dead) {
        let Some(active) = self.active.get(id) else { return };
        let indices: Vec<usize> = recipients.iter().map(|index| *index as usize).collect();
        refuse(&self.house, &self.setup, active, &indices, &suspended(why));
    }

    fn over(&mut self, id: &QueueId) {
        let Some(active) = self.active.get(id).cloned() else {
            let _ = self.tell.send(News::Ended(id.clone(), None));
            return;
        };
        let (house, setup, tell) = (self.house.clone(), self.setup.clone(), self.tell.clone());
        tokio::spawn(async move {
            let again = end(&house, &setup, &active).await;
            let _ = tell.send(News::Ended(active.id().clone(), again));
        });
    }
}

/// Loads a message and says so in the log.
fn activate(house: &House, id: &QueueId) -> Result<Arc<Active>, queue::Failure> {
    if house.queue.activate(id).is_none() {
        return Err(queue::Failure::new(queue::Kind::NotFound, "held or deleted"));
    }
    let stored = house.queue.load(id)?;
    let left = stored.fates.iter().filter(|fate| fate.is_pending()).count();
    log_active(id, &stored.envelope, stored.body.len(), left);
    Ok(Arc::new(Active::new(stored, house.now())))
}

/// Says that a message with so many recipients left comes into the active queue.
pub(crate) fn log_active(id: &QueueId, envelope: &mail::Envelope, size: u64, left: usize) {
    log::info!(
        target: "qmgr",
        "{id}: from=<{}>, size={size}, nrcpt={} (queue active)",
        mail::logline::printable(&envelope.sender.external()),
        left + envelope.withdrawn as usize,
    );
}

/// Resolves the next recipients. Those that cannot be routed are refused on the spot.
async fn route(house: &House, setup: &Setup, active: &Active, room: usize) -> (Vec<Target>, bool) {
    let (indices, more) = active.next_pending(room);
    if active.stored.forced_expire {
        give_up(house, setup, active, &indices);
        return (Vec::new(), more);
    }
    let envelope = &active.stored.envelope;
    let mut targets = Vec::with_capacity(indices.len());
    for index in indices {
        let recipient = &envelope.recipients[index].address;
        if is_double_bounce(setup, recipient) && envelope.sender.is_null() {
            discard(house, active, index);
            continue;
        }
        match stop(setup, active, index).await {
            Ok((transport, nexthop)) => {
                let destination = destination(setup, &transport, &nexthop, recipient);
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                targets.push(Target { index, transport, nexthop, destination });
            }
            Err(refusal) => refuse(house, setup, active, &[index], &refusal),
        }
    }
    // What is handed over together is cut from this order.
    let address = |target: &Target| &envelope.recipients[target.index as usize].address;
    targets.sort_by(|a, b| address(a).compare_by_domain(address(b)));
    (targets, more)
}

/// `postsuper -e`: nothing is tried any more. What was deferred keeps its reason.
fn give_up(house: &House, setup: &Setup, active: &Active, indices: &[usize]) {
    let refusal = Refusal::later(51, Detail(7, 0), Blame::Admin, "message is administratively expired");
    for index in indices {
        let known = active.progress().fates[*index].clone();
        match known {
            Fate::Deferred(_) => {
                settle(house, active, vec![(u32::try_from(*index).unwrap_or(u32::MAX), known)])
            }
            _ => refuse(house, setup, active, &[*index], &refusal),
        }
    }
}

/// Transport and next hop of one recipient.
async fn stop(setup: &Setup, active: &Active, index: usize) -> Result<(String, String), Refusal> {
    let envelope = &active.stored.envelope;
    let recipient = &envelope.recipients[index].address;
    let mut trail = Trail::off();
    // What is only asked about goes to nobody, and to no filter either.
    let asked_only = envelope.report == DeliveryReport::Probe;
    let (transport, nexthop) = match envelope.content_filter.as_ref().filter(|_| !asked_only) {
        Some(filter) => {
            let (transport, nexthop) = filter.split_once(':').unwrap_or((filter, ""));
            let host = recipient.domain().unwrap_or(&setup.myhostname);
            let known = [nexthop, setup.filter_nexthop.as_str()].into_iter().find(|hop| !hop.is_empty());
            (transport.to_owned(), known.unwrap_or(host).to_owned())
        }
        None => {
            let stop = setup.router.resolve(&envelope.sender, recipient, &mut trail).await?;
            active.resolve(index, stop.recipient);
            (stop.transport, stop.nexthop)
        }
    };
    if setup.defer_transports.contains(&transport) {
        return Err(Refusal::later(50, Detail(3, 2), Blame::Admin, "deferred transport"));
    }
    Ok((transport, nexthop))
}

/// What shares the limits of a destination: the next hop, or the mailbox where a transport takes one recipient
/// at a time (qmgr(8)).
fn destination(setup: &Setup, transport: &str, nexthop: &str, recipient: &mail::Address) -> String {
    if (setup.transports)(transport).recipient_limit == 1 {
        recipient.as_str().to_ascii_lowercase()
    } else {
        nexthop.to_ascii_lowercase()
    }
}

/// A notice that can be delivered to nobody ends here.
fn discard(house: &House, active: &Active, index: usize) {
    log::warn!(target: "qmgr", "{}: undeliverable postmaster notification discarded", active.id());
    settle(house, active, vec![(u32::try_from(index).unwrap_or(u32::MAX), Fate::Done)]);
}

/// The attempt is over: notices for what is decided, another date for what is not.
async fn end(house: &Arc<House>, setup: &Arc<Setup>, active: &Active) -> Option<Timestamp> {
    let now = house.now();
    expire(setup, active, now);
    let (owed, unsettled) = {
        let mut progress = active.progress();
        let owed = |fate: &Fate| matches!(fate, Fate::Failed(_) | Fate::Delivered(_));
        (progress.fates.iter().any(owed), std::mem::take(&mut progress.unsettled))
    };
    let mut settlement = if owed {
        // A notice takes a while to write; what was delivered must be on record before.
        drop(house.queue.settle(active.id(), Settlement::fates(unsettled)));
        post::notices(house, setup, active, now).await
    } else {
        let late = post::notices(house, setup, active, now).await;
        Settlement { fates: unsettled, ..late }
    };
    let again = {
        let progress = active.progress();
        let noticed = |at: usize| {
            settlement.fates.iter().any(|(index, fate)| *index as usize == at && matches!(fate, Fate::Done))
        };
        let left =
            (0..progress.fates.len()).any(|at| !matches!(progress.fates[at], Fate::Done) && !noticed(at));
        left.then(|| queue::scheduler::next_attempt(&setup.limits, active.stored.arrival, now))
    };
    settlement.defer_until = again;
    // Nobody waits for the disk here: a crash before the record is durable repeats a delivery, it loses nothing.
    if house.queue.settle(active.id(), settlement).now() == Left::Removed {
        log::info!(target: "qmgr", "{}: removed", active.id());
    }
    again
}

/// What is too old, or expired by `postsuper -e`, goes back to its sender with the last reason.
fn expire(setup: &Setup, active: &Active, now: Timestamp) {
    let stored = &active.stored;
    let sender = &stored.envelope.sender;
    let old = too_old(&setup.limits, sender.is_null(), stored.arrival, now);
    let why = match (stored.forced_expire, old) {
        (true, _) => "force-expired",
        (false, true) => "expired",
        (false, false) => return,
    };
    let mut progress = active.progress();
    let mut any = false;
    for at in 0..progress.fates.len() {
        let Fate::Deferred(report) = &progress.fates[at] else { continue };
        let report = queue::Report { action: queue::Action::Failed, ..report.clone() };
        let recipient = &stored.envelope.recipients[at];
        progress.failed.push(bounce::Fate::kept(recipient, &report));
        let failed = Fate::Failed(report);
        progress.unsettled.push((u32::try_from(at).unwrap_or(u32::MAX), failed.clone()));
        progress.fates[at] = failed;
        any = true;
    }
    if any {
        let sender = mail::logline::printable(&sender.external());
        log::info!(target: "qmgr", "{}: from=<{sender}>, status={why}, returned to sender", active.id());
    }
}
