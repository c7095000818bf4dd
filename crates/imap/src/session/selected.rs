//! The selected mailbox as one client knows it.

use std::sync::Arc;

use store::{Entry, Mailbox, Rights, UidSet, View};

use super::Fail;
use crate::commands::search::context::Context;
use crate::grammar::set::{self, Set};
use crate::grammar::{Bad, Parsed};

/// The selected mailbox.
pub struct Selected {
    /// The mailbox, shared with everybody who has it open.
    pub mailbox: Arc<dyn Mailbox>,
    /// What this client has been told; its message numbers count in it.
    pub known: Arc<View>,
    /// EXAMINE, or a mailbox that cannot be changed.
    pub read_only: bool,
    /// UIDs that are `\Recent` in this session.
    pub recent: UidSet,
    /// What the last search saved: `$`.
    pub saved: UidSet,
    /// How many keywords the client has been told of.
    pub told_keywords: usize,
    /// Searches whose results are kept up to date.
    pub contexts: Vec<Context>,
}

impl Selected {
    /// Has the mailbox been deleted?
    pub fn is_gone(&self) -> bool {
        self.known.gone
    }

    /// Is there nothing to tell of it, and can a look for news, and at the headers of these messages, be had without
    /// waiting?
    pub fn is_at_hand(&self, headers: &[u32]) -> bool {
        Arc::ptr_eq(&self.known, &self.mailbox.view()) && self.mailbox.is_at_hand(headers)
    }

    /// The messages of a set, by number and entry, ascending. `uid` says what the set counts in.
    ///
    /// # Errors
    /// A number beyond the last message.
    pub fn messages<'a>(&'a self, set: &Set, uid: bool) -> Parsed<Vec<(u32, &'a Entry)>> {
        let known = &self.known;
        let of_uids = |(first, last)| known.uid_range(first, last);
        if *set == Set::Saved {
            let ranges = self.saved.ranges().map(|range| (*range.start(), *range.end()));
            return Ok(ranges.flat_map(of_uids).collect());
        }
        if uid {
            let last = known.get(known.len()).map_or(0, |entry| entry.uid).max(1);
            return Ok(set.resolve(last).unwrap_or_default().into_iter().flat_map(of_uids).collect());
        }
        let ranges = self.numbers(set)?.into_iter();
        Ok(ranges.flat_map(|(first, last)| known.range(first, last)).collect())
    }

    /// The ranges of a set of numbers, which must all exist.
    fn numbers(&self, set: &Set) -> Parsed<Vec<(u32, u32)>> {
        let count = self.known.len();
        let ranges = set.resolve(count).unwrap_or_default();
        match ranges.last() {
            // `*` in an empty mailbox is no message, and no mistake.
            Some((_, last)) if *last > count && !(count == 0 && ends_in_star(set)) => {
                Err(Bad("Invalid messageset"))
            }
            _ => Ok(ranges),
        }
    }

    /// UIDs of a set, ascending.
    ///
    /// # Errors
    /// As for [`Selected::messages`].
    pub fn uids(&self, set: &Set, uid: bool) -> Parsed<Vec<u32>> {
        Ok(self.messages(set, uid)?.into_iter().map(|(_, entry)| entry.uid).collect())
    }

    /// What of flags may be changed for good.
    pub fn permanent(&self) -> Rights {
        if self.read_only { Rights::NONE } else { self.mailbox.rights() }
    }

    /// May the mailbox be changed?
    ///
    /// # Errors
    /// It may not.
    pub fn writable(&self) -> Result<(), Fail> {
        if self.read_only { Err(Fail::no("READ-ONLY", "Mailbox is read-only.")) } else { Ok(()) }
    }

    /// Takes the `\Recent` messages that nobody has taken; in a read-only session they are only looked at.
    pub fn claim_recent(&mut self) {
        let now = self.mailbox.view();
        let from = match self.read_only {
            true => Ok(now.recent_from),
            false => self.mailbox.claim_recent(),
        };
        match from {
            Ok(from) if from < now.uidnext => self.recent.insert(from, now.uidnext - 1),
            Ok(_) => {}
            Err(error) => log::warn!(target: "imap", "{error}"),
        }
    }

    /// How many messages are `\Recent` here.
    pub fn count_recent(&self) -> usize {
        self.recent.ranges().map(|range| self.known.uid_range(*range.start(), *range.end()).count()).sum()
    }
}

fn ends_in_star(set: &Set) -> bool {
    matches!(set, Set::Ranges(ranges) if ranges.iter().all(|(_, last)| *last == set::STAR))
}
