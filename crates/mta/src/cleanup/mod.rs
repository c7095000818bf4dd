//! A message before it enters the queue: cleanup(8).
//!
//! The content streams through: each header field is completed, rewritten or dropped when its end is seen, and
//! missing ones are added behind the last; body chunks pass on untouched, without a copy, unless somebody wants to
//! look at them.
//!
//! ```text
//! let mut cleaning = cleaner.begin(intake, draft).await?;
//! cleaning.feed(chunk).await?;            // LF line ends; as often as chunks arrive
//! let clean = cleaning.finish().await?;   // then queue.put(clean.id, clean.content, clean.envelope, …)
//! ```

mod body;
mod characters;
mod cleaning;
mod complete;
mod fields;
mod header;
mod headers;
mod late;
mod out;
mod pieces;
pub mod received;
mod recipients;
mod settings;
mod visit;
mod visiting;

pub use cleaning::Cleaning;
pub(crate) use header::push as push_field;
pub use settings::Cleaner;
pub use visit::{Action, Part, Visit, Visitor};
pub(crate) use visiting::status;

use jiff::{Timestamp, tz::TimeZone};
use mail::{Address, Envelope, QueueId, Recipient, Trouble};

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
    /// `no_address_mappings`: no canonical, masquerading, virtual aliases.
    pub mappings: bool,
    /// `no_header_body_checks`: no visitors, no strip and reject characters.
    pub checks: bool,
    /// `no_address_mappings` too: no `always_bcc`, `sender_bcc_maps`, `recipient_bcc_maps`.
    pub bcc: bool,
    /// `no_milters`, and mail that milters saw by SMTP: no `non_smtpd_milters`.
    pub milters: bool,
    /// `no_milters` too, and mail that we pass on: no checks of the sender, no scanner, no signature.
    pub guards: bool,
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
    /// When it arrived.
    pub now: Timestamp,
    /// Zone of the dates it is given.
    pub zone: TimeZone,
    /// Headers to put above everything: PREPEND actions, our Received. Each line ends with LF.
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
    /// `<…>` of the Message-Id header, for trace and threaded notices.
    pub message_id: Option<String>,
    /// HOLD was asked for.
    pub hold: bool,
    /// DISCARD was asked for: say yes, and store nothing.
    pub discard: bool,
    /// What is left out, also of what milters add.
    pub skip: Skip,
    /// Recipients as they were given, rewritten and before aliases: what milters of local mail are told.
    pub given: Vec<Address>,
    /// The last of them, for the log.
    pub last: Option<Address>,
    /// Recipients with NOTIFY=SUCCESS that were replaced by virtual aliases: an "expanded" notice is due (RFC 3461
    /// 5.2.7.3). Of a probe: aliases for several addresses, which are deliverable as they are.
    pub expanded: Vec<Recipient>,
}

#[cfg(test)]
mod tests;
