//! Writes the notices an attempt has earned, and says what they settle.
//!
//! The notice is put in the queue first and the recipients are settled after it, so that a crash between the two
//! repeats a notice and never loses one.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use mail::{Address, Blame, BodyType, Detail, Envelope, QueueId, Recipient, Refusal, Ret};
use queue::{Body, Fate as Standing, Settlement, Stored};

use super::{Action, Fate, Kind, Notices, Order, Original, Reader, Returned, Site, compose};
use crate::active::Active;
use crate::cleanup::{Skip, received};
use crate::house::{House, Setup};
use crate::road::{Message, Orders, Queued, accept};

/// Sends what is due for this message. The settlement marks the recipients whose notices are safe.
pub async fn notices(house: &Arc<House>, setup: &Arc<Setup>, active: &Active, now: Timestamp) -> Settlement {
    let mut settlement = Settlement::default();
    let (mut failed, mut delivered, standings) = {
        let progress = active.progress();
        (progress.failed.clone(), progress.delivered.clone(), progress.fates.clone())
    };
    take_up(active, &standings, &mut failed, &mut delivered);
    let done = |standing: fn(&Standing) -> bool| -> Vec<(u32, Standing)> {
        let all = standings.iter().enumerate().filter(|(_, one)| standing(one));
        all.map(|(index, _)| (u32::try_from(index).unwrap_or(u32::MAX), Standing::Done)).collect()
    };
    let writer = Writer { house, setup, active, now };
    if !failed.is_empty() {
        match writer.failure(&failed).await {
            Ok(()) => settlement.fates.extend(done(|one| matches!(one, Standing::Failed(_)))),
            Err(refusal) => writer.complain("non-delivery", &refusal),
        }
    }
    if !delivered.is_empty() {
        match writer.success(&delivered).await {
            Ok(()) => settlement.fates.extend(done(|one| matches!(one, Standing::Delivered(_)))),
            Err(refusal) => writer.complain("delivery status", &refusal),
        }
    }
    let delay = setup.notices.delay_warning_time;
    let late = !delay.is_zero() && active.stored.arrival + delay <= now && !active.stored.delay_warned;
    if late && standings.iter().any(|one| matches!(one, Standing::Deferred(_))) {
        match writer.delay(&standings).await {
            Ok(()) => settlement.delay_warned = true,
            Err(refusal) => writer.complain("delay", &refusal),
        }
    }
    settlement
}

/// Tells the sender that aliases took the place of recipients, as was asked for with NOTIFY=SUCCESS.
pub async fn expanded(house: &Arc<House>, stored: Stored, recipients: Vec<Recipient>) {
    let setup = house.setup();
    let active = Active::new(stored, house.now());
    let probe = active.stored.envelope.report == mail::DeliveryReport::Probe;
    let fates: Vec<Fate> = recipients
        .iter()
        .map(|recipient| {
            let fate = Fate::expanded(recipient, "alias expanded");
            if probe { Fate { action: Action::Deliverable, ..fate } } else { fate }
        })
        .collect();
    let writer = Writer { house, setup: &setup, active: &active, now: house.now() };
    if let Err(refusal) = writer.success(&fates).await {
        writer.complain("delivery status", &refusal);
    }
}

/// Mail to the postmaster about something that went wrong.
pub async fn to_postmaster(
    house: &Arc<House>,
    setup: &Arc<Setup>,
    to: &Address,
    subject: &str,
    text: &str,
) -> Result<Queued, Refusal> {
    let shown = setup.notices.error_recipient.external();
    let daemon = format!("MAILER-DAEMON@{}", setup.myhostname);
    let (from, to_field) = match setup.notices.obsolete_from {
        true => (format!("{daemon} (Mail Delivery System)"), format!("{shown} (Postmaster)")),
        false => (format!("Mail Delivery System <{daemon}>"), format!("Postmaster <{shown}>")),
    };
    let content = format!("From: {from}\nTo: {to_field}\nSubject: {subject}\n\n{text}");
    let sender = Address::from(format!("{}@{}", setup.double_bounce_sender, setup.myhostname));
    let pieces = std::iter::once(Ok(Bytes::from(content)));
    submit(house, setup, (sender, to), (false, BodyType::Unspecified), pieces, house.now()).await
}

