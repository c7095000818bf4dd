//! An address to its next stop: transport, next hop, recipient.

use mail::Address;

use crate::DomainClass;

/// Where a recipient goes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Service name in master.cf: `smtp`, `local`, `error`.
    pub transport: String,
    /// What the transport is given: a domain, `[host]:port`, or the text of an `error` transport.
    pub nexthop: String,
    /// The recipient as the transport sees it.
    pub recipient: Address,
    /// The class of its domain.
    pub class: DomainClass,
    /// The local part asks for further routing (`user%other@us`, `other!user@us`): relay control must refuse it.
    pub routed: bool,
}
