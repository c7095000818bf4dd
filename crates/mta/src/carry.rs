//! One delivery: hand a group of recipients to an agent, log what came of it, and record it.

use std::sync::Arc;

use deliver::{Delivered, Feedback, Purpose, Report, Request, Target};
use jiff::Timestamp;
use mail::logline::{Delays, Delivery, EXPANDED};
use mail::{Address, Blame, DeliveryReport, Detail, Outcome, Recipient, Refusal};
use queue::scheduler::{Dead, Health, Work};
use queue::{Action, Fate, Settlement};

use crate::active::Active;
use crate::house::{Carrier, House, Setup};
use crate::{bounce, verp};

/// Hands over, logs, and records; tells how the destination did.
pub async fn carry(house: &Arc<House>, setup: &Arc<Setup>, active: &Arc<Active>, work: &Work) -> Health {
    let mut requests = requests(active, work).into_iter();
    let Some(carrier) = setup.carriers.get(&work.transport) else {
        let refusal = Refusal::later(51, Detail(3, 0), Blame::Admin, "mail transport unavailable");
        log::warn!(target: "qmgr", "transport {}: no such service in master.cf", mail::logline::printable(&work.transport));
        refuse(house, setup, active, &indices(work), &refusal);
        return Health::Bad(dead(&refusal));
    };
    let mut health = Health::Good;
    while let Some(request) = requests.next() {
        health = hand_over(house, setup, active, carrier, request).await;
        let Health::Bad(why) = &health else { continue };
        // Whoever did not take one part of the message is not asked about the others.
        let left: Vec<usize> =
            requests.flat_map(|request| request.targets).map(|target| target.index).collect();
        refuse(house, setup, active, &left, &suspended(why));
        break;
    }
    health
}

fn indices(work: &Work) -> Vec<usize> {
    work.recipients.iter().map(|index| *index as usize).collect()
}

/// One request to one agent.
async fn hand_over(
    house: &Arc<House>,
    setup: &Arc<Setup>,
    active: &Active,
    carrier: &Carrier,
    request: Request,
) -> Health {
    let started = house.now();
    let probe = request.purpose == Purpose::Probe;
    let report = attempt(carrier, request).await;
    // Not of the mail in which he is told.
    if !is_double_bounce(setup, &active.stored.envelope.sender) {
        bounce::dialogue::report(house, setup, &report.transcripts).await;
    }
    let program = carrier.program.clone();
    if probe {
        note_probe(house, setup, active, &report, &program, started);
    } else {
        record(house, setup, active, &report, &program, started);
    }
    match report.feedback {
        Feedback::Alive => Health::Good,
        Feedback::Dead(refusal) => Health::Bad(dead(&refusal)),
    }
}

/// The refusal of a destination that is left alone: `delivery temporarily suspended: …`.
pub fn suspended(why: &Dead) -> Refusal {
    let mut digits = why.status.split('.').skip(1).filter_map(|part| part.parse().ok());
    let detail = Detail(digits.next().unwrap_or(4), digits.next().unwrap_or(1));
    let text = format!("delivery temporarily suspended: {}", why.reason);
    Refusal::later(51, detail, Blame::NextHop, text)
}

/// Runs the agent in a task of its own: an agent that dies has delivered nothing that we know of, and that is
/// temporary.
async fn attempt(carrier: &Carrier, request: Request) -> Report {
    let agent = carrier.agent.clone();
    let asked = request.clone();
    match tokio::spawn(async move { agent.deliver(asked).await }).await {
        Ok(report) => report,
        Err(error) => {
            log::error!(target: "qmgr", "{}: the {} agent died: {error}", request.id, carrier.command);
            let refusal = Refusal::later(51, Detail(3, 0), Blame::Ourselves, "delivery agent failure");
            Report::all(&request, &refusal, "none")
        }
    }
}

fn dead(refusal: &Refusal) -> Dead {
    Dead { status: refusal.status().to_string(), reason: refusal.log_text().to_owned() }
}

