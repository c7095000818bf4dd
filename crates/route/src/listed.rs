//! Is this recipient, or sender, listed? `reject_unlisted_recipient` and `reject_unlisted_sender`.

use crate::DomainClass;

/// What the tables of its domain say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It exists, or its class has no table that lists addresses.
    Listed,
    /// The tables of this class were asked and do not have it: `5.1.1`/`5.1.0`, "User unknown in … table".
    Unknown(DomainClass),
    /// The address leads to an `error:` transport; the text is its next hop (`5.1.1 no such user`).
    Refused,
}
