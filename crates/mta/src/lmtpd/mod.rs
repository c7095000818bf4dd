//! LMTP (RFC 2033) as a server: `lmtpd` in master.cf. A message goes into the mailboxes of its recipients while the client
//! waits, and each recipient has a reply of its own, which says what is on the disk.
//!
//! Nothing is queued here: whoever brings a message keeps it until it has heard. Replies and log lines are Dovecot's.

mod deliver;
mod kept;
mod recipient;
mod session;

use std::sync::Arc;

use conf::{Block, Mistake, View};
use imap::accounts::Accounts;
use imap::params::Access;
use jiff::tz::TimeZone;
use master::Identity;
use net::Accepted;
use net::tls::ServerTls;
use people::People;

use crate::params::Lmtpd as Params;

/// What a service is made of besides its parameters.
pub struct Parts<'a> {
    /// Parameters, with the line's own.
    pub view: &'a View,
    /// Who has mail here.
    pub people: People,
    /// Where it is.
    pub accounts: Accounts,
    /// For dates.
    pub zone: TimeZone,
    /// Whose all mailboxes are, where other processes keep them.
    pub owner: Option<Identity>,
}

/// An LMTP service.
#[derive(Clone)]
pub struct Lmtpd(Arc<Service>);

/// Everything its sessions share.
struct Service {
    params: Params,
    people: People,
    accounts: Accounts,
    zone: TimeZone,
    owner: Option<Identity>,
    myhostname: String,
    greeting: String,
    delimiter: String,
    line_limit: usize,
    tls: Option<ServerTls>,
    /// `message_size_limit`, in bytes.
    size_limit: usize,
}

/// What a message may have where `message_size_limit` sets no limit: it is held in memory while it comes.
const LARGEST: usize = 1 << 30;

/// Reports what is wrong with a line's parameters.
pub fn check(view: &View, mistakes: &mut Vec<Mistake>) {
    Params::read(view, mistakes);
    tls(view, mistakes);
}

/// STARTTLS, with the certificate that IMAP and POP3 have.
fn tls(view: &View, mistakes: &mut Vec<Mistake>) -> Option<ServerTls> {
    imap::tls::read(view, &Access::read(view, mistakes), mistakes)
}

impl Lmtpd {
    /// Builds a service. What is wrong was told by [`check`]; defaults stand in its place.
    pub fn new(parts: Parts<'_>) -> Lmtpd {
        let Parts { view, people, accounts, zone, owner } = parts;
        let number = |name: &str| view.get(name).trim().parse::<usize>().ok();
        Lmtpd(Arc::new(Service {
            params: Params::read(view, &mut Vec::new()),
            people,
            accounts,
            zone,
            owner,
            myhostname: view.get("myhostname"),
            greeting: view.get("login_greeting"),
            delimiter: view.get("recipient_delimiter").trim().to_owned(),
            tls: tls(view, &mut Vec::new()),
            line_limit: number("line_length_limit").unwrap_or(2048),
            size_limit: number("message_size_limit").filter(|limit| *limit > 0).unwrap_or(LARGEST),
        }))
    }

    /// Talks to one client until it is gone.
    pub async fn session(&self, accepted: Accepted) {
        session::run(self.0.clone(), accepted).await;
    }
}

#[cfg(test)]
mod tests;
