//! The face of an account.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::account::FacteurAccount;
use super::catalogue::BoxRow;
use super::inside::Inside;
use super::mailbox::FacteurMailbox;
use super::transfer;
use crate::{
    Account, Delivered, Delivery, Error, Flags, Folder, HandedIn, Limits, Mailbox, Name, Owner, Pair, Result,
    SpecialUse, Status, Usage, Watch,
};

impl Account for FacteurAccount {
    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn separator(&self) -> char {
        self.settings.separator.unwrap_or('/')
    }

    fn folders(&self) -> Result<Vec<Folder>> {
        let inside = self.enter()?;
        let subscribed = inside.subscriptions()?;
        let mut folders = BTreeMap::new();
        for row in inside.catalogue().boxes()? {
            // The levels above it that are no mailboxes.
            let mut above = row.name.parent();
            while let Some(name) = above {
                above = name.parent();
                folders
                    .entry((!name.is_inbox(), name.clone()))
                    .or_insert_with(|| Folder {
                        subscribed: subscribed.contains(&name),
                        name,
                        selectable: false,
                        children: false,
                        special_use: None,
                        inferiors: true,
                    })
                    .children = true;
            }
            let key = (!row.name.is_inbox(), row.name.clone());
            let children = folders.get(&key).is_some_and(|folder| folder.children);
            folders.insert(
                key,
                Folder {
                    subscribed: subscribed.contains(&row.name),
                    name: row.name,
                    selectable: true,
                    children,
                    special_use: row.special,
                    inferiors: true,
                },
            );
        }
        Ok(folders.into_values().collect())
    }

    fn create(&self, name: &Name, special_use: Option<SpecialUse>) -> Result<String> {
        let mut inside = self.enter()?;
        let change = inside.change()?;
        if change.catalogue.find_box(name)?.is_some() {
            return Err(Error::Exists);
        }
        let known = || self.settings.special.iter().find(|known| known.0 == *name).map(|known| known.1);
        let id = change.catalogue.add_box(name, special_use.or_else(known), (self.settings.clock)())?;
        change.commit()?;
        self.watch.ring();
        Ok(mailbox_id(id))
    }

    fn delete(&self, name: &Name) -> Result<()> {
        if name.is_inbox() {
            return Err(Error::Unsupported("INBOX cannot be deleted"));
        }
        let mut inside = self.enter()?;
        let row = inside.row(name)?;
        let change = inside.change()?;
        for table in ["message", "vanished", "keyword", "metadata", "acl"] {
            change.catalogue.db.execute(&format!("DELETE FROM {table} WHERE mailbox = ?"), [row.id])?;
        }
        change.catalogue.db.execute("DELETE FROM mailbox WHERE id = ?", [row.id])?;
        change.catalogue.note_dead(row.bytes)?;
        change.commit()?;
        if let Some(shared) = inside.state.open.remove(&row.id) {
            shared.close();
        }
        drop(inside);
        self.watch.ring();
        self.compact_some_time();
        Ok(())
    }

    fn rename(&self, from: &Name, to: &Name) -> Result<()> {
        let mut inside = self.enter()?;
        if to.is_inbox() || inside.catalogue().find_box(to)?.is_some() {
            return Err(Error::Exists);
        }
        if to.is_below(from) && !from.is_inbox() {
            return Err(Error::BadName("it is below the mailbox itself"));
        }
        match from.is_inbox() {
            true => inside.empty_inbox_into(to)?,
            false => inside.rename(from, to)?,
        }
        self.watch.ring();
        Ok(())
    }

    fn subscribe(&self, name: &Name, on: bool) -> Result<()> {
        let mut inside = self.enter()?;
        let change = inside.change()?;
        let db = &change.catalogue.db;
        match on {
            true => db.execute("INSERT OR IGNORE INTO subscription VALUES (?)", [name.as_str()])?,
            false => db.execute("DELETE FROM subscription WHERE name = ?", [name.as_str()])?,
        };
        change.commit()?;
        self.watch.ring();
        Ok(())
    }

    fn subscriptions(&self) -> Result<Vec<Name>> {
        self.enter()?.subscriptions()
    }

    fn status(&self, name: &Name) -> Result<Status> {
        let inside = self.enter()?;
        let row = inside.row(name)?;
        let mut status = Status {
            uidvalidity: row.uidvalidity,
            uidnext: row.uidnext,
            modseq: row.modseq,
            mailbox_id: mailbox_id(row.id),
            ..Status::default()
        };
        let mut count = |uid: u32, flags: Flags, size: u32| {
            status.messages += 1;
            status.size += u64::from(size);
            status.unseen += u32::from(!flags.has(Flags::SEEN));
            status.recent += u32::from(uid >= row.recent);
            if flags.has(Flags::DELETED) {
                status.deleted += 1;
                status.deleted_size += u64::from(size);
            }
        };
        if let Some(shared) = inside.state.open.get(&row.id) {
            shared.view().iter().for_each(|entry| count(entry.uid, entry.flags, entry.size));
            return Ok(status);
        }
        let mut all =
            inside.catalogue().db.prepare_cached("SELECT uid, flags, size FROM message WHERE mailbox = ?")?;
        let mut rows = all.query([row.id])?;
        while let Some(row) = rows.next()? {
            count(row.get(0)?, Flags(row.get(1)?), row.get(2)?);
        }
        Ok(status)
    }

    fn open(&self, name: &Name) -> Result<Arc<dyn Mailbox>> {
        let mut inside = self.enter()?;
        let id = inside.known(name)?.id;
        let shared = inside.shared(id)?;
        drop(inside);
        let account = self.me.upgrade().expect("it is in use");
        Ok(Arc::new(FacteurMailbox { account, shared }))
    }

