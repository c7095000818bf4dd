//! The road of a message: two short functions with a disk between them.
//!
//! [`accept`]: judge, clean up, put in the queue; only then may anyone say "250".
//! [`carry`](crate::carry::carry): route, hand over, settle.
//!
//! Everything enters by `accept`: SMTP sessions, `sendmail`, notices, forwarded mail. Everything leaves by
//! `carry`. There is no third way.

use std::sync::Arc;

use jiff::Timestamp;
use mail::{Class, Envelope, QueueId, Refusal};

pub use filter::{Orders, Probe};

use crate::bounce;
use crate::cleanup::{Clean, Cleaner, Cleaning, Intake, Skip};
use crate::house::{House, Setup};
use crate::milters::{self, Filtering};
use crate::scanning;
use crate::vouching::{Checked, Stranger};

/// Proof that a message is durably in the queue: the reply 250 is built from it and from nothing else.
#[derive(Clone, Debug)]
pub struct Queued(QueueId);

impl Queued {
    /// The id to print in `queued as`.
    pub fn id(&self) -> &QueueId {
        &self.0
    }
}

/// A message at the counter: its envelope, and how it is to be treated.
#[derive(Debug)]
pub struct Message {
    /// Id from [`queue::Queue::new_id`].
    pub id: QueueId,
    /// Sender, recipients, options.
    pub envelope: Envelope,
    /// What was asked for.
    pub orders: Orders,
    /// `name[address]` of the client, or `local`, for the log of checks.
    pub origin: String,
    /// What cleanup leaves out.
    pub skip: Skip,
    /// When it was submitted.
    pub arrival: Timestamp,
    /// Who sent it, when that is nobody of ours.
    pub stranger: Option<Stranger>,
    /// Header lines to put on top, each ended by LF.
    pub prepend: String,
    /// Bytes expected; 0 when not known.
    pub size_hint: u64,
}

/// A message whose content is coming in.
pub struct Receiving {
    house: Arc<House>,
    cleaning: Cleaning<queue::Draft>,
    cleaner: Arc<Cleaner>,
    arrival: Timestamp,
    /// `non_smtpd_milters` are shown it.
    local_milters: bool,
    /// Its sender is checked, it is scanned, it is signed.
    guarded: bool,
    stranger: Option<Stranger>,
}

/// Opens the counter for a message: its envelope is rewritten and expanded at once.
pub async fn receive(
    house: &Arc<House>,
    setup: &Setup,
    service: &str,
    message: Message,
) -> Result<Receiving, Refusal> {
    let Message { id, envelope, orders, origin, skip, arrival, stranger, prepend, size_hint } = message;
    let mut top: String = orders.prepend.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    top.push_str(&prepend);
    let intake = Intake {
        id,
        envelope,
        origin,
        skip,
        now: house.now(),
        zone: setup.zone.clone(),
        prepend: top.into_bytes(),
    };
    let (local_milters, guarded) = (!intake.skip.milters, !intake.skip.guards);
    let draft = house.queue.draft(size_hint);
    let cleaner = setup.cleaner(service).clone();
    let mut cleaning = cleaner.begin(intake, draft).await?;
    cleaning.take_orders(orders);
    Ok(Receiving { house: house.clone(), cleaning, cleaner, arrival, local_milters, guarded, stranger })
}

impl Receiving {
    /// Adds content, lines ended by LF.
    pub async fn feed(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        self.cleaning.feed(chunk).await
    }

    /// Does what restrictions asked for at the end of the content (`smtpd_end_of_data_restrictions`).
    pub fn take_orders(&mut self, orders: Orders) {
        self.cleaning.take_orders(orders);
    }

