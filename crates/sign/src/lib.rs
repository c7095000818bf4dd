//! Who a message truly comes from: DKIM, SPF, DMARC and ARC, and the signatures put on our own.
//!
//! ```text
//! let mut inspection = Inspection::new(checks, fields);   // header fields, without line ends
//! inspection.body(piece);                                 // as often as pieces come
//! let verdicts = inspection.finish(&dns, &question, now).await;
//! ```
//!
//! Never: sockets of its own, the queue, what is done with the verdicts.

pub mod arc;
#[cfg(test)]
mod arc_tests;
mod author;
mod canon;
pub mod dkim;
pub mod dmarc;
mod inspect;
pub mod opendkim;
mod outside;
pub mod params;
pub mod results;
mod settings;
pub mod spf;
mod tags;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod vectors;

pub use author::author;
pub use canon::Canon;
pub use inspect::{Checks, Inspection, Seal, Verdicts};
pub use outside::{Boxed, Dns};
pub use settings::{Settings, Signing, named_files};
pub use spf::Question;
