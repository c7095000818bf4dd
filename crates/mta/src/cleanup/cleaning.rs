//! A message under way.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use mail::{Address, Blame, DeliveryReport, Detail, Envelope, QueueId, Recipient, Refusal};

use super::body::Looking;
use super::characters::without_stray_returns;
use super::fields::Seen;
use super::header::Rules;
use super::out::Out;
use super::pieces::Rest;
use super::recipients::{Recipients, Rewriting};
use super::visit::Visitor;
use super::{Clean, Cleaner, Intake, Sink, Skip};

/// A message whose content is coming in.
pub struct Cleaning<S> {
    pub(super) cleaner: Arc<Cleaner>,
    pub(super) id: QueueId,
    pub(super) origin: String,
    pub(super) skip: Skip,
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
    /// How headers are rewritten; `None` leaves them alone.
    pub(super) rules: Option<Rules>,
    /// The envelope without its recipients.
    pub(super) envelope: Envelope,
    pub(super) recipients: Recipients,
    /// Recipients that checks and filters have added.
    pub(super) named: Vec<Address>,
    pub(super) out: Out<S>,
    pub(super) state: State,
    /// Headers of ours that are still to be put on top.
    pub(super) prepend: Vec<u8>,
    /// Text that is not yet a whole field or line.
    pub(super) pending: Vec<u8>,
    /// Bytes fed.
    pub(super) fed: u64,
    pub(super) seen: Seen,
    pub(super) resent: bool,
    pub(super) hops: usize,
    pub(super) message_id: Option<String>,
    pub(super) visitors: Vec<Box<dyn Visitor>>,
    /// Body lines from this offset on are of no interest to any of them.
    pub(super) body_limit: u64,
    pub(super) looking: Looking,
    pub(super) orders: Orders,
    pub(super) refusal: Option<Refusal>,
}

/// What the stream is in.
#[derive(Debug)]
pub(super) enum State {
    /// No content yet.
    Top,
    Header,
    /// Within a field that is too long.
    Overlong(Rest),
    Body,
}

/// What visitors asked for.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub hold: bool,
    pub discard: bool,
    pub redirect: Option<Address>,
    pub copies: Vec<Address>,
}

impl<S: Sink> Cleaning<S> {
    /// Takes the envelope. A refusal is kept for `feed` and `finish`.
    pub(super) async fn begin(cleaner: Arc<Cleaner>, intake: Intake, sink: S) -> Cleaning<S> {
        let Intake { id, mut envelope, origin, skip, now, zone, prepend } = intake;
        let given = std::mem::take(&mut envelope.recipients);
        let mut cleaning = Cleaning {
            rules: cleaner.rules(envelope.rewrite_local, !skip.mappings),
            out: Out::new(sink),
            recipients: Recipients::default(),
            named: Vec::new(),
            state: State::Top,
            pending: Vec::new(),
            fed: 0,
            seen: Seen::default(),
            resent: false,
            hops: 0,
            message_id: None,
            visitors: Vec::new(),
            body_limit: 0,
            looking: Looking::new(&cleaner),
            orders: Orders::default(),
            refusal: None,
            cleaner,
            id,
            origin,
            skip,
            now,
            zone,
            envelope,
            prepend,
        };
        if let Some(checks) = cleaning.cleaner.checks.clone()
            && !skip.checks
        {
            cleaning.watch(Box::new(checks));
        }
        cleaning.refusal = cleaning.take_envelope(given).await.err();
        cleaning
    }

    async fn take_envelope(&mut self, given: Vec<Recipient>) -> Result<(), Refusal> {
        let mut recipients = std::mem::take(&mut self.recipients);
        let rewriting = self.rewriting();
        let sender = rewriting.sender(&self.envelope.sender, &mut recipients).await?;
        for recipient in given {
            rewriting.recipient(recipient, &mut recipients).await?;
        }
        self.recipients = recipients;
        self.envelope.sender = sender;
        Ok(())
    }

