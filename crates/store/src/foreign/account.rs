//! An account whose mailboxes are in a foreign format.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::delivery::Common;
use super::ledger::{Begun, Ledger};
use super::{Files, Shared, Tree, owned};
use crate::lock::{Dotlock, Patience};
use crate::maildir::subscriptions;
use crate::{
    Account, Delivered, Delivery, Error, Flags, Folder, Limits, Mailbox, Name, NewMessage, Owner, Pair,
    Result, Settings, SpecialUse, Status, Usage, Watch,
};

/// So many mailboxes nobody uses stay open, to be found warm.
const KEPT: usize = 32;

/// How long the list of subscriptions may be locked by others.
const PATIENCE: Patience = Patience { wait: Duration::from_secs(30), stale: Duration::from_secs(60) };

type Open<F> = HashMap<Name, Arc<Shared<F>>>;

/// The account.
pub struct Household<T: Tree> {
    tree: Arc<T>,
    owner: Owner,
    settings: Arc<Settings>,
    common: Arc<Common>,
    open: Mutex<Open<T::Files>>,
}

impl<T: Tree> Household<T> {
    /// Opens the account; makes the special mailboxes where `new` says that it is one that was not there before.
    pub fn new(settings: &Arc<Settings>, owner: &Owner, tree: T, new: bool) -> Result<Household<T>> {
        let tree = Arc::new(tree);
        let counting = Arc::clone(&tree);
        let common = Arc::new(Common {
            ledger: Ledger::open(&tree.ledger(), owner)?,
            limits: owner.limits.unwrap_or(settings.limits),
            warn_at: settings.warn_at.clone(),
            user: owner.user.clone(),
            clock: settings.clock,
            usage: Mutex::default(),
            count_change: Box::new(move |bytes, messages| counting.count_change(bytes, messages)),
            watch: Watch::new(),
        });
        let household = Household {
            tree,
            owner: owner.clone(),
            settings: Arc::clone(settings),
            common,
            open: Mutex::default(),
        };
        if new && settings.create_special {
            for (name, _) in &settings.special {
                if !household.tree.exists(name)? {
                    household.tree.create(name)?;
                }
                household.subscribe(name, true)?;
            }
        }
        household.end_moves()?;
        // Room is asked for at every message: counted once, then kept up to date.
        if !household.common.limits.is_unlimited() {
            household.usage()?;
        }
        Ok(household)
    }

    fn now(&self) -> i64 {
        (self.settings.clock)()
    }

