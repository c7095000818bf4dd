//! Who a message truly comes from: DKIM, SPF, DMARC and ARC, and the signatures put on our own.
//! [`srs`] is for mail that is forwarded.
//!
//! ```text
//! let mut inspection = Inspection::new(checks, fields, seals);   // header fields, without line ends
//! inspection.body(piece);                                 // as often as pieces come
//! let verdicts = inspection.finish(&dns, &question, now, &trusted).await;
//! ```
//!
//! Never: sockets of its own, the queue, what is done with the verdicts.

pub mod aggregate;
pub mod arc;
mod author;
mod canon;
pub mod dkim;
pub mod dmarc;
mod inspect;
#[cfg(test)]
mod library_tests;
pub mod opendkim;
mod outside;
pub mod params;
pub mod results;
mod settings;
pub mod spf;
pub mod srs;
mod tags;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod vectors;

pub use author::author;
pub use canon::Canon;
pub use inspect::{Checks, Inspection, Verdicts};
pub use outside::{Boxed, Dns};
pub use settings::{Settings, Signing, named_files};
pub use spf::Question;
