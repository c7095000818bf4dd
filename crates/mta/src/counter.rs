//! The door as one SMTP service sees it.

use std::sync::Arc;

use mail::{Blame, Detail, Envelope, QueueId, Recipient, Refusal};

use crate::cleanup::{Extract, Skip};
use crate::house::{House, Setup};
use crate::road::{Door, Incoming, Message, Orders, Probe, Queued, Receiving, receive};
use crate::verify::Verifier;

/// The counter of one service: which cleanup service its mail goes through, and what that leaves out.
#[derive(Clone)]
pub struct Counter {
    house: Arc<House>,
    verifier: Verifier,
    /// `cleanup_service_name` of the service.
    service: Arc<str>,
    /// `receive_override_options` of the service.
    skip: Skip,
}

impl Counter {
    /// The counter of a service with this `cleanup_service_name` and these `receive_override_options`.
    pub fn new(house: Arc<House>, verifier: Verifier, service: &str, skip: Skip) -> Counter {
        Counter { house, verifier, service: service.into(), skip }
    }
}

/// A message coming in through a [`Counter`].
pub struct Arriving {
    counter: Counter,
    setup: Arc<Setup>,
    id: QueueId,
    state: State,
}

enum State {
    WantEnvelope,
    Receiving(Box<Receiving>),
    Refused(Refusal),
}

impl Incoming for Arriving {
    fn id(&self) -> &QueueId {
        &self.id
    }

    async fn start(&mut self, envelope: Envelope, orders: Orders, trace: String) -> Result<(), Refusal> {
        let client = &envelope.client;
        let origin = format!("{}[{}]", client.name, client.address);
        let message = Message {
            id: self.id.clone(),
            origin,
            envelope,
            orders,
            skip: self.counter.skip,
            extract: Extract::No,
            arrival: self.counter.house.now(),
            prepend: trace,
            size_hint: 0,
        };
        match receive(&self.counter.house, &self.setup, &self.counter.service, message).await {
            Ok(receiving) => self.state = State::Receiving(Box::new(receiving)),
            Err(refusal) => {
                self.state = State::Refused(refusal.clone());
                return Err(refusal);
            }
        }
        Ok(())
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        match &mut self.state {
            State::Receiving(receiving) => {
                if let Err(refusal) = receiving.feed(chunk).await {
                    self.state = State::Refused(refusal.clone());
                    return Err(refusal);
                }
                Ok(())
            }
            State::Refused(refusal) => Err(refusal.clone()),
            State::WantEnvelope => Err(out_of_order()),
        }
    }

    async fn finish(self) -> Result<Queued, Refusal> {
        match self.state {
            State::Receiving(receiving) => receiving.accept().await,
            State::Refused(refusal) => Err(refusal),
            State::WantEnvelope => Err(out_of_order()),
        }
    }
}

/// A session that skips a step of ours is our fault, and the mail comes again.
fn out_of_order() -> Refusal {
    Refusal::later(51, Detail(3, 0), Blame::Ourselves, "Error: internal error")
        .logged("content before its envelope")
}

impl Door for Counter {
    type Incoming = Arriving;

    fn open(&self) -> Arriving {
        let id = self.house.queue.new_id(self.house.now());
        Arriving { counter: self.clone(), setup: self.house.setup(), id, state: State::WantEnvelope }
    }

    fn room_for(&self, size: u64) -> Result<(), Refusal> {
        let setup = self.house.setup();
        if setup.message_size_limit > 0 && size > setup.message_size_limit {
            return Err(Refusal::never(52, Detail(3, 4), Blame::Peer, "Message size exceeds fixed limit"));
        }
        let free = self.house.queue.free_space()?;
        // Twice the largest message must fit, as smtpd wants it, and `queue_minfree` besides.
        let wanted = setup.queue_minfree.max(setup.message_size_limit.saturating_mul(3) / 2);
        if free < wanted.max(size.saturating_mul(3) / 2) {
            log::warn!(target: "smtpd", "not enough free space in mail queue: {free} bytes < {wanted} bytes");
            return Err(Refusal::later(52, Detail(3, 1), Blame::Ourselves, "Insufficient system storage"));
        }
        Ok(())
    }

    async fn flush(&self, site: &str) -> Result<(), Refusal> {
        self.house.queue.flush(queue::Flush::Site(site.to_owned()));
        Ok(())
    }

    async fn verify(&self, recipient: &Recipient) -> Probe {
        self.verifier.ask(&recipient.address)
    }
}