/// What the agent is asked: one request, or with VERP one for each recipient, as each has a sender of its own.
fn requests(active: &Active, work: &Work) -> Vec<Request> {
    let stored = &active.stored;
    let envelope = &stored.envelope;
    let targets = work.recipients.iter().filter_map(|index| {
        let recipient = active.recipient(*index as usize)?;
        Some(Target { index: *index as usize, recipient: recipient.into_owned() })
    });
    let targets: Vec<Target> = targets.collect();
    let request = |sender: Address, targets: Vec<Target>| Request {
        id: stored.id.clone(),
        sender,
        targets,
        transport: work.transport.clone(),
        nexthop: work.nexthop.clone(),
        content: stored.body.clone(),
        arrival: stored.arrival,
        body_type: envelope.body_type,
        smtputf8: envelope.smtputf8,
        envid: envelope.envid.clone(),
        ret: envelope.ret,
        client: envelope.client.clone(),
        rewrite_local: envelope.rewrite_local,
        purpose: if envelope.report == DeliveryReport::Probe { Purpose::Probe } else { Purpose::Deliver },
        again: stored.inherited || stored.attempts > 0,
    };
    match &envelope.verp {
        Some(delimiters) => targets
            .into_iter()
            .map(|target| {
                let sender = verp::sender(&envelope.sender, delimiters, &target.recipient);
                request(sender, vec![target])
            })
            .collect(),
        None => vec![request(envelope.sender.clone(), targets)],
    }
}

/// `a/b/c/d` of an attempt: waiting, active, connecting, transmitting.
pub fn delays(active: &Active, started: Timestamp, agent: (f64, f64)) -> Delays {
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    let stored = &active.stored;
    Delays(seconds(stored.arrival, active.began), seconds(active.began, started), agent.0, agent.1)
}

/// Logs each outcome and brings the recipients' fates up to date, in memory and in the journal.
fn record(house: &House, setup: &Setup, active: &Active, report: &Report, program: &str, started: Timestamp) {
    let now = house.now();
    let mut changed: Vec<(u32, Fate)> = Vec::with_capacity(report.delivered.len());
    let mut indices: Vec<usize> = report.delivered.iter().map(|one| one.index).collect();
    indices.sort_unstable();
    indices.dedup();
    for index in indices {
        let Some(queued) = active.recipient(index) else { continue };
        let entries: Vec<&Delivered> = report.delivered.iter().filter(|one| one.index == index).collect();
        for one in entries.iter().filter(|one| !matches!(one.outcome, Outcome::Expanded { .. })) {
            log_line(setup, active, &queued, one, program, started);
        }
        let (fate, failed, delivered) = judge(setup, active, &queued, &entries, now);
        let mut progress = active.progress();
        progress.failed.extend(failed);
        progress.delivered.extend(delivered);
        changed.push((u32::try_from(index).unwrap_or(u32::MAX), fate));
    }
    settle(house, active, changed);
}

/// Records fates now when other recipients are still under way; the end of the attempt records the others.
pub fn settle(house: &House, active: &Active, changed: Vec<(u32, Fate)>) {
    let now = active.report(changed);
    if !now.is_empty() {
        // Handed to the committer in order; nobody waits for it.
        drop(house.queue.settle(active.id(), Settlement::fates(now)));
    }
}

fn log_line(
    setup: &Setup,
    active: &Active,
    queued: &Recipient,
    one: &Delivered,
    program: &str,
    started: Timestamp,
) {
    let recipient = one.recipient.as_ref().unwrap_or(queued);
    let line = Delivery {
        id: active.id(),
        to: &recipient.address,
        original: &recipient.original,
        relay: &one.relay,
        conn_use: one.conn_use,
        delays: delays(active, started, one.delays),
        resolution: setup.delay_resolution,
    };
    let program = one.program.as_deref().unwrap_or(program);
    log::info!(target: program, "{}", line.line(&one.outcome, setup.soft_bounce));
}