/// A message of ours for one user, which nobody answers: header without Date, and text.
pub async fn to_recipient(
    house: &Arc<House>,
    setup: &Arc<Setup>,
    to: &Address,
    content: String,
) -> Result<Queued, Refusal> {
    let pieces = std::iter::once(Ok(Bytes::from(content)));
    submit(house, setup, (Address::null(), to), (false, BodyType::EightBitMime), pieces, house.now()).await
}

/// A message that was refused after its sender had gone goes back to it. The error: it could not be sent back.
pub async fn refused(house: &Arc<House>, mut stored: Stored, refusal: &Refusal) -> Result<QueueId, Refusal> {
    if refusal.blame == Blame::Policy || refusal.detail == Detail(3, 4) {
        // What was not wanted, or too much, is not sent about once more.
        Arc::make_mut(&mut stored.envelope).ret = Some(Ret::Headers);
    }
    let (setup, now) = (house.setup(), house.now());
    let active = Active::new(stored, now);
    let (indices, _) = active.next_pending(usize::MAX);
    let mut reason = refusal.clone();
    if let Some(text) = reason.say.strip_prefix("Error: ") {
        reason.say = text.to_owned();
    }
    crate::carry::refuse(house, &setup, &active, &indices, &reason);
    let settlement = notices(house, &setup, &active, now).await;
    if settlement.fates.is_empty() {
        log::warn!(target: "cleanup", "{}: bounce message failure", active.id());
        let later = Refusal::later(51, Detail(3, 0), Blame::Ourselves, "Error: queue file write error");
        return Err(later);
    }
    Ok(active.id().clone())
}

/// Notices that a former run owed: what the queue kept and this attempt did not see.
fn take_up(active: &Active, standings: &[Standing], failed: &mut Vec<Fate>, delivered: &mut Vec<Fate>) {
    for (recipient, standing) in active.stored.envelope.recipients.iter().zip(standings) {
        let (list, report) = match standing {
            Standing::Failed(report) => (&mut *failed, report),
            Standing::Delivered(report) => (&mut *delivered, report),
            _ => continue,
        };
        let known = list.iter().any(|fate| {
            fate.recipient.original == recipient.original || fate.recipient.address == recipient.address
        });
        if !known {
            list.push(Fate::kept(recipient, report));
        }
    }
}

struct Writer<'a> {
    house: &'a Arc<House>,
    setup: &'a Arc<Setup>,
    active: &'a Active,
    now: Timestamp,
}

