//! The judge: who may talk to us, and send through us. Postfix's restriction language, whole.
//!
//! A [`Judge`] holds the compiled restriction lists of one SMTP service; it never changes and is shared by all
//! its sessions. A session tells it what it knows ([`Facts`]) at each [`Stage`] and keeps a small [`Standing`]
//! for it: reasons put off by defer_if_permit, and the [`Orders`] for the message.
//!
//! This room opens no listener and writes no reply: it says yes, or hands back a [`mail::Refusal`]. What it must
//! ask for (DNS, address classes, address probes) comes in through the traits of [`outside`].
//!
//! [`checks`] are the patterns for headers and bodies.
//!
//! To add a restriction: a constant in a file of [`restrictions`], and its line in the list there.

mod access;
mod case;
mod compile;
mod dnsbl;
mod footer;
mod macros;
mod names;
mod policy;
pub mod reply_filter;
mod settings;
#[cfg(test)]
mod tests;

pub mod checks;
pub mod facts;
pub mod judge;
pub mod milter;
pub mod orders;
pub mod outside;
pub mod params;
pub mod restriction;
pub mod restrictions;
pub mod stage;
pub mod standing;

pub use case::Case;
pub use dnsbl::{Zone, reversed};
pub use facts::{Certificate, Facts, NameLookup, Peer, Tls};
pub use footer::Footer;
pub use judge::{Judge, Verdict};
pub use orders::Orders;
pub use outside::{Addresses, Boxed, Dns, Outside, Probe, SystemDns, Verifier};
pub use restriction::{Restriction, Wanted};
pub use settings::Settings;
pub use stage::Stage;
pub use standing::Standing;