/// What all entries about one queued recipient come to, and what the sender is to hear of it.
fn judge(
    setup: &Setup,
    active: &Active,
    queued: &Recipient,
    entries: &[&Delivered],
    now: Timestamp,
) -> (Fate, Vec<bounce::Fate>, Vec<bounce::Fate>) {
    let mut failed = Vec::new();
    let mut delivered = Vec::new();
    let mut later = None;
    let mut first_failure = None;
    let mut success = None;
    for one in entries {
        let recipient = one.recipient.as_ref().unwrap_or(queued);
        match &one.outcome {
            Outcome::Later(refusal) => later = Some((refusal.clone(), &one.relay)),
            Outcome::Never(refusal) if setup.soft_bounce => {
                later = Some((refusal.clone().soften(), &one.relay))
            }
            Outcome::Never(refusal) => {
                first_failure.get_or_insert((refusal.clone(), &one.relay));
                failed.push(bounce::Fate::refused(recipient, refusal));
                if active.stored.envelope.report == DeliveryReport::Verbose {
                    // Beside the notice of failure, which may be for another reader.
                    delivered.push(bounce::Fate::told(recipient, refusal, &one.relay));
                }
            }
            Outcome::Delivered { detail, text, relayed_dsn } => {
                let verbose = active.stored.envelope.report == DeliveryReport::Verbose;
                // Who was told of a delay is told of its end.
                let cleared = setup.notices.confirm_delay_cleared
                    && active.stored.delay_warned
                    && (!recipient.notify.is_set() || recipient.notify.delay);
                if verbose || cleared || (recipient.notify.success && !relayed_dsn) {
                    let status = format!("2.{}.{}", detail.0, detail.1);
                    let fate = bounce::Fate::delivered(recipient, one, &status, text);
                    success.get_or_insert(fate.report(&one.relay, now));
                    delivered.push(fate);
                }
            }
            Outcome::Expanded { delivered: counts } => {
                if recipient.notify.success {
                    let text = format!("delivery via {}: {EXPANDED}", one.relay);
                    let mut fate = bounce::Fate::expanded(recipient, &text);
                    if *counts {
                        fate.action = bounce::Action::Delivered;
                    }
                    success.get_or_insert(fate.report(&one.relay, now));
                    delivered.push(fate);
                }
            }
        }
    }
    if let Some((refusal, relay)) = later {
        // Tried again as a whole; what succeeded is remembered by the agent, and told when all is done.
        return (
            Fate::Deferred(queue::Report::refused(&refusal, relay.as_str(), now)),
            Vec::new(),
            Vec::new(),
        );
    }
    if let Some((refusal, relay)) = first_failure {
        let report = queue::Report::refused(&refusal, relay.as_str(), now);
        return (Fate::Failed(report), failed, delivered);
    }
    match success {
        Some(report) => (Fate::Delivered(report), failed, delivered),
        None => (Fate::Done, failed, delivered),
    }
}

/// The answer to `sendmail -bv`: nothing was delivered, every recipient is reported.
fn note_probe(
    house: &House,
    setup: &Setup,
    active: &Active,
    report: &Report,
    program: &str,
    started: Timestamp,
) {
    let now = house.now();
    let mut changed = Vec::new();
    for one in &report.delivered {
        let Some(queued) = active.recipient(one.index) else { continue };
        let recipient = one.recipient.as_ref().unwrap_or(&queued);
        let fate = bounce::Fate::probed(recipient, one);
        let line = Delivery {
            id: active.id(),
            to: &recipient.address,
            original: &recipient.original,
            relay: &one.relay,
            conn_use: one.conn_use,
            delays: delays(active, started, one.delays),
            resolution: setup.delay_resolution,
        };
        log::info!(target: program, "{}", line.probe(&one.outcome));
        let owed = Fate::Delivered(fate.report(&one.relay, now));
        changed.push((u32::try_from(one.index).unwrap_or(u32::MAX), owed));
        active.progress().delivered.push(fate);
    }
    settle(house, active, changed);
}

/// Records a refusal that no agent gave: routing failed, the destination is suspended, the transport deferred.
pub fn refuse(house: &House, setup: &Setup, active: &Active, indices: &[usize], refusal: &Refusal) {
    let started = house.now();
    let delivered = indices.iter().map(|index| Delivered::new(*index, refusal.clone(), "none")).collect();
    let report = Report { delivered, ..Report::default() };
    record(house, setup, active, &report, "error", started);
}

/// Is this the address that undeliverable notices come from? Mail to it ends here.
pub fn is_double_bounce(setup: &Setup, address: &Address) -> bool {
    address.local().eq_ignore_ascii_case(&setup.double_bounce_sender)
}

