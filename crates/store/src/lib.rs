//! Where mail lives once it has arrived.
//!
//! Blocking: the servers call it from threads that may wait for a disk. [`open_account`] gives an [`Account`],
//! which gives [`Mailbox`]es; all who have the same one open share it, so that each sees at once what others do.
//! What is in a mailbox is a [`View`]: a session keeps the one its client knows and asks for the
//! [`Changes`] to the newest, when it may tell them. [`Watch`] wakes those who wait for a change.
//!
//! Dates are seconds since 1970, UIDs are never 0, sizes count CRLF line ends.

pub mod backends;
pub mod copy;
pub mod facteur;
pub mod foreign;
pub mod fuzz;
pub mod lock;
pub mod maildir;
pub mod mbox;
pub mod params;
pub mod rights;
pub mod search;
pub mod spaces;
pub mod syncfs;

mod account;
mod error;
mod flags;
mod location;
mod mailbox;
mod name;
mod open;
mod quota;
mod round;
mod settings;
mod tally;
mod uid_set;
mod view;
mod watch;

pub use account::{Account, Delivered, Delivery, Folder, Owner, Pair, SpecialUse, Status};
pub use error::{Error, Result};
pub use flags::{FlagChange, Flags, LONGEST_KEYWORD, MOST_KEYWORDS, Mode};
pub use location::{Kind, Layout, Location, Place};
pub use mailbox::{CopyOutcome, Mailbox, NewMessage, StoreOutcome, Summary, Within};
pub use name::{DEEPEST, LONGEST_LEVEL, LONGEST_NAME, Name, from_utf7, to_utf7};
pub use open::{close_idle, open_account, opened};
pub use quota::{Limits, Resource, Usage};
pub use rights::{Identity, Rights};
pub use round::{HandedIn, Round};
pub use settings::{Clock, Settings};
pub use spaces::{Namespaces, Others, Spaces};
pub use tally::{Tally, tally};
pub use uid_set::UidSet;
pub use view::{Changes, Editor, Entry, View};
pub use watch::Watch;
