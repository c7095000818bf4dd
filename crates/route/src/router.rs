//! The face of the room: everything one configuration says about addresses.

use mail::{Address, Refusal, Trail, Trouble};

use crate::{Context, Listing, Stop};

/// One configuration's knowledge of addresses. Cheap to share in an `Arc`; never changes.
pub struct Router {}

impl Router {
    /// Completes an address as trivial-rewrite does; internal form in and out. Asks no table.
    pub fn rewrite(&self, _context: Context, _address: &Address) -> Address {
        todo!()
    }

    /// The next stop of `recipient`. A malformed address is a `Never` with 5.1.3, a failing table a `Later`.
    ///
    /// `sender` is asked for `sender_dependent_*`.
    pub async fn resolve(
        &self,
        _sender: &Address,
        _recipient: &Address,
        _trail: &mut Trail,
    ) -> Result<Stop, Refusal> {
        todo!()
    }

    /// The same with the `address_verify_*` parameters, for probes.
    pub async fn resolve_probe(
        &self,
        _sender: &Address,
        _recipient: &Address,
        _trail: &mut Trail,
    ) -> Result<Stop, Refusal> {
        todo!()
    }

    /// Is `recipient` (already resolved to `stop`) listed in the tables of its class?
    pub async fn listed_recipient(
        &self,
        _recipient: &Address,
        _stop: &Stop,
        _trail: &mut Trail,
    ) -> Result<Listing, Trouble> {
        todo!()
    }

    /// The same for a sender (`reject_unlisted_sender`, `smtpd_reject_unlisted_sender`).
    pub async fn listed_sender(
        &self,
        _sender: &Address,
        _stop: &Stop,
        _trail: &mut Trail,
    ) -> Result<Listing, Trouble> {
        todo!()
    }

    /// `relocated_maps`: the new address text of somebody who has moved.
    pub async fn relocated(
        &self,
        _recipient: &Address,
        _trail: &mut Trail,
    ) -> Result<Option<String>, Trouble> {
        todo!()
    }
}
