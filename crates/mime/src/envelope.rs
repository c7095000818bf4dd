//! The values of ENVELOPE (RFC 9051 7.5.2) as they stand in the header: encoded words, 8-bit text and all.

use crate::fields::Field;
use crate::{Address, Limits, address};

/// What an ENVELOPE answers. Of a field that comes twice the last counts; address lists are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Date, unfolded.
    pub date: Option<Vec<u8>>,
    /// Subject with its folding.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<Address>,
    /// Sender, or From when there is none.
    pub sender: Vec<Address>,
    /// Reply-To, or From when there is none.
    pub reply_to: Vec<Address>,
    /// To.
    pub to: Vec<Address>,
    /// Cc.
    pub cc: Vec<Address>,
    /// Bcc.
    pub bcc: Vec<Address>,
    /// In-Reply-To, unfolded.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID, unfolded.
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// Takes one field of the header.
    pub(crate) fn field(&mut self, field: &Field, limits: &Limits) {
        let list = match field.name.to_ascii_lowercase().as_slice() {
            b"date" => return self.date = Some(field.unfolded()),
            b"subject" => return self.subject = Some(field.value.to_vec()),
            b"in-reply-to" => return self.in_reply_to = Some(field.unfolded()),
            b"message-id" => return self.message_id = Some(field.unfolded()),
            b"from" => &mut self.from,
            b"sender" => &mut self.sender,
            b"reply-to" => &mut self.reply_to,
            b"to" => &mut self.to,
            b"cc" => &mut self.cc,
            b"bcc" => &mut self.bcc,
            _ => return,
        };
        address::parse(field.value, limits.addresses, list);
    }

    /// The header is over.
    pub(crate) fn complete(&mut self) {
        for list in [&mut self.sender, &mut self.reply_to] {
            if list.is_empty() {
                list.clone_from(&self.from);
            }
        }
    }
}
