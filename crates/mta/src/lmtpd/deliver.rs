//! From a whole message to the replies of its recipients.

use std::sync::Arc;

use jiff::Timestamp;
use mail::Address;
use mail::logline::printable;
use net::clock;
use proto::smtp::Reply;
use store::{Delivery, Flags, Name};
use tokio::task::JoinSet;

use super::Service;
use super::recipient::{Recipient, internal};

/// A message and what its session knows of it.
pub struct Message {
    /// Its sender.
    pub sender: Address,
    /// Header and body, lines ending in LF.
    pub content: Vec<u8>,
    /// The client, as it called itself, and its address.
    pub client: String,
    /// The session, for the log.
    pub session: String,
}

/// The name of the mailbox that mail went to, or why it went nowhere.
pub(super) type Put = store::Result<String>;

impl Service {
    /// Delivers to all recipients, side by side so that they wait for the disk together; gives their replies in order.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        message: Message,
        recipients: Vec<Recipient>,
    ) -> Vec<Reply> {
        let message = Arc::new(message);
        let id: Arc<str> = message_id(&message.content).into();
        let mut work = JoinSet::new();
        let mut replies: Vec<_> = recipients.iter().map(|one| internal(&shown(one))).collect();
        for (at, recipient) in recipients.into_iter().enumerate() {
            let (service, message, id) = (self.clone(), message.clone(), id.clone());
            work.spawn_blocking(move || {
                let put = service.put(&message, &recipient);
                (at, service.settle(&message, &recipient, &id, put))
            });
        }
        // A thread that breaks leaves the temporary failure in its place.
        while let Some(done) = work.join_next().await {
            match done {
                Ok((at, reply)) => replies[at] = reply,
                Err(error) => log::error!(target: "=dovecot", "lmtp: a delivery broke: {error}"),
            }
        }
        replies
    }

    /// Puts the message into the recipient's mailbox. When it is back it is on the disk.
    fn put(&self, message: &Message, recipient: &Recipient) -> Put {
        let now = Timestamp::try_from(clock::wall()).unwrap_or_default();
        let head = self.head(message, recipient, now);
        if let Some(hand) = deliver::hand::hired() {
            return self.put_elsewhere(hand, message, recipient, head);
        }
        let account = self.accounts.open(&recipient.account)?;
        let deliver = |mailbox: &Name, create: bool| {
            account.deliver(&Delivery {
                mailbox,
                create,
                id: None,
                content: &[&head, &message.content],
                received: now.as_second(),
                flags: Flags::NONE,
                keywords: &[],
            })
        };
        let detail = recipient.detail.as_deref().filter(|_| self.params.lmtp_save_to_detail_mailbox);
        let named = detail.and_then(|detail| Name::with_separator(detail, account.separator()).ok());
        if let Some(name) = named {
            match deliver(&name, self.params.lda_mailbox_autocreate) {
                Err(store::Error::NoMailbox | store::Error::BadName(_) | store::Error::NoPermission) => {}
                result => return result.map(|_| name.shown(account.separator())),
            }
        }
        deliver(&Name::inbox(), true).map(|_| "INBOX".to_owned())
    }

    /// Return-Path, Delivered-To and Received.
    fn head(&self, message: &Message, recipient: &Recipient, now: Timestamp) -> Vec<u8> {
        let to = one_line(&recipient.address.external());
        let mut out = format!("Return-Path: <{}>\n", one_line(&message.sender.external()));
        match self.params.lmtp_hdr_delivery_address.as_str() {
            "none" => {}
            "original" => out += &format!("Delivered-To: {to}\n"),
            _ => out += &format!("Delivered-To: {}\n", one_line(&recipient.account.user)),
        }
        if self.params.lmtp_add_received_header {
            out += &format!(
                "Received: from {}\n\tby {} with LMTP\n\tid {}\n\t(envelope-from <{}>)\n\tfor <{to}>; {}\n",
                message.client,
                self.myhostname,
                message.session,
                one_line(&message.sender.external()),
                mail::date::rfc5322(now, &self.zone)
            );
        }
        out.into_bytes()
    }

    /// The log line and the reply of one recipient.
    fn settle(&self, message: &Message, recipient: &Recipient, id: &str, put: Put) -> Reply {
        let to = shown(recipient);
        let program = format!(
            "lmtp({})<{}><{}>",
            printable(&recipient.account.user),
            std::process::id(),
            message.session
        );
        match put {
            Ok(mailbox) => {
                log::info!(target: "=dovecot", "{program}: msgid={id}: saved mail to {}", printable(&mailbox));
                Reply::new(250, (0, 0), format!("<{to}> {} Saved", message.session))
            }
            Err(store::Error::OverQuota(_)) => {
                log::info!(
                    target: "=dovecot",
                    "{program}: msgid={id}: save failed to INBOX: Quota exceeded (mailbox for user is full)"
                );
                self.full(&to)
            }
            Err(error) => {
                log::error!(target: "=dovecot", "{program}: msgid={id}: save failed to INBOX: {error}");
                internal(&to)
            }
        }
    }
}

fn shown(recipient: &Recipient) -> String {
    printable(recipient.address.as_str()).to_string()
}

/// Nobody adds header lines through an address.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// The Message-ID, as the log shows it.
fn message_id(content: &[u8]) -> String {
    let header = &content[..mail::header::header_len(content)];
    let field = mail::header::fields(header).find(|field| field.is("message-id"));
    let value = field.map(|field| String::from_utf8_lossy(field.value().trim_ascii()).into_owned());
    match value.filter(|value| !value.is_empty()) {
        Some(value) => printable(&value).to_string(),
        None => "unspecified".to_owned(),
    }
}
