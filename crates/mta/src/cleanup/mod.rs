//! A message before it enters the queue: cleanup(8).
//!
//! The content streams through: the header is collected (bounded), completed and rewritten once its end is seen;
//! body chunks pass on untouched, without a copy, unless somebody wants to look at them.
//!
//! ```text
//! let mut cleaning = cleaner.begin(intake, draft).await?;
//! cleaning.feed(chunk).await?;            // LF line ends; as often as chunks arrive
//! let clean = cleaning.finish().await?;   // then queue.put(clean.id, clean.content, clean.envelope, …)
//! ```

pub mod received;
mod visit;

pub use visit::{Judgement, Part, Visitor, Visits};

use std::sync::Arc;

use conf::{Mistake, View};
use jiff::{Timestamp, tz::TimeZone};
use mail::{Envelope, QueueId, Refusal, Trouble};
use route::Router;
use tables::Tables;

/// Where cleaned content goes: a queue draft, or a `Vec<u8>` in tests.
pub trait Sink: Send {
    /// Appends bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble>;
}

impl Sink for queue::Draft {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        queue::Draft::write(self, bytes).map_err(Trouble::from)
    }
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// What is left out for a message: `receive_override_options`, and `internal_mail_filter_classes` for notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skip {
    /// `no_address_mappings`: no canonical, masquerading, virtual aliases, bcc.
    pub mappings: bool,
    /// `no_header_body_checks`: no header_checks, body_checks, strip and reject characters.
    pub checks: bool,
    /// Automatic `always_bcc`, `sender_bcc_maps`, `recipient_bcc_maps` only.
    pub bcc: bool,
}

/// Recipients taken from headers (`sendmail -t`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extract {
    /// The envelope has them all.
    #[default]
    No,
    /// From To, Cc and Bcc, or from Resent-To, Resent-Cc and Resent-Bcc when the message is resent.
    FromHeaders,
}

/// A message at the counter, before its content.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Its queue id, for the log and a Message-Id.
    pub id: QueueId,
    /// Sender, recipients and options as the client gave them.
    pub envelope: Envelope,
    /// Where the log says it came from: `name[address]` of the client, or `local`.
    pub origin: String,
    /// What is left out.
    pub skip: Skip,
    /// Whether recipients come from headers.
    pub extract: Extract,
    /// When it arrived.
    pub now: Timestamp,
    /// Zone of the dates it is given.
    pub zone: TimeZone,
    /// Headers to put above everything: our Received, PREPEND actions. Each line ends with LF.
    pub prepend: Vec<u8>,
}

/// A message as the queue stores it.
#[derive(Debug)]
pub struct Clean<S> {
    /// Its queue id.
    pub id: QueueId,
    /// Sender and recipients after rewriting, aliases and bcc; duplicates are gone.
    pub envelope: Envelope,
    /// The content that was written.
    pub content: S,
    /// Bytes of the content.
    pub size: u64,
    /// `<…>` of the Message-Id header, for log and trace.
    pub message_id: Option<String>,
    /// HOLD was asked for.
    pub hold: bool,
    /// DISCARD was asked for: say yes, and store nothing.
    pub discard: bool,
}

/// cleanup's part of one configuration. Cheap to share in an `Arc`; never changes.
pub struct Cleaner {}

impl Cleaner {
    /// Reads one cleanup service's parameters; mistakes are collected.
    pub fn new(
        _view: &View,
        _tables: &Tables,
        _router: &Arc<Router>,
        _mistakes: &mut Vec<Mistake>,
    ) -> Cleaner {
        todo!()
    }

    /// Starts a message: its envelope is rewritten at once, so a failing table is known before the content.
    ///
    /// What it returns owns its share of the configuration: a session keeps it across its own steps.
    pub async fn begin<S: Sink>(self: &Arc<Self>, _intake: Intake, _sink: S) -> Result<Cleaning<S>, Refusal> {
        todo!()
    }
}

/// A message under way.
pub struct Cleaning<S> {
    cleaner: Arc<Cleaner>,
    sink: S,
}

impl<S: Sink> Cleaning<S> {
    /// Adds a rule that sees headers and perhaps the body, after those added before.
    pub fn watch(&mut self, _visitor: Box<dyn Visitor>) {
        let _ = (&self.cleaner, &self.sink);
        todo!()
    }

    /// Takes the next piece of the content, of any length, with LF line ends.
    ///
    /// After a refusal the rest may be fed or not: `finish` repeats the refusal.
    pub async fn feed(&mut self, _chunk: &[u8]) -> Result<(), Refusal> {
        todo!()
    }

    /// The content is complete.
    pub async fn finish(self) -> Result<Clean<S>, Refusal> {
        todo!()
    }
}
