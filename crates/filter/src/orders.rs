//! What a restriction asked to be done with the message, once it is complete.

use mail::Address;

/// The outcome of HOLD, DISCARD, FILTER, REDIRECT, BCC and PREPEND actions of access(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// HOLD: put it into the hold queue.
    pub hold: bool,
    /// DISCARD: say 250 and forget it.
    pub discard: bool,
    /// FILTER transport:destination.
    pub filter: Option<String>,
    /// REDIRECT: all recipients are replaced by this one.
    pub redirect: Option<Address>,
    /// BCC: these recipients are added.
    pub bcc: Vec<Address>,
    /// PREPEND: header lines (without line end) put before the others, in order.
    pub prepend: Vec<String>,
}
