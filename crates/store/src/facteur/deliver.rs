//! Delivery: one record, made durable together with those of others.

use super::account::FacteurAccount;
use super::bodies::Piece;
use super::record::Meta;
use crate::{Delivered, Delivery, Error, Result, Usage};

/// So many deliveries may wait to be entered while nobody looks.
const WAITING: u32 = 256;
/// Longest name of a delivery, in bytes.
const LONGEST_ID: usize = 1000;

impl FacteurAccount {
    pub(super) fn take_in(&self, delivery: &Delivery<'_>) -> Result<Delivered> {
        let content = crlf(delivery.content);
        if delivery.id.is_some_and(|id| id.len() > LONGEST_ID || id.is_empty()) {
            return Err(Error::Limit("the length of a delivery's name"));
        }
        if !delivery.create && !delivery.mailbox.is_inbox() {
            self.enter()?.row(delivery.mailbox)?;
        }
        let meta = Meta {
            more: false,
            create: delivery.create,
            moved: false,
            flags: delivery.flags,
            received: delivery.received,
            saved: (self.settings.clock)(),
            mailbox: delivery.mailbox.as_str().to_owned(),
            keywords: delivery.keywords.to_vec(),
            delivery: delivery.id.map(str::to_owned),
        };
        // With a quota, nobody else comes in between the look and the append.
        let counted = if self.quota().is_unlimited() { None } else { Some(self.enter()?) };
        if let Some(inside) = &counted {
            inside.make_room(Usage { bytes: content.len() as u64, messages: 1 })?;
        }
        let mut tail = self.bodies.tail()?;
        tail.append(&[Piece { meta, content: &content }])?;
        drop(counted);
        tail.release_and_sync()?;
        self.tell_of_delivery();
        Ok(Delivered::Stored)
    }

    /// Enters the delivery now if somebody is there to see it. It is safe already, so a failure can wait.
    fn tell_of_delivery(&self) {
        let somebody = {
            let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            state.waiting += 1;
            state.waiting > WAITING
                || state.open.values().any(|shared| std::sync::Arc::strong_count(shared) > 1)
        };
        if somebody && let Err(error) = self.enter() {
            log::warn!(target: "store", "{}: {error}", self.root.display());
        }
    }
}

/// The pieces as one text with CRLF line ends.
fn crlf(pieces: &[&[u8]]) -> Vec<u8> {
    let len: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut out = Vec::with_capacity(len + len / 32 + 16);
    let mut converter = mime::crlf::Converter::default();
    pieces.iter().for_each(|piece| converter.push(piece, &mut out));
    out
}
