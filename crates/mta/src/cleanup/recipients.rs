//! The envelope: sender and recipients in the form the queue stores.

use std::collections::HashSet;

use mail::{Address, Blame, Detail, Notify, QueueId, Recipient, Refusal, Trail, Trouble};
use route::{Context, Place, Router};

use super::{Cleaner, Skip};

/// The recipients of a message, without duplicates.
#[derive(Debug, Default)]
pub struct Recipients {
    list: Vec<Recipient>,
    /// Recipients that virtual aliases replaced and whose sender wants to hear of success: "expanded" notices.
    pub expanded: Vec<Recipient>,
    /// Keys of `list`, once there is more than one.
    seen: HashSet<String>,
    /// The last one that was given, before aliases took its place, for the log. `None`: there was none.
    pub last: Option<Address>,
    /// All that were given, before aliases took their place; kept only for milters of local mail.
    pub given: Vec<Address>,
}

impl Recipients {
    /// What the queue stores.
    pub fn into_list(self) -> Vec<Recipient> {
        self.list
    }

    /// REDIRECT: one recipient in the place of all. It keeps what the first one by domain and name asked for and was
    /// called. Gives how many others it stands for.
    pub fn redirect(&mut self, address: Address) -> u32 {
        let others = self.list.len().saturating_sub(1);
        let key = |one: &Recipient| {
            (one.address.domain().map(str::to_lowercase), one.address.as_str().to_lowercase())
        };
        self.list.sort_by_cached_key(key);
        self.list.truncate(1);
        match self.list.first_mut() {
            Some(first) => first.address = address,
            None => self.list.push(Recipient::new(address)),
        }
        u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// Adds a recipient unless it is there. `by_original` is `enable_original_recipient`, `limit` is
    /// `duplicate_filter_limit`.
    fn add(&mut self, recipient: Recipient, by_original: bool, limit: usize) {
        let key = |recipient: &Recipient| {
            let address = recipient.address.as_str().to_lowercase();
            if !by_original {
                return address;
            }
            let Notify { never, success, failure, delay } = recipient.notify;
            let orcpt = recipient.orcpt.as_deref().unwrap_or_default().to_lowercase();
            let original = recipient.original.as_str().to_lowercase();
            format!("{orcpt}\n{never}{success}{failure}{delay}\n{original}\n{address}")
        };
        if let [first] = &self.list[..] {
            self.seen.insert(key(first));
        }
        if !self.list.is_empty() {
            let key = key(&recipient);
            if self.seen.contains(&key) {
                return;
            }
            if limit == 0 || self.seen.len() < limit {
                self.seen.insert(key);
            }
        }
        self.list.push(recipient);
    }
}

/// Puts envelope addresses through rewriting, tables, aliases and automatic copies.
pub struct Rewriting<'a> {
    /// The configuration.
    pub cleaner: &'a Cleaner,
    /// The message, for the log.
    pub id: &'a QueueId,
    /// What is left out.
    pub skip: Skip,
    /// SMTPUTF8 was asked for.
    pub smtputf8: bool,
    /// Address verification: the alias itself is what is asked about, not what it stands for.
    pub probe: bool,
    /// Seconds since the epoch; `None`: forwarding addresses (SRS) stay what they are.
    pub now: Option<i64>,
}

