//! Domain classes: which of a site's lists claims a domain (ADDRESS_CLASS_README).

/// The class of a domain: it decides the transport and which table lists the recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainClass {
    /// `mydestination`, or an address literal of one of our interfaces.
    Local,
    /// `virtual_alias_domains`.
    VirtualAlias,
    /// `virtual_mailbox_domains`.
    VirtualMailbox,
    /// `relay_domains`.
    Relay,
    /// None of ours.
    Default,
}