impl Writer<'_> {
    fn complain(&self, what: &str, refusal: &Refusal) {
        log::warn!(target: "bounce", "{}: {what} notice: {}", self.active.id(), refusal.log_text());
    }

    fn envelope(&self) -> &Envelope {
        &self.active.stored.envelope
    }

    /// Tells the sender of failures; a notice that fails itself goes to the postmaster, once.
    async fn failure(&self, fates: &[Fate]) -> Result<(), Refusal> {
        let notices = &self.setup.notices;
        let sender = self.envelope().sender.clone();
        if crate::carry::is_double_bounce(self.setup, &sender) {
            log::warn!(target: "bounce", "{}: undeliverable postmaster notification discarded", self.active.id());
            return Ok(());
        }
        if sender.is_null() {
            if notices.classes.double_bounce {
                let to = notices.double_bounce_recipient.clone();
                self.post(Kind::Failure, Reader::Postmaster, &to, fates, Returned::Full).await?;
            }
            return Ok(());
        }
        let wanted: Vec<Fate> = fates.iter().filter(|fate| wants_failure(&fate.recipient)).cloned().collect();
        match self.envelope().verp.as_deref().filter(|_| notices.verp.notices) {
            Some(delimiters) => {
                for fate in &wanted {
                    let to = crate::verp::sender(&sender, delimiters, &fate.recipient);
                    let fate = std::slice::from_ref(fate);
                    self.post(Kind::Failure, Reader::Sender, &to, fate, Returned::Full).await?;
                }
            }
            None if wanted.is_empty() => {}
            None => self.post(Kind::Failure, Reader::Sender, &sender, &wanted, Returned::Full).await?,
        }
        if notices.classes.bounce {
            let to = notices.bounce_recipient.clone();
            self.post(Kind::Failure, Reader::Postmaster, &to, fates, Returned::Header).await?;
        }
        Ok(())
    }

    async fn success(&self, fates: &[Fate]) -> Result<(), Refusal> {
        let sender = self.envelope().sender.clone();
        if sender.is_null() {
            return Ok(());
        }
        let probe =
            fates.iter().any(|fate| matches!(fate.action, Action::Deliverable | Action::Undeliverable));
        let kind = if probe || self.envelope().report != mail::DeliveryReport::No {
            Kind::Verify
        } else {
            Kind::Success
        };
        self.post(kind, Reader::Sender, &sender, fates, Returned::Header).await
    }

    async fn delay(&self, standings: &[Standing]) -> Result<(), Refusal> {
        let notices = &self.setup.notices;
        let sender = self.envelope().sender.clone();
        let late: Vec<Fate> = self
            .envelope()
            .recipients
            .iter()
            .zip(standings)
            .filter_map(|(recipient, standing)| match standing {
                Standing::Deferred(report) => Some(Fate::kept(recipient, report)),
                _ => None,
            })
            .collect();
        let wanted: Vec<Fate> = late.iter().filter(|fate| wants_delay(&fate.recipient)).cloned().collect();
        if !sender.is_null() && !crate::carry::is_double_bounce(self.setup, &sender) && !wanted.is_empty() {
            self.post(Kind::Delay, Reader::Sender, &sender, &wanted, Returned::Header).await?;
        }
        if notices.classes.delay {
            let to = notices.delay_recipient.clone();
            self.post(Kind::Delay, Reader::Postmaster, &to, &late, Returned::Header).await?;
        }
        Ok(())
    }

    /// Composes one notice and puts it on the road.
    async fn post(
        &self,
        kind: Kind,
        reader: Reader,
        to: &Address,
        fates: &[Fate],
        most: Returned,
    ) -> Result<(), Refusal> {
        let (setup, stored) = (self.setup, &self.active.stored);
        let envelope = self.envelope();
        let notices = &setup.notices;
        let thread = if notices.threaded { message_id(&stored.body)? } else { None };
        let original = Original {
            id: &stored.id,
            sender: &envelope.sender,
            envid: envelope.envid.as_deref(),
            ret: if most == Returned::Header { Some(Ret::Headers) } else { envelope.ret },
            arrival: stored.arrival,
            smtputf8: envelope.smtputf8,
            eight_bit: envelope.body_type == BodyType::EightBitMime,
            size: stored.body.len(),
            thread: thread.as_deref(),
        };
        let site = Site {
            myhostname: &setup.myhostname,
            mail_name: &setup.mail_name,
            smtputf8_enable: notices.smtputf8_enable,
            size_limit: notices.size_limit,
            zone: &setup.zone,
            retry_until: Some(stored.arrival + setup.limits.maximal_lifetime),
        };
        let order = Order { kind, reader, to, template: notices.templates.of(kind), now: self.now };
        let notice = compose(order, &original, fates, &site, |text| notices.expand(text));
        let returned = returned(&stored.body, notice.returned)?;
        let sender = match reader {
            Reader::Sender => Address::null(),
            Reader::Postmaster => {
                Address::from(format!("{}@{}", setup.double_bounce_sender, setup.myhostname))
            }
        };
        let pieces =
            [Ok(Bytes::from(notice.head))].into_iter().chain(returned).chain([Ok(Bytes::from(notice.tail))]);
        let body_type = if notices.smtputf8_enable { BodyType::EightBitMime } else { BodyType::Unspecified };
        let kind_of_mail = (envelope.smtputf8, body_type);
        let new = submit(self.house, setup, (sender, to), kind_of_mail, pieces, self.now).await?;
        let what = match (kind, reader) {
            (Kind::Failure, Reader::Sender) => "sender non-delivery notification",
            (Kind::Failure, Reader::Postmaster) => "postmaster non-delivery notification",
            (Kind::Delay, Reader::Sender) => "sender delay notification",
            (Kind::Delay, Reader::Postmaster) => "postmaster delay notification",
            (Kind::Success | Kind::Verify, _) => "sender delivery status notification",
        };
        log::info!(target: "bounce", "{}: {what}: {}", stored.id, new.id());
        Ok(())
    }
}