    fn is_at_hand(&self, mailbox: &Name) -> bool {
        let Some(state) = self.at_hand() else { return false };
        let known = state.catalogue.as_ref().and_then(|catalogue| state.names.find(catalogue, mailbox));
        let view = known.and_then(|known| state.open.get(&known.id)).map(|shared| shared.view());
        // Where somebody has to take the recent ones, that is written down.
        view.is_some_and(|view| view.recent_from == view.uidnext)
    }

    fn usage(&self) -> Result<Usage> {
        self.enter()?.usage()
    }

    fn limits(&self) -> Limits {
        self.quota()
    }

    fn recount(&self) -> Result<Usage> {
        let mut inside = self.enter()?;
        let change = inside.change()?;
        change.catalogue.recount()?;
        change.commit()?;
        inside.usage()
    }

    fn deliver(&self, delivery: &Delivery<'_>) -> Result<Delivered> {
        crate::Round::of_one(self, delivery)
    }

    fn hand_in(&self, delivery: &Delivery<'_>) -> Result<HandedIn> {
        self.write_down(delivery).map(HandedIn::written)
    }

    fn metadata(&self, mailbox: Option<&Name>) -> Result<Vec<Pair>> {
        let inside = self.enter()?;
        let id = inside.number(mailbox)?;
        let mut all = inside
            .catalogue()
            .db
            .prepare_cached("SELECT entry, value FROM metadata WHERE mailbox = ? ORDER BY entry")?;
        let rows = all.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn set_metadata(&self, mailbox: Option<&Name>, entry: &str, value: Option<&[u8]>) -> Result<()> {
        let mut inside = self.enter()?;
        let id = inside.number(mailbox)?;
        let change = inside.change()?;
        let db = &change.catalogue.db;
        match value {
            Some(value) => {
                db.execute("INSERT OR REPLACE INTO metadata VALUES (?, ?, ?)", params![id, entry, value])?
            }
            None => db.execute("DELETE FROM metadata WHERE mailbox = ? AND entry = ?", params![id, entry])?,
        };
        change.commit()?;
        self.watch.ring();
        Ok(())
    }

    fn acl(&self, mailbox: &Name) -> Result<Vec<(String, String)>> {
        Ok(self.enter()?.known(mailbox)?.acl)
    }

    fn set_acl(&self, mailbox: &Name, identifier: &str, rights: Option<&str>) -> Result<()> {
        let mut inside = self.enter()?;
        let id = inside.row(mailbox)?.id;
        let change = inside.change()?;
        let db = &change.catalogue.db;
        match rights {
            Some(rights) => {
                db.execute("INSERT OR REPLACE INTO acl VALUES (?, ?, ?)", params![id, identifier, rights])?
            }
            None => {
                db.execute("DELETE FROM acl WHERE mailbox = ? AND identifier = ?", params![id, identifier])?
            }
        };
        change.commit()?;
        self.watch.ring();
        Ok(())
    }

    fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Inside<'_> {
    fn subscriptions(&self) -> Result<Vec<Name>> {
        let mut all = self.catalogue().db.prepare_cached("SELECT name FROM subscription ORDER BY name")?;
        let names = all.query_map([], |row| row.get::<_, String>(0))?;
        let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(names.iter().filter_map(|name| Name::new(name).ok()).collect())
    }

    /// The number annotations of a mailbox are kept under; 0 is the account itself.
    fn number(&self, mailbox: Option<&Name>) -> Result<i64> {
        mailbox.map_or(Ok(0), |name| Ok(self.row(name)?.id))
    }

    /// Renames a mailbox, or a level without one, with all below it.
    fn rename(&mut self, from: &Name, to: &Name) -> Result<()> {
        let mut renamed: Vec<(BoxRow, Name)> = Vec::new();
        for row in self.catalogue().boxes()? {
            if let Some(name) = row.name.renamed(from, to)? {
                renamed.push((row, name));
            }
        }
        if renamed.is_empty() {
            return Err(Error::NoMailbox);
        }
        let change = self.change()?;
        for (row, name) in &renamed {
            let taken = change
                .catalogue
                .db
                .query_row("SELECT 1 FROM mailbox WHERE name = ?", [name.as_str()], |_| Ok(()))
                .optional()?;
            if taken.is_some() {
                return Err(Error::Exists);
            }
            change
                .catalogue
                .db
                .execute("UPDATE mailbox SET name = ? WHERE id = ?", params![name.as_str(), row.id])?;
        }
        change.commit()?;
        for (row, name) in renamed {
            if let Some(shared) = self.state.open.get(&row.id) {
                shared.rename(name);
            }
        }
        Ok(())
    }

    /// RENAME INBOX: its messages go to a new mailbox; INBOX and those below it stay (RFC 9051, 6.3.6).
    fn empty_inbox_into(&mut self, to: &Name) -> Result<()> {
        let inbox = self.row(&Name::inbox())?;
        let now = (self.account.settings.clock)();
        let shared = self.shared(inbox.id)?;
        let mut change = self.change()?;
        let view = shared.view();
        let entries: Vec<_> = view.iter().copied().collect();
        let id = change.catalogue.add_box(to, None, now)?;
        transfer::put(&mut change, &entries, &view, id, now)?;
        change.remove(inbox.id, &[entries])?;
        change.commit()
    }
}

/// MAILBOXID of a mailbox.
pub(super) fn mailbox_id(id: i64) -> String {
    format!("F{id}")
}
