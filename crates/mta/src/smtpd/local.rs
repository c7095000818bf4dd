//! `sendmail -bs`: SMTP with a user of this machine, over a local socket.
//!
//! Postfix runs smtpd(8) in stand-alone mode for this and drops the messages into the maildrop. Here the session
//! goes to the running program; messages get the same log lines and headers without that detour.

use std::sync::Arc;

use mail::QueueId;
use net::{Accepted, Stream};
use proto::smtp::Reply;
use tokio::io::AsyncWriteExt;

use super::service::Service;
use super::session::{Session, Transaction};
use crate::cleanup::received;
use crate::pickup;

/// What such a service has beside main.cf: nothing is asked of a user of this machine but that he may submit mail
/// (`authorized_submit_users`), and nothing that needs a network is offered.
pub fn overrides() -> Vec<(String, String)> {
    [
        ("smtpd_client_restrictions", ""),
        ("smtpd_helo_restrictions", ""),
        ("smtpd_sender_restrictions", ""),
        // The client has the address 127.0.0.1. A service that rejects nobody would be taken for an open relay.
        ("mynetworks", "127.0.0.0/8"),
        ("smtpd_relay_restrictions", "permit_mynetworks, reject"),
        ("smtpd_recipient_restrictions", "permit_mynetworks, reject"),
        ("smtpd_data_restrictions", ""),
        ("smtpd_end_of_data_restrictions", ""),
        ("smtpd_etrn_restrictions", ""),
        ("smtpd_reject_unlisted_recipient", "no"),
        ("smtpd_reject_unlisted_sender", "no"),
        ("smtpd_helo_required", "no"),
        ("smtpd_client_connection_count_limit", "0"),
        ("smtpd_client_connection_rate_limit", "0"),
        ("smtpd_client_message_rate_limit", "0"),
        ("smtpd_client_recipient_rate_limit", "0"),
        ("smtpd_sasl_auth_enable", "no"),
        ("smtpd_tls_security_level", "none"),
        ("smtpd_tls_wrappermode", "no"),
        ("smtpd_use_tls", "no"),
        ("smtpd_enforce_tls", "no"),
        ("smtpd_authorized_xclient_hosts", ""),
        ("smtpd_authorized_xforward_hosts", ""),
        ("smtpd_upstream_proxy_protocol", ""),
        ("smtpd_milters", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Talks to whoever opened the local socket, if he may submit mail.
pub(super) async fn run(service: Arc<Service>, mut accepted: Accepted) {
    let credentials = match &accepted.stream {
        Stream::Unix(unix) => unix.peer_cred(),
        _ => return,
    };
    let uid = match credentials {
        Ok(peer) => peer.uid(),
        Err(error) => return log::warn!(target: "pickup", "cannot tell who submits: {error}"),
    };
    if let Err(refusal) = pickup::authorized(&service.house.setup(), uid, pickup::login(uid).as_deref()).await
    {
        log::warn!(target: "pickup", "uid={uid}: {} {}", refusal.status(), refusal.log_text());
        let mut reply = Vec::new();
        Reply::from(&refusal).write(&mut reply);
        // Nobody needs to hear it: the session is over either way.
        let _ = accepted.stream.write_all(&reply).await;
        return;
    }
    super::session::run(service, accepted, Some(uid)).await;
}

impl Session {
    /// The log line and the Received header that pickup(8) gives a message of this user.
    pub(super) fn submitted(&self, uid: u32, transaction: &Transaction, id: &QueueId) -> String {
        let sender = mail::logline::printable(transaction.sender.as_str());
        log::info!(target: "pickup", "{id}: uid={uid} from=<{sender}>");
        let date = mail::date::rfc5322(transaction.arrival, &self.service.zone);
        received::local(self.host(), &self.service.settings.mail_name, Some(uid), id, &date)
    }
}
