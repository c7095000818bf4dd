//! The face of an account with what others share.

use std::collections::HashSet;
use std::sync::Arc;

use super::guarded::Guarded;
use super::resolve::{Spot, with_prefix};
use super::{NOTE, Namespaces, Spaces};
use crate::rights::effective;
use crate::{
    Account, Delivered, Delivery, Error, Folder, HandedIn, Limits, Mailbox, Name, Owner, Pair, Result,
    Rights, SpecialUse, Status, Usage, Watch,
};

impl Spaces {
    /// Where a delivery goes, if it may. Mail for INBOX is never refused by rights: there is nowhere else for it to go.
    fn place_of(&self, delivery: &Delivery<'_>) -> Result<Spot> {
        let spot = self.spot(delivery.mailbox)?;
        if !(spot.own && spot.name.is_inbox()) {
            match self.need(&spot, Rights::POST) {
                Err(Error::NoMailbox) if delivery.create && spot.account.acl(&spot.name).is_err() => {
                    self.create(delivery.mailbox, None)?;
                }
                other => drop(other?),
            }
        }
        Ok(spot)
    }
}

impl Account for Spaces {
    fn owner(&self) -> &Owner {
        self.own.owner()
    }

    fn separator(&self) -> char {
        self.own.separator()
    }

    fn namespaces(&self) -> Namespaces {
        match self.others {
            Some(_) => Namespaces::clone(&self.names),
            None => Namespaces { prefix: self.names.prefix.clone(), others: String::new() },
        }
    }

    fn folders(&self) -> Result<Vec<Folder>> {
        let mut folders = Vec::new();
        for mut folder in self.own.folders()? {
            // A name that is too long with its prefix cannot be said.
            if let Ok(name) = self.outer(&folder.name) {
                folder.subscribed = false;
                folder.name = name;
                folders.push(folder);
            }
        }
        if let (Some(level), false) = (self.names.prefix.strip_suffix('/'), folders.len() < 2) {
            self.add_level(&mut folders, level);
        }
        self.add_shared(&mut folders)?;
        let subscribed: HashSet<Name> = self.own.subscriptions()?.into_iter().collect();
        for folder in &mut folders {
            folder.subscribed = subscribed.contains(&self.kept(&folder.name));
        }
        Ok(folders)
    }

    fn create(&self, name: &Name, special_use: Option<SpecialUse>) -> Result<String> {
        let spot = self.spot(name).map_err(|error| match error {
            Error::NoMailbox => Error::BadName("it is in no namespace"),
            other => other,
        })?;
        if spot.own && self.is_shared_name(name) {
            return Err(Error::NoPermission);
        }
        self.need_to_create(&spot)?;
        let id = spot.account.create(&spot.name, special_use)?;
        // What is below a shared mailbox is shared like it.
        if let Some(above) = spot.name.parent() {
            for (identifier, rights) in spot.account.acl(&above).unwrap_or_default() {
                spot.account.set_acl(&spot.name, &identifier, Some(&rights))?;
            }
        }
        Ok(id)
    }

    fn create_level(&self, name: &Name) -> Result<Option<String>> {
        match self.spot(name) {
            Ok(spot) if spot.own && !self.is_shared_name(name) => {
                self.need_to_create(&spot)?;
                spot.account.create_level(&spot.name)
            }
            _ => self.create(name, None).map(Some),
        }
    }

    fn delete(&self, name: &Name) -> Result<()> {
        let spot = self.spot(name)?;
        self.need(&spot, Rights::DELETE)?;
        spot.account.delete(&spot.name)
    }

    fn rename(&self, from: &Name, to: &Name) -> Result<()> {
        let (old, new) = (self.spot(from)?, self.spot(to)?);
        if !Arc::ptr_eq(&old.account, &new.account) {
            return Err(Error::Unsupported("renaming a mailbox into another account"));
        }
        if new.own && self.is_shared_name(to) {
            return Err(Error::NoPermission);
        }
        match self.need(&old, Rights::DELETE) {
            // A level without a mailbox is its owner's to rename.
            Err(Error::NoMailbox) if old.own => {}
            other => drop(other?),
        }
        if old.name.parent() != new.name.parent() {
            self.need_to_create(&new)?;
        }
        old.account.rename(&old.name, &new.name)
    }

