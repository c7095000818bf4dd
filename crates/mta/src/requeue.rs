//! `postsuper -r`: a message goes through cleanup once more, under a new id, so that tables and rules that were put
//! right since then apply to it.
//!
//! The new message is in the queue before the old one leaves it: a crash between the two delivers twice, never not.

use std::sync::Arc;

use mail::{Envelope, QueueId, Refusal};
use queue::{Fate, Left, Settlement};

use crate::cleanup::{Skip, received};
use crate::house::House;
use crate::road::{Message, Orders, Queued, accept};

/// Takes a message through the counter again. True when something of the old one is left to do (a notice is owed).
pub async fn requeue(house: &Arc<House>, id: &QueueId) -> bool {
    let stored = match house.queue.load(id) {
        Ok(stored) => stored,
        Err(failure) => {
            log::warn!(target: "pickup", "{id}: cannot be requeued: {failure}");
            return true;
        }
    };
    let pending: Vec<usize> = (0..stored.fates.len()).filter(|at| stored.fates[*at].is_pending()).collect();
    match again(house, &stored, &pending).await {
        Ok(queued) => {
            let sender = mail::logline::printable(stored.envelope.sender.as_str());
            log::info!(target: "pickup", "{}: uid={} from=<{sender}> orig_id={id}", queued.id(), own_uid());
            let done =
                pending.iter().map(|at| (u32::try_from(*at).unwrap_or(u32::MAX), Fate::Done)).collect();
            matches!(house.queue.settle(id, Settlement::fates(done)).now(), Left::Recipients(_))
        }
        Err(refusal) => {
            log::warn!(target: "pickup", "{id}: cannot be requeued: {} {}", refusal.status(), refusal.log_text());
            true
        }
    }
}

/// Whose files those of a queue are.
fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

async fn again(house: &Arc<House>, stored: &queue::Stored, pending: &[usize]) -> Result<Queued, Refusal> {
    let setup = house.setup();
    let old = &stored.envelope;
    let envelope = Envelope {
        recipients: pending.iter().map(|at| old.recipients[*at].clone()).collect(),
        ..Envelope::clone(old)
    };
    let id = house.queue.new_id(house.now());
    let date = mail::date::rfc5322(house.now(), &setup.zone);
    // As Postfix's pickup adds it: the message came in once more.
    let prepend = received::local(&setup.myhostname, &setup.mail_name, Some(own_uid()), &id, &date);
    let message = Message {
        id,
        envelope,
        orders: Orders::default(),
        origin: "local".to_owned(),
        // Milters have seen it, perhaps with a client that is not known any more.
        skip: Skip { milters: true, guards: true, ..setup.pickup.skip },
        arrival: stored.arrival,
        stranger: None,
        prepend,
        size_hint: stored.body.len(),
    };
    accept(house, &setup, message, stored.body.chunks()).await
}