    /// The content is complete: put it in the queue. Durable when this returns `Ok`, and only then.
    ///
    /// Milters are shown it before, those of the session or those of local mail: they may change it, or have it
    /// refused.
    pub async fn accept(self, milters: Option<Filtering<'_>>) -> Result<Queued, Refusal> {
        let Receiving { house, cleaning, cleaner, arrival, local_milters, guarded, stranger } = self;
        let mut clean = cleaning.finish().await?;
        let vouching = cleaner.vouching.clone().filter(|_| guarded);
        let mut checked = Checked::default();
        if !clean.discard
            && let (Some(vouching), Some(stranger)) = (&vouching, &stranger)
        {
            checked = vouching.check(&house, &mut clean, stranger).await?;
        }
        if guarded
            && !clean.discard
            && let Some(attachments) = &cleaner.attachments
        {
            scanning::check_files(&house, attachments, &mut clean).await?;
        }
        for scanner in cleaner.scanners.iter().filter(|_| guarded) {
            if !clean.discard {
                scanning::scan_for_viruses(&house, scanner, &mut clean).await?;
            }
        }
        if guarded
            && !clean.discard
            && let (Some(gate), Some(stranger)) = (&cleaner.spam, &stranger)
        {
            let proven = checked.proven.clone();
            scanning::check_spam(&house, gate, &mut clean, stranger, proven).await?;
        }
        if !clean.discard {
            match milters {
                Some(filtering) => milters::pass(&house, &cleaner, &mut clean, filtering).await?,
                None if local_milters => {
                    let passed = milters::local::pass(&house, &cleaner, &mut clean).await;
                    if let Err(refusal) = passed {
                        return refused(&house, clean, refusal, arrival).await;
                    }
                }
                None => {}
            }
            // Milters may take away every recipient: it is through the queue before it was in it.
            if !clean.discard && clean.envelope.recipients.is_empty() {
                crate::qmgr::log_active(&clean.id, &clean.envelope, clean.size, 0);
                log::info!(target: "qmgr", "{}: removed", clean.id);
                clean.discard = true;
            }
        }
        if clean.discard {
            return Ok(Queued(clean.id));
        }
        match (&vouching, &stranger, &checked.seal) {
            (Some(vouching), None, _) => vouching.sign(&house, &mut clean).await?,
            (Some(vouching), Some(_), Some(seal)) => vouching.seal(&house, &mut clean, seal).await?,
            _ => {}
        }
        if let Some(reports) = &cleaner.reports
            && guarded
        {
            reports.take(&house, &mut clean, checked.proven).await?;
        }
        let entry = queue::Entry { arrival, hold: clean.hold };
        let expanded = std::mem::take(&mut clean.expanded);
        let told =
            if expanded.is_empty() { None } else { Some((clean.envelope.clone(), clean.content.body()?)) };
        house.queue.put(clean.id.clone(), clean.content, clean.envelope, entry).await?;
        if let Some((envelope, body)) = told {
            // A notice comes in by the same door as this message did.
            let stored = queue::Stored::fresh(clean.id.clone(), envelope, body, arrival);
            Box::pin(bounce::post::expanded(&house, stored, expanded)).await;
        }
        Ok(Queued(clean.id))
    }
}

/// Milters refused it. Local mail goes back to its sender, as it stands now; the notice is what is queued.
async fn refused(
    house: &Arc<House>,
    mut clean: Clean<queue::Draft>,
    refusal: Refusal,
    arrival: Timestamp,
) -> Result<Queued, Refusal> {
    if refusal.class() != Class::Never || clean.envelope.origin != "pickup" {
        return Err(refusal);
    }
    let body = clean.content.body()?;
    let stored = queue::Stored::fresh(clean.id, clean.envelope, body, arrival);
    Box::pin(bounce::post::refused(house, stored, &refusal)).await.map(Queued)
}

/// The whole first half of the road for content that is at hand: judge, clean up, put.
pub async fn accept<'a>(
    house: &Arc<House>,
    setup: &Setup,
    message: Message,
    content: impl Iterator<Item = Result<bytes::Bytes, queue::Failure>> + Send + 'a,
) -> Result<Queued, Refusal> {
    let mut receiving = receive(house, setup, crate::house::CLEANUP, message).await?;
    for chunk in content {
        receiving.feed(&chunk?).await?;
    }
    receiving.accept(None).await
}
