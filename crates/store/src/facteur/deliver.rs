//! Delivery: one record, made durable together with those of others.

use std::sync::Arc;

use super::account::FacteurAccount;
use super::bodies::Piece;
use super::record::Meta;
use super::sync::{self, Unsynced};
use crate::{Delivered, Delivery, Error, Result, Usage};

/// So many deliveries may wait to be entered while nobody looks.
const WAITING: u32 = 256;
/// Longest name of a delivery, in bytes.
const LONGEST_ID: usize = 1000;

/// A delivery that is written, and not durable yet.
pub(crate) struct Written {
    account: Arc<FacteurAccount>,
    unsynced: Unsynced,
}

/// Waits until all of them are durable; gives how it went with each, and whom to tell of it.
///
/// A record is whole or, after a crash, found to be torn by its checksums; nothing refers to it before it is durable. So
/// this one wait is all that stands between the write and the acknowledgement: the catalogue is entered later, from
/// the body file.
pub(crate) fn settle(written: Vec<Written>) -> Vec<(Arc<FacteurAccount>, Result<Delivered>)> {
    let (accounts, unsynced): (Vec<_>, Vec<_>) =
        written.into_iter().map(|written| (written.account, written.unsynced)).unzip();
    let paths: Vec<_> = unsynced.iter().map(|unsynced| unsynced.file.path().to_owned()).collect();
    let synced = sync::durable(unsynced).into_iter().zip(paths);
    let said = synced.map(|(synced, path)| match synced {
        Ok(()) => Ok(Delivered::Stored),
        Err(error) => Err(Error::io("sync", &path, error)),
    });
    accounts.into_iter().zip(said).collect()
}

impl FacteurAccount {
    /// Writes a message, which [`settle`] makes durable.
    pub(super) fn write_down(&self, delivery: &Delivery<'_>) -> Result<Written> {
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
        let account = self.me.upgrade().expect("whoever calls holds it");
        Ok(Written { account, unsynced: tail.release() })
    }

    /// Enters deliveries now if somebody is there to see them. They are safe already, so a failure can wait.
    pub(crate) fn tell_of_delivery(&self) {
        let somebody = {
            let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            state.waiting += 1;
            state.waiting > WAITING || state.open.values().any(|shared| Arc::strong_count(shared) > 1)
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
