//! Where mail goes that stays with us: from an address to the mailbox of its owner.

use std::sync::{Arc, PoisonError, RwLock};

use conf::{Block, Mistake, View};
use imap::accounts::Accounts;
use jiff::Timestamp;
use mail::Trouble;
use net::clock;
use people::{Account, Facts, People};
use store::{Delivery, Flags, Name};
use tokio::runtime::Handle;

use crate::mailbox::crew::Seconds;

/// What is put into a mailbox, besides the message itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    /// The address, folded.
    pub user: String,
    /// Lines before the message, with LF.
    pub head: Vec<u8>,
    /// Names the delivery for ever: one that is repeated is not stored twice.
    pub id: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is on disk.
    Stored,
    /// There is no such user.
    Unknown,
    /// The quota of its user is used up.
    Full,
    /// Not now, and why.
    Trouble(String),
}

/// The mailboxes of everybody, as one configuration says.
pub(crate) struct Stores {
    people: People,
    accounts: Accounts,
    delimiter: String,
}

impl Stores {
    /// Reads where they are.
    pub fn read(view: &View, clock: Seconds, mistakes: &mut Vec<Mistake>) -> Stores {
        Stores {
            people: People::read(view, people::Parts { clock }, mistakes),
            accounts: Accounts::read(view, seconds, mistakes),
            delimiter: conf::params::Site::read(view, mistakes).recipient_delimiter,
        }
    }

    /// The account of an address, with its extension or without it.
    ///
    /// # Errors
    /// A user database failed: nobody knows.
    pub async fn look_up(&self, user: &str) -> Result<Option<Account>, Trouble> {
        let facts = Facts::of("lmtp");
        if let Some(account) = self.people.lookup(user, &facts).await? {
            return Ok(Some(account));
        }
        let (local, domain) = user.rsplit_once('@').map_or((user, ""), |(local, domain)| (local, domain));
        match local.find(|c| self.delimiter.contains(c)).filter(|at| *at > 0) {
            Some(at) if domain.is_empty() => self.people.lookup(&local[..at], &facts).await,
            Some(at) => self.people.lookup(&format!("{}@{domain}", &local[..at]), &facts).await,
            None => Ok(None),
        }
    }

    /// Returns once the message is on disk. Blocks.
    pub fn put(&self, account: &Account, parcel: &Parcel, content: &[u8]) -> Put {
        let delivery = Delivery {
            mailbox: &Name::inbox(),
            create: true,
            id: Some(&parcel.id),
            content: &[&parcel.head, content],
            received: seconds(),
            flags: Flags::NONE,
            keywords: &[],
        };
        match self.accounts.open(account).and_then(|account| account.deliver(&delivery)) {
            Ok(_) => Put::Stored,
            Err(store::Error::OverQuota(_)) => Put::Full,
            Err(error) => Put::Trouble(error.to_string()),
        }
    }
}

fn seconds() -> i64 {
    Timestamp::try_from(clock::wall()).map_or(0, Timestamp::as_second)
}

/// The mailboxes as the keeper has them, whatever configuration is in force.
#[derive(Default)]
pub struct Cellar(RwLock<Option<Arc<Stores>>>);

impl Cellar {
    /// From now on as this configuration says. What is wrong with it was reported by whoever checked it.
    pub fn renew(&self, view: &View, clock: Seconds) {
        let stores = Arc::new(Stores::read(view, clock, &mut Vec::new()));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(stores);
    }

    /// Puts a message into a mailbox. Blocks; those that come at the same time wait for the disk together.
    pub(crate) fn put(&self, parcel: &Parcel, content: &[u8], runtime: &Handle) -> Put {
        let stores = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(stores) = stores else {
            return Put::Trouble("mailboxes are not open yet".to_owned());
        };
        match runtime.block_on(stores.look_up(&parcel.user)) {
            Ok(Some(account)) => stores.put(&account, parcel, content),
            Ok(None) => Put::Unknown,
            Err(trouble) => Put::Trouble(trouble.to_string()),
        }
    }
}

/// After a panic.
pub(crate) fn died() -> Put {
    Put::Trouble("the mailbox writer died".to_owned())
}
