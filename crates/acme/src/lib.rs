//! Certificates from an authority that checks by itself whose names they are for: ACME, RFC 8555.
//!
//! [`renew()`] asks for one where that is due, and puts key and chain into one file (`chain.pem`), which services that have
//! it in `smtpd_tls_chain_files` or `ssl_cert` read again by themselves. Until the first success a self-signed one lies
//! there. The authority's questions are answered by the service `acmed` of master.cf (http-01, tls-alpn-01), out of
//! files that are shared with whoever asks, or by a program that changes DNS (dns-01).
#![deny(unsafe_code)]

mod acmed;
mod authority;
mod order;
pub mod params;
mod settings;
mod storage;

pub use acmed::Acmed;
pub use order::{Hook, renew};
pub use settings::{Challenge, Settings};
pub use storage::{Standing, Storage};