impl Rewriting<'_> {
    fn router(&self) -> &Router {
        &self.cleaner.router
    }

    /// The sender. Mail from `MAILER-DAEMON` is mail from the null address.
    pub async fn sender(&self, sender: &Address, recipients: &mut Recipients) -> Result<Address, Refusal> {
        let mut sender = self.router().rewrite(Context::Local, sender);
        if self.is_mailer_daemon(&sender) {
            sender = Address::null();
        }
        sender = self.canonical(Place::EnvelopeSender, sender).await?;
        if !self.skip.bcc && !sender.is_null() {
            let copy = self.router().sender_copy(&sender, &mut Trail::off()).await;
            if let Some(copy) = copy.map_err(|trouble| self.later(&trouble))? {
                self.copy(copy, recipients).await?;
            }
        }
        Ok(sender)
    }

    fn is_mailer_daemon(&self, sender: &Address) -> bool {
        sender.local().eq_ignore_ascii_case("mailer-daemon") && {
            let own = self.router().rewrite(Context::Local, &Address::from("MAILER-DAEMON"));
            own.as_str().eq_ignore_ascii_case(sender.as_str())
        }
    }

    /// A recipient as the client gave it.
    pub async fn recipient(&self, given: Recipient, recipients: &mut Recipients) -> Result<(), Refusal> {
        let asked = match given.address.is_null() {
            true => &self.cleaner.empty_address_recipient,
            false => &given.address,
        };
        let address = self.full_recipient(asked).await?;
        let orcpt = given.orcpt.or_else(|| self.original_recipient(&address));
        let original = if given.original.is_null() { given.address } else { given.original };
        let recipient = Recipient { address, original, orcpt, notify: given.notify };
        let address = recipient.address.clone();
        recipients.last = Some(address.clone());
        if self.cleaner.milters.is_some() {
            recipients.given.push(address.clone());
        }
        self.expand(recipient, recipients).await?;
        if !self.skip.bcc {
            let copy = self.router().recipient_copy(&address, &mut Trail::off()).await;
            if let Some(copy) = copy.map_err(|trouble| self.later(&trouble))? {
                self.copy(copy, recipients).await?;
            }
        }
        Ok(())
    }

    /// An automatic copy: the sender hears nothing of it.
    pub async fn copy(&self, to: Address, recipients: &mut Recipients) -> Result<(), Refusal> {
        let address = self.full_recipient(&to).await?;
        let notify = Notify { never: true, ..Notify::default() };
        self.expand(Recipient { notify, ..Recipient::new(address) }, recipients).await
    }

    /// A forwarding address of ours stands for the sender whose mail was forwarded.
    fn reversed(&self, address: Address) -> Address {
        let (Some(srs), Some(now), false) = (&self.cleaner.srs, self.now, self.skip.mappings) else {
            return address;
        };
        match srs.reverse(address.as_str(), now) {
            Some(Ok(sender)) => sender.into(),
            Some(Err(_)) | None => address,
        }
    }

    /// A recipient's address rewritten, before aliases take its place.
    pub async fn full_recipient(&self, address: &Address) -> Result<Address, Refusal> {
        let address = self.reversed(self.router().rewrite(Context::Local, address));
        self.canonical(Place::EnvelopeRecipient, address).await
    }

    async fn canonical(&self, place: Place, address: Address) -> Result<Address, Refusal> {
        if self.skip.mappings || !self.router().has_canonical(place) {
            return Ok(address);
        }
        let found = self.router().canonical(place, &address, &mut Trail::off()).await;
        found.map_err(|trouble| self.later(&trouble))
    }

    /// Replaces a recipient by those it stands for. NOTIFY=SUCCESS ends here with an "expanded" notice
    /// (RFC 3461 5.2.7.3).
    async fn expand(&self, recipient: Recipient, recipients: &mut Recipients) -> Result<(), Refusal> {
        let cleaner = self.cleaner;
        let (by_original, limit) = (cleaner.enable_original_recipient, cleaner.duplicate_filter_limit);
        if self.skip.mappings {
            recipients.add(recipient, by_original, limit);
            return Ok(());
        }
        let addresses = self.router().expand(&recipient.address, &mut Trail::off()).await?;
        let replaced = addresses.len() > 1 || addresses.iter().any(|address| *address != recipient.address);
        if self.probe && addresses.len() > 1 {
            recipients.expanded.push(recipient);
            return Ok(());
        }
        let mut notify = recipient.notify;
        if notify.success && replaced {
            recipients.expanded.push(recipient.clone());
            notify.success = false;
            notify.never = !notify.failure && !notify.delay;
        }
        for address in addresses {
            recipients.add(Recipient { address, notify, ..recipient.clone() }, by_original, limit);
        }
        Ok(())
    }

    /// `ORCPT` for a recipient whose client said none.
    fn original_recipient(&self, address: &Address) -> Option<String> {
        let kind = if self.smtputf8 && !address.is_ascii() { "utf-8" } else { "rfc822" };
        (!address.is_null()).then(|| format!("{kind};{address}"))
    }

    /// A table failed: the client hears no more than that.
    pub fn later(&self, trouble: &Trouble) -> Refusal {
        log::warn!(target: "cleanup", "{}: {trouble} -- message not accepted, try again later", self.id);
        Refusal::later(51, Detail(3, 0), Blame::Ourselves, "Error: queue file write error")
            .logged(trouble.to_string())
    }
}