    pub(super) fn rewriting(&self) -> Rewriting<'_> {
        Rewriting {
            cleaner: &self.cleaner,
            id: &self.id,
            skip: self.skip,
            smtputf8: self.envelope.smtputf8,
            probe: self.envelope.report == DeliveryReport::Probe && self.envelope.origin == "verify",
            now: Some(self.now.as_second()),
        }
    }

    /// Adds a rule that sees headers and perhaps the body, after those added before. Before any content.
    pub fn watch(&mut self, visitor: Box<dyn Visitor>) {
        self.body_limit = self.body_limit.max(visitor.body_limit());
        self.visitors.push(visitor);
    }

    /// Does what restrictions asked for. May be called until the content is complete; headers to prepend are the
    /// intake's.
    pub fn take_orders(&mut self, orders: filter::Orders) {
        self.orders.hold |= orders.hold;
        self.orders.discard |= orders.discard;
        if orders.redirect.is_some() {
            self.orders.redirect = orders.redirect;
        }
        if orders.filter.is_some() {
            self.envelope.content_filter = orders.filter;
        }
        // Not the silent copies of always_bcc: these recipients are like those the client named.
        self.named.extend(orders.bcc);
    }

    /// Takes the next piece of the content, of any length, with LF line ends.
    ///
    /// After a refusal the rest may be fed or not: `finish` repeats the refusal.
    pub async fn feed(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let taken = self.take(chunk).await;
        if let Err(refusal) = &taken {
            self.refusal = Some(refusal.clone());
        }
        taken
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let cleaner = self.cleaner.clone();
        self.fed += chunk.len() as u64;
        if cleaner.message_size_limit > 0 && self.fed > cleaner.message_size_limit {
            let text = "Error: message file too big";
            return Err(Refusal::never(52, Detail(3, 4), Blame::Peer, text));
        }
        let (stripped, replaced);
        let mut text = chunk;
        if !self.skip.checks {
            if let Some(line) = cleaner.characters.rejected(text) {
                // As far as a log shows it.
                let shown = line.split(|byte| *byte == 0).next().unwrap_or_default();
                return Err(self.reject("content", shown, "disallowed character"));
            }
            stripped = cleaner.characters.strip(text);
            text = &stripped;
        }
        if cleaner.settings.cleanup_replace_stray_cr_lf {
            replaced = without_stray_returns(text);
            text = &replaced;
        }
        match self.state {
            State::Body => self.body(text).await,
            _ => self.header(text, false).await,
        }
    }

    /// The content is complete.
    pub async fn finish(mut self) -> Result<Clean<S>, Refusal> {
        let ended = match self.refusal.take() {
            Some(refusal) => Err(refusal),
            None => self.end().await,
        };
        // Whoever discards a message does not mind what else is wrong with it.
        if let Err(refusal) = ended
            && !self.orders.discard
        {
            return Err(refusal);
        }
        let needs_utf8 = self.out.utf8 || !self.envelope.sender.is_ascii();
        let expanded = std::mem::take(&mut self.recipients.expanded);
        let given = std::mem::take(&mut self.recipients.given);
        let last = self.recipients.last.take();
        let recipients = self.recipients.into_list();
        let needs_utf8 = needs_utf8 || recipients.iter().any(|recipient| !recipient.address.is_ascii());
        let asked = self.envelope.smtputf8 || self.cleaner.detects_utf8(&self.envelope.origin);
        self.envelope.smtputf8 = self.cleaner.smtputf8 && asked && needs_utf8;
        self.envelope.recipients = recipients;
        Ok(Clean {
            id: self.id,
            envelope: self.envelope,
            content: self.out.sink,
            size: self.out.size,
            message_id: self.message_id,
            hold: self.orders.hold,
            discard: self.orders.discard,
            skip: self.skip,
            given,
            last,
            expanded,
        })
    }

    async fn end(&mut self) -> Result<(), Refusal> {
        match self.state {
            State::Body => self.body_end().await?,
            _ => self.header(b"", true).await?,
        }
        self.out.flush()?;
        let mut recipients = std::mem::take(&mut self.recipients);
        let named = std::mem::take(&mut self.named);
        let copies = std::mem::take(&mut self.orders.copies);
        let rewriting = self.rewriting();
        for address in named {
            rewriting.recipient(Recipient::new(address), &mut recipients).await?;
        }
        if recipients.last.is_none() {
            return Err(Refusal::never(50, Detail(1, 0), Blame::Peer, "Error: no recipients specified"));
        }
        let always = self.cleaner.always_bcc.iter().filter(|_| !self.skip.bcc).cloned();
        for address in always.chain(copies) {
            rewriting.copy(address, &mut recipients).await?;
        }
        if let Some(address) = self.orders.redirect.take() {
            self.envelope.withdrawn = recipients.redirect(address);
            // access(5): REDIRECT overrides FILTER.
            self.envelope.content_filter = None;
        }
        self.recipients = recipients;
        Ok(())
    }
}
