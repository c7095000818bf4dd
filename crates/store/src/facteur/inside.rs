//! An account that is looked into: its catalogue, held alone.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};

use super::account::{FacteurAccount, State};
use super::catalogue::{BoxRow, Catalogue};
use super::change::Change;
use super::shared::Shared;
use crate::{Error, Name, Result, Usage};

/// Mailboxes that were looked up, as long as they have the same names.
#[derive(Default)]
pub(super) struct Names {
    era: u64,
    known: HashMap<Name, Known>,
}

/// A mailbox that was looked up.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) id: i64,
    /// Identifiers and their rights.
    pub(super) acl: Vec<(String, String)>,
}

impl Names {
    /// The mailbox of a name, where it was looked up when the catalogue looked like this.
    pub(super) fn find(&self, catalogue: &Catalogue, name: &Name) -> Option<&Known> {
        self.known.get(name).filter(|_| self.era == catalogue.era())
    }
}

/// The right to read and change the catalogue, until it is dropped.
pub(super) struct Inside<'a> {
    pub(super) account: &'a FacteurAccount,
    pub(super) state: MutexGuard<'a, State>,
}

impl Inside<'_> {
    pub(super) fn catalogue(&self) -> &Catalogue {
        self.state.catalogue.as_ref().expect("entering opened it")
    }

    /// Begins a change, with the views as they are at that moment.
    pub(super) fn change(&mut self) -> Result<Change<'_>> {
        loop {
            self.catalogue().begin()?;
            // Another process may have been faster since the account was entered.
            match self.catalogue().changed_elsewhere() {
                Ok(false) => break,
                changed => {
                    self.catalogue().roll_back();
                    changed?;
                    self.notice()?;
                }
            }
        }
        Ok(Change::begun(self.catalogue(), &self.state.open))
    }

    /// Enters what was delivered, and notices what other processes have changed.
    pub(super) fn catch_up(&mut self, woken: bool) -> Result<()> {
        if !self.account.bodies.is_entered(self.state.entered) {
            self.enter_deliveries()?;
        }
        if self.catalogue().changed_elsewhere()? || woken {
            // It may have been made anew.
            self.account.heads.forget();
            self.notice()?;
        }
        Ok(())
    }

    /// Reads again what other processes have changed.
    fn notice(&mut self) -> Result<()> {
        let mut gone = Vec::new();
        for shared in self.state.open.values() {
            match self.catalogue().box_by_id(shared.id)? {
                None => gone.push(shared.id),
                Some(row) => {
                    let view = shared.view();
                    if (view.uidvalidity, view.modseq, view.uidnext, view.recent_from)
                        != (row.uidvalidity, row.modseq, row.uidnext, row.recent)
                    {
                        shared.publish(self.catalogue().load(&row)?);
                    }
                    shared.rename(row.name);
                }
            }
        }
        for id in gone {
            if let Some(shared) = self.state.open.remove(&id) {
                shared.close();
            }
        }
        Ok(())
    }

    /// A mailbox by its name.
    pub(super) fn row(&self, name: &Name) -> Result<BoxRow> {
        self.catalogue().find_box(name)?.ok_or(Error::NoMailbox)
    }

    /// Number and rights of a mailbox by its name.
    pub(super) fn known(&mut self, name: &Name) -> Result<Known> {
        if let Some(known) = self.state.names.find(self.catalogue(), name) {
            return Ok(known.clone());
        }
        let era = self.catalogue().era();
        let id = self.row(name)?.id;
        let acl = {
            let mut all = self
                .catalogue()
                .db
                .prepare_cached("SELECT identifier, rights FROM acl WHERE mailbox = ? ORDER BY identifier")?;
            let rows = all.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<_>>()?
        };
        let known = Known { id, acl };
        let names = &mut self.state.names;
        if names.era != era {
            *names = Names { era, known: HashMap::new() };
        }
        names.known.insert(name.clone(), known.clone());
        Ok(known)
    }

    /// What is shared of a mailbox; it is read if nobody has it open.
    pub(super) fn shared(&mut self, id: i64) -> Result<Arc<Shared>> {
        if let Some(shared) = self.state.open.get(&id) {
            return Ok(Arc::clone(shared));
        }
        let row = self.catalogue().box_by_id(id)?.ok_or(Error::NoMailbox)?;
        let view = self.catalogue().load(&row)?;
        let shared = Arc::new(Shared::new(id, row.name, view));
        self.state.open.insert(id, Arc::clone(&shared));
        Ok(shared)
    }

    /// What the account holds.
    pub(super) fn usage(&self) -> Result<Usage> {
        let sums = "SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM mailbox";
        let mut sums = self.catalogue().db.prepare_cached(sums)?;
        let (messages, bytes): (i64, i64) = sums.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Usage { bytes: bytes as u64, messages: messages as u64 })
    }

    /// Refuses what would pass the quota.
    pub(super) fn make_room(&self, more: Usage) -> Result<()> {
        let limits = self.account.quota();
        if limits.is_unlimited() {
            return Ok(());
        }
        let used = self.usage()?;
        if let Some(resource) = limits.passed(used, more) {
            return Err(Error::OverQuota(resource));
        }
        let after = Usage { bytes: used.bytes + more.bytes, messages: used.messages + more.messages };
        self.account.warn_of_quota(used, after);
        Ok(())
    }
}
