//! Envelope addresses that milters change once the content is complete.

use mail::{Address, QueueId, Recipient, Refusal};
use route::Context;

use super::recipients::{Recipients, Rewriting};
use super::{Cleaner, Skip};

impl Cleaner {
    /// Another sender, put through rewriting and tables, and the automatic copies of its mail.
    pub async fn late_sender(
        &self,
        id: &QueueId,
        skip: Skip,
        sender: &Address,
    ) -> Result<(Address, Vec<Recipient>), Refusal> {
        let mut copies = Recipients::default();
        let sender = self.late(id, skip).sender(sender, &mut copies).await?;
        Ok((sender, copies.into_list()))
    }

    /// One more recipient, put through rewriting, tables and aliases. It has the ORCPT it was given, or none, and was
    /// never called anything but what it is called before aliases.
    pub async fn late_recipient(
        &self,
        id: &QueueId,
        skip: Skip,
        given: Recipient,
    ) -> Result<Vec<Recipient>, Refusal> {
        let mut recipients = Recipients::default();
        let orcpt = given.orcpt.clone();
        let rewriting = self.late(id, Skip { bcc: true, ..skip });
        let original = rewriting.full_recipient(&given.address).await?;
        rewriting.recipient(Recipient { original, ..given }, &mut recipients).await?;
        let mut list = recipients.into_list();
        list.iter_mut().for_each(|recipient| recipient.orcpt.clone_from(&orcpt));
        Ok(list)
    }

    /// An address in its full form.
    pub fn completed(&self, address: &Address) -> Address {
        self.router.rewrite(Context::Local, address)
    }

    fn late<'a>(&'a self, id: &'a QueueId, skip: Skip) -> Rewriting<'a> {
        Rewriting { cleaner: self, id, skip, smtputf8: false, probe: false, now: None }
    }
}
