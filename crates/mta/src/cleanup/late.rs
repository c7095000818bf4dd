//! Envelope addresses that milters change once the content is complete.

use mail::{Address, QueueId, Recipient, Refusal};
use route::Context;

use super::recipients::{Recipients, Rewriting};
use super::{Cleaner, Skip};

impl Cleaner {
    /// Another sender, put through rewriting and tables. It brings no automatic copies.
    pub async fn late_sender(&self, id: &QueueId, sender: &Address) -> Result<Address, Refusal> {
        self.late(id).sender(sender, &mut Recipients::default()).await
    }

    /// One more recipient, put through rewriting, tables and aliases. It has the ORCPT it was given, or none.
    pub async fn late_recipient(&self, id: &QueueId, given: Recipient) -> Result<Vec<Recipient>, Refusal> {
        let mut recipients = Recipients::default();
        let orcpt = given.orcpt.clone();
        self.late(id).recipient(given, &mut recipients).await?;
        let mut list = recipients.into_list();
        list.iter_mut().for_each(|recipient| recipient.orcpt.clone_from(&orcpt));
        Ok(list)
    }

    /// An address in its full form.
    pub fn completed(&self, address: &Address) -> Address {
        self.router.rewrite(Context::Local, address)
    }

    fn late<'a>(&'a self, id: &'a QueueId) -> Rewriting<'a> {
        let skip = Skip { bcc: true, ..Skip::default() };
        Rewriting { cleaner: self, id, skip, smtputf8: false, probe: false, now: None }
    }
}
