//! Where mail goes that stays with us: from an address to the mailbox of its owner.

use std::sync::{Arc, PoisonError, RwLock};

use conf::{Block, Mistake, View};
use imap::accounts::{Accounts, rights};
use jiff::Timestamp;
use mail::Trouble;
use master::Identity;
use net::clock;
use people::{Account, Facts, People};
use store::{Delivery, Flags, Name, Round};
use tokio::runtime::Handle;

use crate::mailbox::crew::Seconds;

/// What is put into a mailbox, besides the message itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// The address, folded.
    pub user: String,
    /// Lines before the message, with LF.
    pub head: Vec<u8>,
    /// Names the delivery for ever: one that is repeated is not stored twice. Empty where it is not repeated.
    pub id: String,
    /// Another mailbox than INBOX, as the user's clients write it, and whether it is made when there is none. What cannot
    /// go there goes into INBOX.
    pub mailbox: Option<(String, bool)>,
    /// IMAP keywords that it has from the first, such as `$Junk`.
    pub keywords: Vec<String>,
    /// Nothing is put: is there room for a message?
    pub room_only: bool,
    /// Whose mailbox it is, where the keeper that it goes to does not find out itself.
    pub account: Option<Account>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is on disk, in INBOX.
    Stored,
    /// It is on disk, in this mailbox.
    StoredIn(String),
    /// There is no such user.
    Unknown,
    /// The quota of its user is used up.
    Full,
    /// Another keeper has this mailbox.
    Elsewhere,
    /// Not now, and why.
    Trouble(String),
}

/// Whose mailboxes a keeper has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// All of them are this user's, but for those of accounts with a `uid` of their own.
    All(Identity),
    /// Those of this user. It is told the account where it cannot ask itself.
    One {
        /// The user.
        who: Identity,
        /// With whose rights the mail of accounts is kept that say nothing of it.
        usual: Identity,
        /// It looks accounts up itself, whatever it is told.
        asks: bool,
    },
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

    /// The account behind a name, where this keeper has its mailboxes.
    fn kept(
        &self,
        user: &str,
        claimed: Option<Account>,
        keeps: Keeps,
        runtime: &Handle,
    ) -> Result<Account, Put> {
        let account = match (claimed, keeps) {
            (Some(claimed), Keeps::One { asks: false, .. }) => claimed,
            _ => match runtime.block_on(self.look_up(user)) {
                Ok(Some(account)) => account,
                Ok(None) => return Err(Put::Unknown),
                Err(trouble) => return Err(Put::Trouble(trouble.to_string())),
            },
        };
        let here = match keeps {
            Keeps::All(who) => rights(&account, who) == who,
            Keeps::One { who, usual, .. } => rights(&account, usual) == who,
        };
        if here { Ok(account) } else { Err(Put::Elsewhere) }
    }
}

/// Messages that are put into mailboxes together, so that all of them wait for the disk once. Blocks.
#[derive(Default)]
pub(crate) struct Shelf {
    round: Round,
    said: Vec<Said>,
}

/// What becomes of a message.
enum Said {
    /// It is known.
    Known(Put),
    /// This, if the round says that it is durable.
    Durable(Put),
}

impl Shelf {
    /// Writes a message. It may be acknowledged when [`Shelf::settle`] says so.
    pub fn add(&mut self, stores: &Stores, account: &Account, parcel: &Parcel, content: &[u8]) {
        let said = stores.accounts.open(account).and_then(|account| match parcel.room_only {
            true => has_room(&*account).map(Said::Known),
            false => self.deliver(&*account, parcel, content).map(Said::Durable),
        });
        self.said.push(said.unwrap_or_else(|error| Said::Known(refusal(&error))));
    }

