//! smtpd(8): the policy of an SMTP session over [`net::drive::Server`].
//!
//! A [`Smtpd`] is one line of master.cf under one configuration; [`Smtpd::session`] talks to one client until it is
//! gone. The machine of `proto` cuts the stream into commands and content; here is decided what a command means and
//! whether it may come now, with Postfix's replies and log lines. Who may send what is the judge's business
//! ([`filter::Judge`]), and a 250 for a message can only be made of a [`Queued`](crate::road::Queued).

mod auth;
mod bans;
mod bare_newline;
mod content;
mod counters;
mod dispatch;
mod dovecot;
mod envelope;
mod filtering;
mod forwarding;
mod greeting;
mod hello;
mod keywords;
mod local;
mod mail_from;
mod milter;
mod outbound;
mod pace;
mod people;
mod proxy;
mod rcpt_to;
mod reference;
mod requests;
mod said;
mod service;
mod session;
mod tally;
mod tls;
mod transcript;
mod watch;
mod xclient;
mod xforward;

pub use counters::Counters;
pub(crate) use counters::What;
pub use forwarding::addresses;
pub use local::overrides as local_overrides;
pub use people::files as sasl_files;
pub use service::{Parts, Smtpd, check};