/// Puts a message of ours on the road. `smtputf8` and `body_type` say what kind of mail it is.
async fn submit(
    house: &Arc<House>,
    setup: &Arc<Setup>,
    (sender, to): (Address, &Address),
    (smtputf8, body_type): (bool, BodyType),
    content: impl Iterator<Item = Result<Bytes, queue::Failure>> + Send,
    now: Timestamp,
) -> Result<Queued, Refusal> {
    let id = house.queue.new_id(now);
    let date = mail::date::rfc5322(now, &setup.zone);
    let mut prepend = received::local(&setup.myhostname, &setup.mail_name, None, &id, &date);
    prepend.push_str(&format!("Date: {date}\n"));
    let envelope = Envelope {
        sender,
        recipients: vec![Recipient::new(to.clone())],
        smtputf8,
        body_type,
        rewrite_local: true,
        origin: "bounce".to_owned(),
        ..Envelope::default()
    };
    let message = Message {
        id,
        envelope,
        orders: Orders::default(),
        origin: "local".to_owned(),
        skip: Skip {
            checks: !setup.notices.checked,
            milters: !setup.notices.checked,
            guards: !setup.notices.checked,
            bcc: true,
            ..Skip::default()
        },
        arrival: now,
        stranger: None,
        prepend,
        size_hint: 0,
    };
    accept(house, setup, message, content).await
}

/// `NOTIFY=` says when a sender hears of failure: always, unless it names other events only (RFC 3461 4.1).
fn wants_failure(recipient: &Recipient) -> bool {
    !recipient.notify.is_set() || recipient.notify.failure
}

/// Of delay: when asked for, or when nothing was said.
fn wants_delay(recipient: &Recipient) -> bool {
    !recipient.notify.is_set() || recipient.notify.delay
}

/// The Message-Id of the original, for the notice to refer to.
fn message_id(body: &Body) -> Result<Option<String>, Refusal> {
    let start = body.read_at(0, HEADER_MAX)?;
    let head = &start[..mail::header::header_len(&start)];
    let field = mail::header::fields(head).find(|field| field.is("message-id"));
    Ok(field.map(|field| String::from_utf8_lossy(field.value()).split_whitespace().collect()))
}

/// The part of the original that goes back, piece by piece.
fn returned(
    body: &Body,
    how: Returned,
) -> Result<Box<dyn Iterator<Item = Result<Bytes, queue::Failure>> + Send + '_>, Refusal> {
    match how {
        Returned::Full => Ok(Box::new(body.chunks())),
        Returned::Header => {
            let start = body.read_at(0, HEADER_MAX)?;
            let len = mail::header::header_len(&start);
            Ok(Box::new(std::iter::once(Ok(start.slice(..len)))))
        }
    }
}

/// Most bytes of a header that go back in a notice.
const HEADER_MAX: usize = 256 << 10;

impl Notices {
    /// Replaces `$name` and `$$` in the text of a template.
    pub fn expand(&self, text: &str) -> String {
        (self.expander)(text)
    }
}