    fn deliver(
        &mut self,
        account: &dyn store::Account,
        parcel: &Parcel,
        content: &[u8],
    ) -> store::Result<Put> {
        let mut put = |mailbox: &Name, create: bool| {
            let delivery = Delivery {
                mailbox,
                create,
                id: Some(parcel.id.as_str()).filter(|id| !id.is_empty()),
                content: &[&parcel.head, content],
                received: seconds(),
                flags: Flags::NONE,
                keywords: &parcel.keywords,
            };
            self.round.add(account, &delivery)
        };
        if let Some((name, create)) = &parcel.mailbox
            && let Ok(name) = Name::with_separator(name, account.separator())
        {
            match put(&name, *create) {
                Err(store::Error::NoMailbox | store::Error::BadName(_)) => {}
                result => return result.map(|()| Put::StoredIn(name.shown(account.separator()))),
            }
        }
        put(&Name::inbox(), true).map(|()| Put::Stored)
    }

    /// Notes what becomes of a message that is not written.
    pub fn refuse(&mut self, put: Put) {
        self.said.push(Said::Known(put));
    }

    /// Returns once all messages are on disk, with what became of each.
    pub fn settle(&mut self) -> Vec<Put> {
        let mut settled = self.round.settle().into_iter();
        let mut became = |said| match said {
            Said::Known(put) => put,
            Said::Durable(put) => match settled.next().expect("one for each that was added") {
                Ok(_) => put,
                Err(error) => refusal(&error),
            },
        };
        self.said.drain(..).map(&mut became).collect()
    }

    /// Tells those who look at the mailboxes.
    pub fn announce(self) {
        self.round.announce();
    }
}

fn refusal(error: &store::Error) -> Put {
    match error {
        store::Error::OverQuota(_) => Put::Full,
        error => Put::Trouble(error.to_string()),
    }
}

fn has_room(account: &dyn store::Account) -> store::Result<Put> {
    let one = store::Usage { bytes: 1, messages: 1 };
    let full = account.limits().passed(account.usage()?, one).is_some();
    Ok(if full { Put::Full } else { Put::Stored })
}

fn seconds() -> i64 {
    Timestamp::try_from(clock::wall()).map_or(0, Timestamp::as_second)
}

/// The mailboxes as a keeper has them, whatever configuration is in force.
#[derive(Default)]
pub struct Cellar(RwLock<Option<(Arc<Stores>, Keeps)>>);

impl Cellar {
    /// From now on as this configuration says. What is wrong with it was reported by whoever checked it.
    pub fn renew(&self, view: &View, clock: Seconds, keeps: Keeps) {
        let stores = Arc::new(Stores::read(view, clock, &mut Vec::new()));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((stores, keeps));
    }

    /// The account that this keeper serves under that name; `claimed` is what another process says of it.
    ///
    /// # Errors
    /// What becomes of its mail instead.
    pub fn account(&self, claimed: Account, runtime: &Handle) -> Result<Account, String> {
        let Some((stores, keeps)) = self.current() else {
            return Err("mailboxes are not open yet".to_owned());
        };
        match stores.kept(&claimed.user.clone(), Some(claimed), keeps, runtime) {
            Ok(account) => Ok(account),
            Err(Put::Trouble(why)) => Err(why),
            Err(_) => Err("this user's mailboxes are kept elsewhere".to_owned()),
        }
    }

    fn current(&self) -> Option<(Arc<Stores>, Keeps)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes a message to a shelf, into a mailbox that this keeper has. Blocks.
    pub(crate) fn put(&self, shelf: &mut Shelf, parcel: &Parcel, content: &[u8], runtime: &Handle) {
        let Some((stores, keeps)) = self.current() else {
            return shelf.refuse(Put::Trouble("mailboxes are not open yet".to_owned()));
        };
        match stores.kept(&parcel.user, parcel.account.clone(), keeps, runtime) {
            Ok(account) => shelf.add(&stores, &account, parcel, content),
            Err(put) => shelf.refuse(put),
        }
    }
}

/// After a panic.
pub(crate) fn died() -> Put {
    Put::Trouble("the mailbox writer died".to_owned())
}