impl bounce::Fate {
    /// A refusal, as the sender is told of it.
    pub fn refused(recipient: &Recipient, refusal: &Refusal) -> bounce::Fate {
        let action = match refusal.class() {
            mail::Class::Later => bounce::Action::Delayed,
            mail::Class::Never => bounce::Action::Failed,
        };
        bounce::Fate {
            recipient: recipient.clone(),
            action,
            status: refusal.status().to_string(),
            reason: refusal.log_text().to_owned(),
            remote: refusal.remote.clone(),
            diagnostic: refusal.diagnostic.clone(),
        }
    }

    /// A delivery, final or not.
    pub fn delivered(recipient: &Recipient, one: &Delivered, status: &str, text: &str) -> bounce::Fate {
        let relay = one.relay.as_str();
        let host = relay.contains('[');
        let remote = host.then(|| mail::RemoteReply { host: relay.to_owned(), text: text.to_owned() });
        bounce::Fate {
            recipient: recipient.clone(),
            action: if one.relayed { bounce::Action::Relayed } else { bounce::Action::Delivered },
            status: status.to_owned(),
            reason: format!("delivery via {relay}: {text}"),
            remote,
            diagnostic: None,
        }
    }

    /// An alias or a forward.
    pub fn expanded(recipient: &Recipient, text: &str) -> bounce::Fate {
        bounce::Fate {
            recipient: recipient.clone(),
            action: bounce::Action::Expanded,
            status: "2.0.0".to_owned(),
            reason: text.to_owned(),
            remote: None,
            diagnostic: None,
        }
    }

    /// The answer of a probe.
    pub fn probed(recipient: &Recipient, one: &Delivered) -> bounce::Fate {
        match &one.outcome {
            Outcome::Delivered { detail, text, .. } => {
                let status = format!("2.{}.{}", detail.0, detail.1);
                let fate = bounce::Fate::delivered(recipient, one, &status, text);
                bounce::Fate { action: bounce::Action::Deliverable, ..fate }
            }
            Outcome::Expanded { .. } => bounce::Fate {
                action: bounce::Action::Deliverable,
                ..bounce::Fate::expanded(recipient, EXPANDED)
            },
            Outcome::Later(refusal) | Outcome::Never(refusal) => bounce::Fate {
                action: bounce::Action::Undeliverable,
                ..bounce::Fate::told(recipient, refusal, &one.relay)
            },
        }
    }

    /// A refusal within the report that `sendmail -v` or `-bv` asked for: it says how delivery was tried.
    pub fn told(recipient: &Recipient, refusal: &Refusal, relay: &str) -> bounce::Fate {
        let mut fate = bounce::Fate::refused(recipient, refusal);
        if relay != "none" {
            fate.reason = format!("delivery via {relay}: {}", fate.reason);
        }
        fate
    }

    /// As the queue keeps it until the notice is written.
    pub fn report(&self, relay: &str, at: Timestamp) -> queue::Report {
        let action = match self.action {
            bounce::Action::Failed | bounce::Action::Undeliverable => Action::Failed,
            bounce::Action::Delayed => Action::Delayed,
            bounce::Action::Delivered | bounce::Action::Deliverable => Action::Delivered,
            bounce::Action::Relayed => Action::Relayed,
            bounce::Action::Expanded => Action::Expanded,
        };
        queue::Report {
            action,
            status: self.status.clone(),
            reason: self.reason.clone(),
            remote: self.remote.clone(),
            diagnostic: self.diagnostic.clone(),
            relay: relay.to_owned(),
            at,
        }
    }

    /// From what the queue kept.
    pub fn kept(recipient: &Recipient, report: &queue::Report) -> bounce::Fate {
        let action = match report.action {
            Action::Failed => bounce::Action::Failed,
            Action::Delayed => bounce::Action::Delayed,
            Action::Delivered => bounce::Action::Delivered,
            Action::Relayed => bounce::Action::Relayed,
            Action::Expanded => bounce::Action::Expanded,
        };
        bounce::Fate {
            recipient: recipient.clone(),
            action,
            status: report.status.clone(),
            reason: report.reason.clone(),
            remote: report.remote.clone(),
            diagnostic: report.diagnostic.clone(),
        }
    }
}
