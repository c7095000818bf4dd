//! RCPT: whose mailbox is it?

use mail::Address;
use mail::logline::printable;
use people::{Account, Facts};
use proto::smtp::Reply;

use super::{Service, kept};

/// A recipient who has mail here.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// As given.
    pub address: Address,
    /// Who.
    pub account: Account,
    /// What stands behind the delimiter.
    pub detail: Option<String>,
}

/// User and detail of an address.
pub fn split(address: &str, delimiter: &str) -> (String, Option<String>) {
    let (local, domain) = match address.rsplit_once('@') {
        Some((local, domain)) => (local, format!("@{domain}")),
        None => (address, String::new()),
    };
    // A delimiter at the very start belongs to the name.
    let at = local.char_indices().skip(1).find(|(_, letter)| delimiter.contains(*letter));
    match at {
        Some((at, letter)) => {
            let detail = &local[at + letter.len_utf8()..];
            (format!("{}{domain}", &local[..at]), Some(detail.to_owned()))
        }
        None => (address.to_owned(), None),
    }
}

impl Service {
    /// Looks a recipient up.
    ///
    /// # Errors
    /// The reply that refuses it.
    pub(super) async fn recipient(&self, address: Address, facts: &Facts) -> Result<Recipient, Reply> {
        let shown = printable(address.as_str()).to_string();
        let (user, detail) = split(address.as_str(), &self.delimiter);
        let account = match self.people.lookup(&user, facts).await {
            Ok(Some(account)) => account,
            Ok(None) => {
                let user = printable(&user);
                return Err(Reply::new(550, (1, 1), format!("<{shown}> User doesn't exist: {user}")));
            }
            Err(trouble) => {
                log::error!(target: "=dovecot", "lmtp({}): user look-up failed: {trouble}", printable(&user));
                return Err(internal(&shown));
            }
        };
        let recipient = Recipient { address, account, detail };
        match self.params.lmtp_rcpt_check_quota && self.is_full(&recipient).await {
            true => Err(self.full(&shown)),
            false => Ok(recipient),
        }
    }

    /// Nothing more fits into the account. Where that cannot be found out, the delivery will tell.
    async fn is_full(&self, recipient: &Recipient) -> bool {
        if let Some(hand) = deliver::hand::hired() {
            let (recipient, owner) = (recipient.clone(), self.owner);
            let look = tokio::task::spawn_blocking(move || kept::is_full(hand, &recipient, owner));
            return look.await.unwrap_or(false);
        }
        let (accounts, account) = (self.accounts.clone(), recipient.account.clone());
        let look = tokio::task::spawn_blocking(move || -> store::Result<bool> {
            let mail = accounts.open(&account)?;
            let one = store::Usage { bytes: 1, messages: 1 };
            Ok(mail.limits().passed(mail.usage()?, one).is_some())
        });
        matches!(look.await, Ok(Ok(true)))
    }

    /// `quota_full_tempfail` decides whether it is worth another try.
    pub(super) fn full(&self, shown: &str) -> Reply {
        let code = if self.params.quota_full_tempfail { 452 } else { 552 };
        Reply::new(code, (2, 2), format!("<{shown}> Quota exceeded (mailbox for user is full)"))
    }
}

/// Something of ours failed.
pub fn internal(shown: &str) -> Reply {
    Reply::new(451, (3, 0), format!("<{shown}> Temporary internal error"))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn details_are_cut_off() {
        let cut = |address| split(address, "+-");
        assert_eq!(cut("joe+a+b@x.test"), ("joe@x.test".into(), Some("a+b".into())));
        assert_eq!(cut("joe@x-y.test"), ("joe@x-y.test".into(), None));
        assert_eq!(cut("+joe"), ("+joe".into(), None));
        assert_eq!(cut("joe-"), ("joe".into(), Some(String::new())));
        assert_eq!(split("joe+a", ""), ("joe+a".into(), None));
    }
}
