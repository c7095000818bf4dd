//! Recipients whose mailboxes other processes keep.

use bytes::Bytes;
use deliver::hand::{self, Hand, Parcel, Put as Answer, Whose};
use imap::accounts::rights;
use mail::Trouble;
use master::Identity;
use queue::Body;

use super::Service;
use super::deliver::{Message, Put};
use super::recipient::Recipient;

impl Service {
    /// Has the recipient's keeper put the message into his mailbox. When it is back it is on the disk.
    pub(super) fn put_elsewhere(
        &self,
        hand: &Hand,
        message: &Message,
        recipient: &Recipient,
        head: Vec<u8>,
    ) -> Put {
        let detail = recipient.detail.clone().filter(|_| self.params.lmtp_save_to_detail_mailbox);
        let parcel = Parcel {
            user: recipient.account.user.clone(),
            head,
            mailbox: detail.map(|name| (name, self.params.lda_mailbox_autocreate)),
            account: Some(recipient.account.clone()),
            ..Parcel::default()
        };
        let content = Body::from(Bytes::from(message.content.clone()));
        let trouble = |why: String| Err(store::Error::Trouble(Trouble::new(why)));
        match hand.keep(&parcel, &content, whose(recipient, self.owner)) {
            Answer::Stored => Ok("INBOX".to_owned()),
            Answer::StoredIn(mailbox) => Ok(mailbox),
            Answer::Full => Err(store::Error::OverQuota(store::Resource::Storage)),
            Answer::Unknown => trouble("the keeper of mailboxes does not know this user".to_owned()),
            Answer::Elsewhere => trouble("another keeper has this mailbox".to_owned()),
            Answer::Trouble(why) => trouble(why),
        }
    }
}

/// Does nothing more fit into the account?
pub(super) fn is_full(hand: &Hand, recipient: &Recipient, owner: Option<Identity>) -> bool {
    let parcel = Parcel {
        user: recipient.account.user.clone(),
        room_only: true,
        account: Some(recipient.account.clone()),
        ..Parcel::default()
    };
    hand.keep(&parcel, &Body::from(Bytes::new()), whose(recipient, owner)) == Answer::Full
}

fn whose(recipient: &Recipient, owner: Option<Identity>) -> Whose {
    let who = rights(&recipient.account, owner.unwrap_or_else(hand::own));
    if Some(who) == owner { Whose::All } else { Whose::User(who) }
}
