//! What the judge keeps from one stage of a session to the next.

use mail::Refusal;

use crate::Orders;
use crate::dnsbl::Listing;

/// A session's standing with the judge. Small: 2,000 idle sessions hold one each.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What restrictions asked to be done with the message.
    pub orders: Orders,
    /// Evaluate without a word in the log, without delays (`facteur explain`).
    pub silent: bool,
    /// The first defer_if_permit of each earlier stage: it is remembered until the recipient is judged.
    pub(crate) client: Option<Box<Refusal>>,
    pub(crate) helo: Option<Box<Refusal>>,
    pub(crate) sender: Option<Box<Refusal>>,
    /// The sender was looked up by reject_unlisted_sender in this transaction.
    pub(crate) sender_listed: bool,
    /// What DNS lists said in this session: every recipient asks the same questions.
    pub(crate) listings: Vec<(String, Listing)>,
}

impl Standing {
    /// A new transaction: MAIL, RSET, or the end of a message.
    pub fn reset(&mut self) {
        self.orders = Orders::default();
        self.sender = None;
        self.sender_listed = false;
    }

    /// A new HELO or EHLO.
    pub fn reset_helo(&mut self) {
        self.reset();
        self.helo = None;
    }

    /// A new session: XCLIENT.
    pub fn reset_client(&mut self) {
        self.reset_helo();
        self.client = None;
        self.listings.clear();
    }
}
