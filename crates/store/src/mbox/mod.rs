//! `mbox:` — files of messages one after another: `/var/mail/user` and the folders below `~/mail`.
//!
//! They are shared with everything that knows them: the local agent, procmail, mail(1), mutt, Dovecot. UIDs and flags
//! are in header lines, as UW-IMAP and Dovecot write them.

mod change;
mod files;
pub(crate) mod from_line;
pub(crate) mod head;
mod lockfile;
mod rewrite;
pub(crate) mod scan;
#[cfg(test)]
mod tests;
mod tree;
mod uids;

use std::sync::Arc;

use bytes::Bytes;

pub use files::Mbox;
pub use lockfile::{Kind as Lock, Locks};
pub(crate) use tree::Mboxes;

use crate::backends::Backend;
use crate::foreign::{Added, Facts, Files, Household, Listing, Source, Words, owned};
use crate::{Account, Flags, Kind, NewMessage, Owner, Place, Result, Settings};

/// The kind.
pub const BACKEND: Backend = Backend { kind: Kind::Mbox, open };

fn open(settings: &Arc<Settings>, place: &Place, owner: &Owner) -> Result<Arc<dyn Account>> {
    let new = !place.root.exists();
    owned::directories(&place.root, owner)?;
    let tree = Mboxes::new(place, owner, settings.mbox_locks.clone());
    Ok(Arc::new(Household::new(settings, owner, tree, new)?))
}

impl Files for Mbox {
    const FINDS: bool = false;

    fn guid(&self) -> Option<String> {
        None
    }

    fn look(&mut self, words: &mut Words, now: i64) -> Result<Option<Listing>> {
        self.look_at(words, now)
    }

    fn facts(&mut self, uid: u32) -> Result<Option<Facts>> {
        Ok(self.facts_of(uid))
    }

    fn body(&mut self, uid: u32, now: i64) -> Result<Option<Bytes>> {
        self.body_of(uid, now)
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

    fn claim_recent(&mut self, now: i64) -> Result<()> {
        self.claim(now)
    }

    fn sources(&mut self, _uids: &[u32]) -> Option<Vec<(u32, Source)>> {
        None
    }

    fn link(&mut self, _sources: &[Source], _words: &mut Words, _now: i64) -> Result<Option<Vec<Added>>> {
        Ok(None)
    }

    fn take(
        &mut self,
        _sources: &[Source],
        _words: &mut Words,
        _now: i64,
    ) -> Result<Option<Vec<(usize, Added)>>> {
        Ok(None)
    }

    fn let_go(&mut self, _uids: &[u32], _now: i64) -> Result<()> {
        Ok(())
    }
}
