//! Which messages a search program finds.
//!
//! Programs are worked out by sets: what costs least narrows the messages for what costs more, so that texts are only
//! looked for where everything else fits.

use jiff::civil::Date;
use store::{Entry, Flags, Within};

use crate::grammar::search::{Key, Stamp, When};
use crate::grammar::set;
use crate::session::{Fail, Selected};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A search in one mailbox.
pub struct Query<'a> {
    /// The mailbox as the client knows it.
    pub selected: &'a Selected,
    /// The time, in seconds since 1970.
    pub now: i64,
    /// The client counts in UIDs alone (RFC 9586).
    pub uid_only: bool,
}

impl Query<'_> {
    /// UIDs of the messages that fit, ascending.
    ///
    /// # Errors
    /// The store fails.
    pub fn run(&self, key: &Key<'_>) -> Result<Vec<u32>, Fail> {
        let all: Vec<u32> = self.selected.known.iter().map(|entry| entry.uid).collect();
        self.of(key, all)
    }

    /// Those of some messages that fit; both ascend.
    ///
    /// # Errors
    /// The store fails.
    pub fn of(&self, key: &Key<'_>, among: Vec<u32>) -> Result<Vec<u32>, Fail> {
        let mailbox = &self.selected.mailbox;
        match key {
            Key::And(keys) => {
                let mut keys: Vec<&Key<'_>> = keys.iter().collect();
                keys.sort_by_key(|key| cost(key));
                keys.into_iter().try_fold(among, |left, key| self.of(key, left))
            }
            Key::Or(one, other) => {
                let found = self.of(one, among.clone())?;
                let left = without(&among, &found);
                let more = self.of(other, left)?;
                let mut both = [found, more].concat();
                both.sort_unstable();
                Ok(both)
            }
            Key::Not(inner) => {
                let found = self.of(inner, among.clone())?;
                Ok(without(&among, &found))
            }
            Key::Numbers(_) if self.uid_only => {
                Err(Fail::Refused("[UIDREQUIRED] Message numbers are not used any more."))
            }
            Key::Numbers(set) => self.of_set(set, false, among),
            Key::Uids(set) => self.of_set(set, true, among),
            Key::Header(name, text) => Ok(mailbox.find_text(Within::Field(name), text, &among)?),
            Key::Body(text) => self.find(Within::Body, text, among),
            Key::Text(text) => self.find(Within::Text, text, among),
            Key::Date(Stamp::Sent, when, day) => self.sent(*when, *day, &among),
            Key::EmailId(id) => {
                self.filter(among, |entry| Ok(mailbox.email_id(entry).as_deref() == Some(id)))
            }
            Key::ThreadId(id) => {
                self.filter(among, |entry| Ok(mailbox.thread_id(entry)?.as_deref() == Some(id)))
            }
            Key::Flag(name) => {
                let (flag, keyword) = match Flags::from_name(name) {
                    Some(flag) => (flag, 0),
                    None => match self.selected.known.keyword_bit(name) {
                        Some(bit) => (Flags::NONE, bit),
                        None => return Ok(Vec::new()),
                    },
                };
                self.filter(among, |entry| Ok(entry.flags.has(flag) && entry.keywords & keyword == keyword))
            }
            simple => self.filter(among, |entry| Ok(self.fits(simple, entry))),
        }
    }

    fn filter(
        &self,
        mut among: Vec<u32>,
        fits: impl Fn(&Entry) -> Result<bool, Fail>,
    ) -> Result<Vec<u32>, Fail> {
        let known = &self.selected.known;
        let mut failed = None;
        // Walking the list beside the UIDs costs less than finding each.
        let mut entries =
            known.uid_range(among.first().copied().unwrap_or(1), u32::MAX).map(|(_, entry)| entry).peekable();
        among.retain(|uid| {
            while entries.next_if(|entry| entry.uid < *uid).is_some() {}
            let Some(entry) = entries.peek().filter(|entry| entry.uid == *uid) else { return false };
            match fits(entry) {
                Ok(fits) => fits,
                Err(fail) => {
                    failed.get_or_insert(fail);
                    false
                }
            }
        });
        drop(entries);
        failed.map_or(Ok(among), Err)
    }

    /// What the list of the mailbox answers by itself.
    fn fits(&self, key: &Key<'_>, entry: &Entry) -> bool {
        match key {
            Key::All | Key::SaveDateSupported => true,
            Key::Recent => self.selected.recent.contains(entry.uid),
            Key::Larger(size) => u64::from(entry.size) > *size,
            Key::Smaller(size) => u64::from(entry.size) < *size,
            Key::ModSeq(mod_seq) => entry.modseq >= *mod_seq,
            Key::Older(seconds) => entry.received <= self.now - i64::from(*seconds),
            Key::Younger(seconds) => entry.received > self.now - i64::from(*seconds),
            Key::Date(Stamp::Saved, when, day) => is_when(entry.saved.div_euclid(DAY), *when, *day),
            Key::Date(_, when, day) => is_when(entry.received.div_euclid(DAY), *when, *day),
            _ => false,
        }
    }

    /// Numbers that there are not find nothing.
    fn of_set(&self, wanted: &set::Set, uid: bool, among: Vec<u32>) -> Result<Vec<u32>, Fail> {
        let known = &self.selected.known;
        let uids: Vec<u32> = match wanted.resolve(known.len()).filter(|_| !uid) {
            None => self.selected.uids(wanted, true)?,
            Some(ranges) => ranges
                .into_iter()
                .flat_map(|(first, last)| known.range(first, last))
                .map(|(_, entry)| entry.uid)
                .collect(),
        };
        Ok(among.into_iter().filter(|uid| uids.binary_search(uid).is_ok()).collect())
    }

    fn find(&self, within: Within<'_>, text: &str, among: Vec<u32>) -> Result<Vec<u32>, Fail> {
        // The empty text is in every message.
        if text.is_empty() {
            return Ok(among);
        }
        Ok(self.selected.mailbox.find_text(within, text, &among)?)
    }

    fn sent(&self, when: When, day: Date, among: &[u32]) -> Result<Vec<u32>, Fail> {
        let mut found = Vec::new();
        self.selected.mailbox.headers(among, &mut |uid, header| {
            if let Some(date) = sent_date(&header)
                && is_when(date.day(), when, day)
            {
                found.push(uid);
            }
            true
        })?;
        found.sort_unstable();
        Ok(found)
    }
}