    fn opened(&self) -> MutexGuard<'_, Open<T::Files>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.common.ledger
    }

    pub(super) fn shared(&self, name: &Name) -> Result<Arc<Shared<T::Files>>> {
        let mut open = self.opened();
        if let Some(known) = open.get(name) {
            return Ok(Arc::clone(known));
        }
        if !self.tree.exists(name)? {
            return Err(Error::NoMailbox);
        }
        let files = self.tree.open(name, self.now())?;
        let book = self.common.ledger.book(name.as_str(), files.guid().as_deref(), self.now())?;
        let shared = Arc::new(Shared::open(Arc::clone(&self.common), name.clone(), files, book)?);
        if open.len() >= KEPT {
            open.retain(|_, mailbox| Arc::strong_count(mailbox) > 1);
        }
        open.insert(name.clone(), Arc::clone(&shared));
        Ok(shared)
    }

    fn special_use(&self, name: &Name, known: &[(String, SpecialUse)]) -> Option<SpecialUse> {
        let own = known.iter().find(|(key, _)| key == name.as_str()).map(|(_, special)| *special);
        own.or_else(|| {
            self.settings.special.iter().find(|(other, _)| other == name).map(|(_, special)| *special)
        })
    }

    /// Changes the list of subscriptions, nobody else meanwhile.
    fn change_subscriptions(&self, change: impl FnOnce(&mut Vec<String>)) -> Result<()> {
        let path = self.tree.subscriptions();
        if let Some(directory) = path.parent() {
            owned::directories(directory, &self.owner)?;
        }
        let now = u64::try_from(self.now()).unwrap_or(0);
        let _lock = Dotlock::take(&path, PATIENCE, now)?;
        let mut names = self.subscribed()?;
        let before = names.clone();
        change(&mut names);
        if names == before {
            return Ok(());
        }
        let text = subscriptions::write(&names);
        let new = path.with_file_name(format!(".subscriptions.{}.new", std::process::id()));
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
        let written = written.and_then(|mut file: File| {
            file.write_all(&text)?;
            file.sync_all()?;
            Ok(file)
        });
        let file = written.map_err(|error| Error::io("write", &new, error))?;
        owned::give_file(&file, &new, &self.owner)?;
        std::fs::rename(&new, &path).map_err(|error| Error::io("rename to", &path, error))
    }

    /// The names subscribed to, in UTF-8 with slashes.
    fn subscribed(&self) -> Result<Vec<String>> {
        let path = self.tree.subscriptions();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        Ok(subscriptions::parse(&text, self.tree.separator()))
    }

    fn id(&self, mailbox: Option<&Name>) -> Result<i64> {
        mailbox.map_or(Ok(0), |name| Ok(self.shared(name)?.id))
    }

    fn count(&self) -> Result<Usage> {
        let mut usage = Usage::default();
        let names =
            self.tree.names()?.into_iter().filter(|(_, selectable)| *selectable).map(|(name, _)| name);
        for name in std::iter::once(Name::inbox()).chain(names) {
            match self.shared(&name).and_then(|mailbox| mailbox.refresh()) {
                Ok(view) => {
                    usage.messages += u64::from(view.len());
                    usage.bytes += view.iter().map(|entry| u64::from(entry.size)).sum::<u64>();
                }
                Err(Error::NoMailbox | Error::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(usage)
    }

    fn known_usage(&self) -> MutexGuard<'_, Option<Usage>> {
        self.common.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Tree> Account for Household<T> {
    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn separator(&self) -> char {
        self.settings.separator.unwrap_or_else(|| self.tree.separator())
    }

    fn folders(&self) -> Result<Vec<Folder>> {
        let mut names = self.tree.names()?;
        names.retain(|(name, _)| !name.is_inbox());
        names.sort();
        names.insert(0, (Name::inbox(), true));
        let subscribed = self.subscriptions()?;
        let special = self.common.ledger.special_uses()?;
        let folders = names.iter().map(|(name, selectable)| Folder {
            name: name.clone(),
            selectable: *selectable,
            children: names.iter().any(|(other, _)| other.is_below(name)),
            subscribed: subscribed.binary_search(name).is_ok(),
            special_use: self.special_use(name, &special),
            inferiors: !*selectable || name.is_inbox() || self.tree.both(),
        });
        Ok(folders.collect())
    }

    fn create(&self, name: &Name, special_use: Option<SpecialUse>) -> Result<String> {
        if self.tree.exists(name)? {
            return Err(Error::Exists);
        }
        self.tree.create(name)?;
        let mailbox = self.shared(name)?;
        if let Some(special) = special_use {
            self.common.ledger.set_special_use(mailbox.id, special)?;
        }
        self.common.watch.ring();
        Ok(mailbox.mailbox_id())
    }

    fn create_level(&self, name: &Name) -> Result<Option<String>> {
        if self.tree.both() {
            return self.create(name, None).map(Some);
        }
        if self.tree.exists(name)? {
            return Err(Error::Exists);
        }
        self.tree.create_level(name)?;
        self.common.watch.ring();
        Ok(None)
    }

    fn delete(&self, name: &Name) -> Result<()> {
        if name.is_inbox() {
            return Err(Error::Unsupported("INBOX cannot be deleted"));
        }
        if !self.tree.exists(name)? {
            if !self.tree.delete_level(name)? {
                return Err(Error::NoMailbox);
            }
            self.common.watch.ring();
            return Ok(());
        }
        let held = {
            let mut open = self.opened();
            self.tree.delete(name)?;
            open.remove(name)
        };
        self.common.ledger.forget(name.as_str())?;
        if let Some(mailbox) = held {
            mailbox.mark_gone();
        }
        *self.known_usage() = None;
        // Where there is a limit, what is held is always known.
        if !self.common.limits.is_unlimited() {
            self.usage()?;
        }
        self.common.watch.ring();
        Ok(())
    }

    fn rename(&self, from: &Name, to: &Name) -> Result<()> {
        if self.tree.exists(to)? {
            return Err(Error::Exists);
        }
        if from.is_inbox() {
            self.create(to, None)?;
            let (inbox, target) = (self.shared(from)?, self.shared(to)?);
            inbox.move_to(&crate::UidSet::all(), target.as_ref())?;
            return Ok(());
        }
        let names: Vec<Name> = self.tree.names()?.into_iter().map(|(name, _)| name).collect();
        if !names.iter().any(|name| name == from || name.is_below(from)) {
            return Err(Error::NoMailbox);
        }
        let mut pairs = Vec::new();
        for name in &names {
            if let Some(renamed) = name.renamed(from, to)? {
                pairs.push((name, renamed));
            }
        }
        let mut open = self.opened();
        self.tree.rename(from, to)?;
        for (old, new) in pairs {
            self.common.ledger.rename(old.as_str(), new.as_str())?;
            if let Some(mailbox) = open.remove(old) {
                mailbox.moved(&new, self.tree.open(&new, self.now())?);
                open.insert(new, mailbox);
            }
        }
        drop(open);
        self.common.watch.ring();
        Ok(())
    }

    fn subscribe(&self, name: &Name, on: bool) -> Result<()> {
        let stored = crate::to_utf7(name.as_str());
        self.change_subscriptions(|names| {
            let known = names.iter().position(|known| {
                // Written by hand, INBOX may be in any case.
                *known == stored || (name.is_inbox() && known.eq_ignore_ascii_case("INBOX"))
            });
            match (known, on) {
                (None, true) => names.push(stored),
                (Some(at), false) => drop(names.remove(at)),
                _ => {}
            }
        })?;
        self.common.watch.ring();
        Ok(())
    }

    fn subscriptions(&self) -> Result<Vec<Name>> {
        let names = self.subscribed()?;
        let names =
            names.iter().filter_map(|name| crate::from_utf7(name)).filter_map(|name| Name::new(&name).ok());
        let mut names: Vec<Name> = names.collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn status(&self, name: &Name) -> Result<Status> {
        let mailbox = self.shared(name)?;
        let view = mailbox.refresh()?;
        let mut status = Status {
            uidvalidity: view.uidvalidity,
            uidnext: view.uidnext,
            modseq: view.modseq,
            messages: view.len(),
            mailbox_id: mailbox.mailbox_id(),
            ..Status::default()
        };
        for entry in view.iter() {
            status.size += u64::from(entry.size);
            status.recent += u32::from(entry.uid >= view.recent_from);
            status.unseen += u32::from(!entry.flags.has(Flags::SEEN));
            if entry.flags.has(Flags::DELETED) {
                status.deleted += 1;
                status.deleted_size += u64::from(entry.size);
            }
        }
        Ok(status)
    }

    fn open(&self, name: &Name) -> Result<Arc<dyn Mailbox>> {
        let mailbox = self.shared(name)?;
        match mailbox.refresh() {
            Ok(_) => Ok(mailbox),
            // Deleted by another program; what is there by this name now, if anything, is another mailbox.
            Err(Error::Gone | Error::NoMailbox) => {
                self.opened().remove(name);
                Ok(self.shared(name)?)
            }
            Err(error) => Err(error),
        }
    }

    fn usage(&self) -> Result<Usage> {
        if let Some(usage) = self.tree.counted(self.now())? {
            *self.known_usage() = Some(usage);
            return Ok(usage);
        }
        let known = *self.known_usage();
        match known {
            Some(usage) => Ok(usage),
            None => self.recount(),
        }
    }

    fn limits(&self) -> Limits {
        self.common.limits
    }

    fn recount(&self) -> Result<Usage> {
        let usage = self.count()?;
        *self.known_usage() = Some(usage);
        self.tree.write_count(usage)?;
        Ok(usage)
    }

    fn deliver(&self, delivery: &Delivery<'_>) -> Result<Delivered> {
        let mailbox = match self.shared(delivery.mailbox) {
            Err(Error::NoMailbox) if delivery.create => {
                match self.create(delivery.mailbox, None) {
                    Ok(_) | Err(Error::Exists) => {}
                    Err(error) => return Err(error),
                }
                self.shared(delivery.mailbox)?
            }
            other => other?,
        };
        let stored = delivery.content.concat();
        let content = match mime::crlf::wire(&stored) {
            std::borrow::Cow::Owned(wire) => Bytes::from(wire),
            std::borrow::Cow::Borrowed(_) => Bytes::from(stored),
        };
        let already = match delivery.id {
            None => false,
            Some(id) => match self.common.ledger.begin(id, mailbox.refresh()?.uidnext, self.now())? {
                Begun::New => false,
                Begun::Done => true,
                // Somebody died between storing it and saying so, or before.
                Begun::Before(uidnext) => mailbox.has(&content, uidnext)?,
            },
        };
        if !already {
            mailbox.receive(NewMessage {
                content,
                flags: delivery.flags,
                keywords: delivery.keywords.to_vec(),
                received: delivery.received,
            })?;
        }
        if let Some(id) = delivery.id {
            self.common.ledger.done(id)?;
        }
        if already {
            return Ok(Delivered::Already);
        }
        self.common.watch.ring();
        Ok(Delivered::Stored)
    }

    fn metadata(&self, mailbox: Option<&Name>) -> Result<Vec<Pair>> {
        self.common.ledger.metadata(self.id(mailbox)?)
    }

    fn set_metadata(&self, mailbox: Option<&Name>, entry: &str, value: Option<&[u8]>) -> Result<()> {
        self.common.ledger.set_metadata(self.id(mailbox)?, entry, value)
    }

    fn acl(&self, mailbox: &Name) -> Result<Vec<(String, String)>> {
        self.common.ledger.acl(self.id(Some(mailbox))?)
    }

    fn set_acl(&self, mailbox: &Name, identifier: &str, rights: Option<&str>) -> Result<()> {
        self.common.ledger.set_acl(self.id(Some(mailbox))?, identifier, rights)
    }

    fn watch(&self) -> &Watch {
        &self.common.watch
    }
}
