//! The mail of one user, opened with that user's rights.

use std::sync::Arc;

use conf::View;
use nix::unistd::{Gid, Uid, getuid, setegid, seteuid, setgroups};
use store::{Account, Folder, Mailbox, Name};

use super::whom::Error;
use super::{Call, FAILED};

/// Seconds since 1970.
pub(in crate::commands) fn now() -> i64 {
    jiff::Timestamp::try_from(net::clock::wall()).map_or(0, jiff::Timestamp::as_second)
}

/// An account.
pub(super) struct Reader {
    /// Its name.
    pub user: String,
    pub store: Arc<dyn Account>,
    _rights: Rights,
}

/// This program's own rights come back when this ends.
pub(in crate::commands) struct Rights(bool);

impl Rights {
    /// Root works as the owner of the mail: a link in a user's directory must not lead root elsewhere.
    pub(in crate::commands) fn of(account: &people::Account) -> nix::Result<Rights> {
        let Some(uid) = account.uid.filter(|uid| *uid != 0 && getuid().is_root()) else {
            return Ok(Rights(false));
        };
        let rights = Rights(true);
        if let Some(gid) = account.gid {
            let groups: Vec<Gid> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
            setgroups(&groups)?;
            setegid(Gid::from_raw(gid))?;
        }
        seteuid(Uid::from_raw(uid))?;
        Ok(rights)
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        if self.0 && (seteuid(Uid::from_raw(0)).is_err() || setegid(Gid::from_raw(0)).is_err()) {
            log::error!("cannot become root again");
        }
    }
}

/// An account that names no owner of its mail has that of all (`mail_uid`): what root makes, the keeper must be able to use.
pub(in crate::commands) fn owned(view: &View, account: &people::Account) -> people::Account {
    let mut account = account.clone();
    // What is wrong with mail_uid the running program tells.
    if let (None, Ok(Some(owner))) = (account.uid, imap::accounts::owner_of_all(view)) {
        account.uid = Some(owner.uid);
        account.gid = account.gid.or(Some(owner.gid));
    }
    account
}

impl Reader {
    /// Opens the mail of an account.
    pub fn open(call: &Call, account: &people::Account, people: &people::People) -> Result<Reader, Error> {
        let mut mistakes = Vec::new();
        let accounts = imap::accounts::Accounts::read(&call.config.view, now, &mut mistakes);
        if let Some(mistake) = mistakes.first() {
            return Err(Error { status: FAILED, text: mistake.to_string() });
        }
        let account = &owned(&call.config.view, account);
        let rights = Rights::of(account)
            .map_err(|error| Error { status: FAILED, text: format!("Couldn't drop privileges: {error}") })?;
        let accounts = accounts.with_people(people.clone());
        let store = accounts.open(account).map_err(|error| Error {
            status: FAILED,
            text: format!("User initialization failed: {error}"),
        })?;
        Ok(Reader { user: account.user.clone(), store, _rights: rights })
    }

    /// Another store that is read with the same rights.
    pub fn beside(&self, store: Arc<dyn Account>) -> Reader {
        Reader { user: self.user.clone(), store, _rights: Rights(false) }
    }

    /// A mailbox's name as the user writes it.
    pub fn name(&self, text: &str) -> store::Result<Name> {
        Name::with_separator(text, self.store.separator())
    }

    /// As the user reads it.
    pub fn shown(&self, name: &Name) -> String {
        name.shown(self.store.separator())
    }

    /// All mailboxes, INBOX last as Dovecot lists them.
    pub fn folders(&self) -> Result<Vec<Folder>, Error> {
        let mut folders =
            self.store.folders().map_err(|error| Error::store("Listing mailboxes failed", "", &error))?;
        folders.sort_by_key(|folder| folder.name.is_inbox());
        Ok(folders)
    }

    /// Opens a mailbox, up to date.
    pub fn mailbox(&self, name: &Name) -> Result<Arc<dyn Mailbox>, Error> {
        let shown = self.shown(name);
        self.store
            .open(name)
            .map_err(|error| Error::store(format!("Syncing mailbox '{shown}' failed"), &shown, &error))
    }
}