/// The Date field of a header.
pub fn sent_date(header: &[u8]) -> Option<mime::SentDate> {
    let structure = mime::parse(header, &mime::Limits::default());
    mime::date::parse(structure.root().envelope.as_ref()?.date.as_ref()?)
}

/// Compares days on the calendar: of the sender, or of the server, which counts in UTC.
fn is_when(at: i64, when: When, day: Date) -> bool {
    let epoch = Date::constant(1970, 1, 1);
    let wanted = i64::from(day.since(epoch).map_or(0, |span| span.get_days()));
    match when {
        When::Before => at < wanted,
        When::On => at == wanted,
        When::Since => at >= wanted,
    }
}

/// Are messages read for it?
pub fn reads(key: &Key<'_>) -> bool {
    cost(key) >= 3
}

/// What narrows first.
fn cost(key: &Key<'_>) -> u8 {
    match key {
        Key::Numbers(_) | Key::Uids(_) => 0,
        Key::Header(..) | Key::Date(Stamp::Sent, ..) | Key::ThreadId(_) => 3,
        Key::Body(_) | Key::Text(_) => 4,
        Key::Not(inner) => cost(inner).max(1),
        Key::Or(one, other) => cost(one).max(cost(other)).max(1),
        Key::And(keys) => keys.iter().map(cost).max().unwrap_or(1).max(1),
        _ => 1,
    }
}

/// What of `all` is not in `found`; both ascend.
fn without(all: &[u32], found: &[u32]) -> Vec<u32> {
    let mut found = found.iter().peekable();
    all.iter()
        .copied()
        .filter(|uid| {
            while found.next_if(|other| *other < uid).is_some() {}
            found.peek() != Some(&uid)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_on_and_after() {
        let day = Date::constant(2024, 2, 1);
        let at = 19_754;
        assert!(
            is_when(at, When::On, day) && is_when(at, When::Since, day) && !is_when(at, When::Before, day)
        );
        assert!(is_when(at - 1, When::Before, day) && is_when(at + 1, When::Since, day));
    }

    #[test]
    fn the_rest() {
        assert_eq!(without(&[1, 2, 3, 5], &[2, 5]), [1, 3]);
        assert_eq!(without(&[1, 2], &[]), [1, 2]);
    }
}