    fn subscribe(&self, name: &Name, on: bool) -> Result<()> {
        self.own.subscribe(&self.kept(name), on)
    }

    fn subscriptions(&self) -> Result<Vec<Name>> {
        let names = self.own.subscriptions()?.into_iter();
        Ok(names
            .filter_map(|name| if self.is_shared_name(&name) { Some(name) } else { self.outer(&name).ok() })
            .collect())
    }

    fn status(&self, name: &Name) -> Result<Status> {
        let spot = self.spot(name)?;
        self.need(&spot, Rights::READ)?;
        spot.account.status(&spot.name)
    }

    fn is_at_hand(&self, mailbox: &Name) -> bool {
        // The accounts of others are looked up.
        !self.is_shared_name(mailbox) && self.inner(mailbox).is_ok_and(|name| self.own.is_at_hand(&name))
    }

    fn open(&self, name: &Name) -> Result<Arc<dyn Mailbox>> {
        let spot = self.spot(name)?;
        let rights = self.rights_at(&spot)?;
        let inner = spot.account.open(&spot.name)?;
        let plain = spot.own && (spot.before.is_empty() || spot.name.is_inbox());
        if plain && rights == Rights::ALL {
            return Ok(inner);
        }
        let before = if plain { String::new() } else { spot.before };
        Ok(Arc::new(Guarded::new(inner, rights, before)))
    }

    fn usage(&self) -> Result<Usage> {
        self.own.usage()
    }

    fn limits(&self) -> Limits {
        self.own.limits()
    }

    fn recount(&self) -> Result<Usage> {
        self.own.recount()
    }

    fn deliver(&self, delivery: &Delivery<'_>) -> Result<Delivered> {
        let spot = self.place_of(delivery)?;
        spot.account.deliver(&Delivery { mailbox: &spot.name, ..*delivery })
    }

    fn hand_in(&self, delivery: &Delivery<'_>) -> Result<HandedIn> {
        let spot = self.place_of(delivery)?;
        spot.account.hand_in(&Delivery { mailbox: &spot.name, ..*delivery })
    }

    fn metadata(&self, mailbox: Option<&Name>) -> Result<Vec<Pair>> {
        let Some(name) = mailbox else {
            let all = self.own.metadata(None)?.into_iter();
            return Ok(all.filter(|(entry, _)| !entry.starts_with(NOTE)).collect());
        };
        let spot = self.spot(name)?;
        self.need_for_metadata(&spot)?;
        let all = spot.account.metadata(Some(&spot.name))?.into_iter();
        // What is private is the owner's.
        Ok(all.filter(|(entry, _)| spot.own || entry.starts_with("/shared/")).collect())
    }

    fn set_metadata(&self, mailbox: Option<&Name>, entry: &str, value: Option<&[u8]>) -> Result<()> {
        let Some(name) = mailbox else { return self.own.set_metadata(None, entry, value) };
        let spot = self.spot(name)?;
        self.need_for_metadata(&spot)?;
        if !spot.own && !entry.starts_with("/shared/") {
            return Err(Error::NoPermission);
        }
        spot.account.set_metadata(Some(&spot.name), entry, value)
    }

    fn acl(&self, mailbox: &Name) -> Result<Vec<(String, String)>> {
        let spot = self.spot(mailbox)?;
        self.need(&spot, Rights::ADMIN)?;
        spot.account.acl(&spot.name)
    }

    fn set_acl(&self, mailbox: &Name, identifier: &str, rights: Option<&str>) -> Result<()> {
        let spot = self.spot(mailbox)?;
        self.need(&spot, Rights::ADMIN)?;
        spot.account.set_acl(&spot.name, identifier, rights)?;
        self.note(&*spot.account, identifier);
        Ok(())
    }

    fn rights(&self, mailbox: &Name) -> Result<Rights> {
        self.rights_at(&self.spot(mailbox)?)
    }

