//! The office: the road of a message, and the sessions that start it.
//!
//! Read [`road`] first: everything enters the queue by `accept` and leaves it by `carry`.
//! This room must never know how a table or a mailbox is stored, and nothing of HTTP.

pub mod active;
pub mod bounce;
pub mod build;
pub mod carry;
pub mod cleanup;
pub mod desk;
pub mod dmarc_reports;
pub mod house;
pub mod limits;
pub mod lmtpd;
pub mod login_senders;
pub mod milters;
pub mod outbound;
pub mod params;
pub mod pickup;
pub mod policyd;
pub mod postscreen;
pub mod qmgr;
pub mod quarantine;
pub mod requeue;
pub mod road;
mod scanning;
pub mod smtpd;
pub mod tlsrpt;
pub mod training;
pub mod verify;
pub mod verp;
pub mod vouching;
