//! `maildir:` — Maildir++ and Maildir directories in place, as Dovecot 2.3 and 2.4 lay them out.
//!
//! UIDs, UIDVALIDITY, keywords and subscriptions are read from and kept in Dovecot's own files (`dovecot-uidlist`,
//! `dovecot-uidvalidity`, `dovecot-keywords`, `subscriptions`, `maildirsize`), so a site can come and go back. What
//! Dovecot keeps in its index files is in `facteur.db`, which Dovecot passes over.

mod change;
mod files;
mod keywords;
mod name;
mod quota;
pub mod subscriptions;
#[cfg(test)]
mod tests;
mod tree;
mod uidfile;
pub mod uidlist;
mod unique;

use std::sync::Arc;

use bytes::Bytes;

pub use files::Maildir;
pub(crate) use tree::Maildirs;

use crate::backends::Backend;
use crate::foreign::{Added, Facts, Files, Household, Listing, Source, Words, owned};
use crate::{Account, Flags, Kind, NewMessage, Owner, Place, Result, Settings};

/// The kind.
pub const BACKEND: Backend = Backend { kind: Kind::Maildir, open };

fn open(settings: &Arc<Settings>, place: &Place, owner: &Owner) -> Result<Arc<dyn Account>> {
    let tree = Maildirs::new(place, owner, owner.limits.unwrap_or(settings.limits));
    let new = tree.is_new();
    owned::directories(&place.root, owner)?;
    Ok(Arc::new(Household::new(settings, owner, tree, new)?))
}

impl Files for Maildir {
    const FINDS: bool = true;

    fn guid(&self) -> Option<String> {
        let guid = &self.uids.head().guid;
        (!guid.is_empty()).then(|| guid.clone())
    }

    fn look(&mut self, words: &mut Words, now: i64) -> Result<Option<Listing>> {
        self.look_at(words, now)
    }

    fn facts(&mut self, uid: u32) -> Result<Option<Facts>> {
        self.facts_of(uid)
    }

    fn body(&mut self, uid: u32, _now: i64) -> Result<Option<Bytes>> {
        self.body_of(uid)
    }

    fn append(
        &mut self,
        messages: &[NewMessage],
        recent: bool,
        words: &mut Words,
        now: i64,
    ) -> Result<Vec<Added>> {
        self.append_all(messages, recent, words, now)
    }

    fn renumber(&mut self, uidvalidity: u32, uidnext: u32, now: i64) -> Result<()> {
        self.go_on_with(uidvalidity, uidnext, now)
    }

    fn set_flags(&mut self, changes: &[(u32, Flags, u64)], words: &Words, now: i64) -> Result<Vec<u32>> {
        self.change_flags(changes, words, now)
    }

    fn expunge(&mut self, uids: &[u32], now: i64) -> Result<Vec<u32>> {
        self.remove(uids, now)
    }

    fn claim_recent(&mut self, _now: i64) -> Result<()> {
        self.claim()
    }

    fn sources(&mut self, uids: &[u32]) -> Option<Vec<(u32, Source)>> {
        let source = |uid: &u32| {
            let path = self.path(&self.messages[self.find(*uid)?]);
            let source = Source { path, flags: Flags::NONE, keywords: Vec::new(), facts: Facts::default() };
            Some((*uid, source))
        };
        Some(uids.iter().filter_map(source).collect())
    }

    fn link(&mut self, sources: &[Source], words: &mut Words, now: i64) -> Result<Option<Vec<Added>>> {
        self.link_all(sources, words, now)
    }

    fn take(
        &mut self,
        sources: &[Source],
        words: &mut Words,
        now: i64,
    ) -> Result<Option<Vec<(usize, Added)>>> {
        self.take_all(sources, words, now)
    }

    fn let_go(&mut self, uids: &[u32], now: i64) -> Result<()> {
        self.let_go_of(uids, now)
    }
}