    fn owner_of(&self, mailbox: &Name) -> Result<String> {
        Ok(self.spot(mailbox)?.account.owner().user.clone())
    }

    fn watch(&self) -> &Watch {
        self.own.watch()
    }
}

impl Spaces {
    /// The name under which a subscription is kept.
    fn kept(&self, name: &Name) -> Name {
        if self.is_shared_name(name) {
            name.clone()
        } else {
            self.inner(name).unwrap_or_else(|_| name.clone())
        }
    }

    /// The levels of a prefix are no mailboxes, unless they are.
    fn add_level(&self, folders: &mut Vec<Folder>, name: &str) {
        let Ok(name) = Name::new(name) else { return };
        match folders.iter_mut().find(|folder| folder.name == name) {
            Some(folder) => folder.children = true,
            None => {
                if let Some(above) = name.parent() {
                    self.add_level(folders, above.as_str());
                }
                folders.push(Folder {
                    name,
                    selectable: false,
                    children: true,
                    subscribed: false,
                    special_use: None,
                    inferiors: true,
                });
            }
        }
    }

    /// What others share and the user may look at.
    fn add_shared(&self, folders: &mut Vec<Folder>) -> Result<()> {
        let Some(others) = &self.others else { return Ok(()) };
        for user in self.sharers()? {
            let account = match others.open(&user, false) {
                Ok(Some(account)) => account,
                Ok(None) => continue,
                Err(error) => {
                    // The others' trouble is not this user's.
                    log::warn!(target: "store", "mailboxes of {}: {error}", mail::logline::printable(&user));
                    continue;
                }
            };
            let before = self.before(&user);
            let mut found = Vec::new();
            for folder in account.folders()?.into_iter().filter(|folder| folder.selectable) {
                let list = account.acl(&folder.name)?;
                if !effective(&list, &self.me, false).has(Rights::LOOKUP) {
                    continue;
                }
                if let Ok(name) = with_prefix(&before, &folder.name) {
                    found.push(Folder { special_use: None, children: false, name, ..folder });
                }
            }
            if found.is_empty() {
                continue;
            }
            let names: Vec<Name> = found.iter().map(|folder| folder.name.clone()).collect();
            for folder in &mut found {
                folder.children = names.iter().any(|name| name.is_below(&folder.name));
            }
            folders.append(&mut found);
            for above in names.iter().filter_map(Name::parent) {
                self.add_level(folders, above.as_str());
            }
        }
        Ok(())
    }

    /// Notes in somebody's account that this owner shares something with him, or does not any more. Best effort: who
    /// cannot be noted finds it by its name.
    fn note(&self, owner: &dyn Account, identifier: &str) {
        let user = identifier.strip_prefix('-').unwrap_or(identifier);
        let owner_name = &owner.owner().user;
        let Some(others) = &self.others else { return };
        if matches!(user, "anyone" | "authenticated" | crate::rights::OWNER)
            || user.starts_with('$')
            || user == owner_name
        {
            return;
        }
        let noted = others.open(user, true).and_then(|account| {
            let Some(account) = account else { return Ok(()) };
            let mut shares = false;
            for folder in owner.folders()?.into_iter().filter(|folder| folder.selectable) {
                shares |= owner.acl(&folder.name)?.iter().any(|(known, _)| known == user);
            }
            let value: Option<&[u8]> = if shares { Some(b"") } else { None };
            account.set_metadata(None, &format!("{NOTE}{owner_name}"), value)
        });
        if let Err(error) = noted {
            let user = mail::logline::printable(user);
            log::warn!(target: "store", "cannot note for {user} what {owner_name} shares: {error}");
        }
    }

    /// RFC 5464 3.3.
    fn need_for_metadata(&self, spot: &Spot) -> Result<()> {
        let rights = self.need(spot, Rights::LOOKUP)?;
        let one = Rights::READ | Rights::SEEN | Rights::WRITE | Rights::INSERT | Rights::POST;
        if rights.any(one) { Ok(()) } else { rights.need(one) }
    }
}
