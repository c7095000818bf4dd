//! The face of a mailbox.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mime::fold::casemap;
use rusqlite::{OptionalExtension, Row};

use super::account::FacteurAccount;
use super::bodies::{Piece, Spot};
use super::fields::Wanted;
use super::folders::mailbox_id;
use super::inside::Inside;
use super::record::Meta;
use super::shared::Shared;
use super::signature::Pattern;
use super::summary::Kept;
use super::{enter, rows, transfer};
use crate::{
    CopyOutcome, Entry, Error, FlagChange, Flags, Mailbox, Mode, Name, NewMessage, Result, StoreOutcome,
    Summary, UidSet, Usage, View, Watch, Within,
};

/// Rows read from the catalogue while nobody else may look into it.
const AT_ONCE: usize = 256;

/// Headers of so many messages at a time are kept: more are no list that a client shows.
const KEPT: usize = 256;

/// A mailbox of our own kind.
pub(super) struct FacteurMailbox {
    pub(super) account: Arc<FacteurAccount>,
    pub(super) shared: Arc<Shared>,
}

impl FacteurMailbox {
    fn enter(&self) -> Result<Inside<'_>> {
        let inside = self.account.enter()?;
        if self.shared.view().gone {
            return Err(Error::Gone);
        }
        Ok(inside)
    }

    /// Where the content of a message lies, and how long its header is.
    fn spot(&self, uid: u32) -> Result<(Spot, u64)> {
        let entry = *self.shared.view().find(uid).ok_or(Error::NoMessage)?;
        let inside = self.enter()?;
        let mut find = inside
            .catalogue()
            .db
            .prepare_cached("SELECT id, file, at, size, crc, header FROM body WHERE id = ?")?;
        let found = find.query_row([entry.key as i64], spot).optional()?;
        found.ok_or_else(|| Error::Damaged(format!("message {uid} has no body")))
    }

    /// Reads something of the bodies of messages, piece by piece, so that others get their turn.
    fn each_body<T>(
        &self,
        uids: &[u32],
        columns: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        mut each: impl FnMut(u32, T) -> Result<bool>,
    ) -> Result<()> {
        let view = self.shared.view();
        let select = format!("SELECT id, {columns} FROM body");
        for some in uids.chunks(AT_ONCE) {
            let wanted: Vec<(i64, u32)> =
                some.iter().filter_map(|uid| Some((view.find(*uid)?.key as i64, *uid))).collect();
            let mut found = Vec::with_capacity(wanted.len());
            rows::each(self.enter()?.catalogue(), &select, &wanted, |uid, row| {
                found.push((uid, read(row)?));
                Ok(())
            })?;
            for (uid, value) in found {
                if !each(uid, value)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The messages whose signatures allow them to contain a text.
    fn candidates(&self, needle: &str, among: &[u32]) -> Result<Vec<u32>> {
        let pattern = Pattern::new(needle);
        if pattern.is_everywhere() {
            return Ok(among.to_vec());
        }
        let view = self.shared.view();
        let mut candidates = Vec::new();
        for some in among.chunks(4 * AT_ONCE) {
            let wanted: Vec<(i64, u32)> =
                some.iter().filter_map(|uid| Some((view.find(*uid)?.key as i64, *uid))).collect();
            let mut ruled_out = HashSet::new();
            rows::each(
                self.enter()?.catalogue(),
                "SELECT body, bits FROM signature",
                &wanted,
                |uid, row| {
                    if !pattern.may_be_in(row.get_ref(1)?.as_blob().unwrap_or_default()) {
                        ruled_out.insert(uid);
                    }
                    Ok(())
                },
            )?;
            // Without a signature only reading tells.
            candidates.extend(wanted.iter().map(|(_, uid)| *uid).filter(|uid| !ruled_out.contains(uid)));
        }
        Ok(candidates)
    }

    /// The messages with a text in a header field, as far as that is kept; gives those of which nothing is.
    fn find_in_fields(&self, wanted: &Wanted<'_>, among: &[u32], found: &mut Vec<u32>) -> Result<Vec<u32>> {
        let view = self.shared.view();
        let mut unknown = Vec::new();
        for some in among.chunks(4 * AT_ONCE) {
            let keys: Vec<(i64, (u32, usize))> = some
                .iter()
                .enumerate()
                .filter_map(|(at, uid)| Some((view.find(*uid)?.key as i64, (*uid, at))))
                .collect();
            let mut known = vec![false; some.len()];
            let select = "SELECT body, text FROM fields";
            rows::each(self.enter()?.catalogue(), select, &keys, |(uid, at), row| {
                known[at] = true;
                if wanted.is_in(row.get_ref(1)?.as_blob().unwrap_or_default()) {
                    found.push(uid);
                }
                Ok(())
            })?;
            unknown.extend(keys.iter().filter(|(_, (_, at))| !known[*at]).map(|(_, (uid, _))| *uid));
        }
        Ok(unknown)
    }

    fn append_inside(&self, inside: &mut Inside<'_>, messages: &[NewMessage]) -> Result<Vec<u32>> {
        let contents: Vec<_> = messages.iter().map(|message| mime::crlf::wire(&message.content)).collect();
        let bytes = contents.iter().map(|content| content.len() as u64).sum();
        inside.make_room(Usage { bytes, messages: messages.len() as u64 })?;
        let now = (self.account.settings.clock)();
        let name = self.shared.name();
        let last = messages.len().saturating_sub(1);
        let pieces: Vec<Piece<'_>> = messages
            .iter()
            .zip(&contents)
            .enumerate()
            .map(|(at, (message, content))| {
                let meta = Meta {
                    more: at < last,
                    create: true,
                    moved: false,
                    flags: message.flags,
                    received: message.received,
                    saved: now,
                    mailbox: name.as_str().to_owned(),
                    keywords: message.keywords.clone(),
                    delivery: None,
                };
                Piece { meta, content }
            })
            .collect();
        let id = self.shared.id;
        let mut change = inside.change()?;
        let mut tail = self.account.bodies.tail()?;
        enter::catch_up(&mut change, &mut tail, now)?;
        let modseq = change.modseq(id)?;
        let first = change.take_uids(id, messages.len() as u32)?;
        let bits = messages
            .iter()
            .map(|message| change.keyword_bits(id, &message.keywords))
            .collect::<Result<Vec<_>>>()?;
        let start = tail.len;
        let spots = tail.append(&pieces)?;
        // The disk works while we do.
        tail.begin_sync(start);
        let kept = Kept::of_all(&contents);
        for (at, spot) in spots.iter().enumerate() {
            let body = kept[at].enter(change.catalogue, None, spot)?;
            let message = &messages[at];
            let entry = Entry {
                uid: first + at as u32,
                size: spot.len,
                flags: message.flags,
                keywords: bits[at],
                modseq,
                received: message.received,
                saved: now,
                key: body as u64,
            };
            change.insert(id, entry)?;
        }
        enter::entered_up_to(&change, tail.file.number, tail.len)?;
        tail.sync()?;
        change.commit()?;
        let upto = tail.entered();
        tail.make_room();
        drop(tail);
        inside.state.entered = Some(upto);
        Ok((first..first + messages.len() as u32).collect())
    }

    /// Copies, and moves, within the account.
    fn transfer(&self, uids: &UidSet, to: &FacteurMailbox, remove: bool) -> Result<CopyOutcome> {
        let mut inside = self.enter()?;
        let selected = |view: &View| transfer::runs(view, |entry| uids.contains(entry.uid));
        if !remove {
            let runs = selected(&self.shared.view());
            let bytes = runs.iter().flatten().map(|entry| u64::from(entry.size)).sum();
            inside.make_room(Usage { bytes, messages: runs.iter().map(|run| run.len() as u64).sum() })?;
        }
        let mut change = inside.change()?;
        let (view, target) = (self.shared.view(), to.shared.view());
        if target.gone {
            return Err(Error::NoMailbox);
        }
        let uidvalidity = target.uidvalidity;
        let runs = selected(&view);
        let entries: Vec<Entry> = runs.iter().flatten().copied().collect();
        if entries.is_empty() {
            return Ok(CopyOutcome { uidvalidity, ..CopyOutcome::default() });
        }
        let now = (self.account.settings.clock)();
        let copies = transfer::put(&mut change, &entries, &view, to.shared.id, now)?;
        if remove {
            change.remove(self.shared.id, &runs)?;
        }
        change.commit()?;
        drop(inside);
        self.account.watch.ring();
        Ok(CopyOutcome { uidvalidity, from: entries.iter().map(|entry| entry.uid).collect(), to: copies })
    }

    /// The other mailbox, when it is one of the same account.
    fn sibling<'a>(&self, to: &'a dyn Mailbox) -> Option<&'a FacteurMailbox> {
        let to = to.as_any().downcast_ref::<FacteurMailbox>()?;
        Arc::ptr_eq(&self.account, &to.account).then_some(to)
    }
}

impl Mailbox for FacteurMailbox {
    fn name(&self) -> Name {
        self.shared.name()
    }

    fn mailbox_id(&self) -> String {
        mailbox_id(self.shared.id)
    }

    fn email_id(&self, entry: &Entry) -> Option<String> {
        Some(format!("M{}", entry.key))
    }

    fn thread_id(&self, entry: &Entry) -> Result<Option<String>> {
        let inside = self.enter()?;
        let mut find = inside.catalogue().db.prepare_cached("SELECT thread FROM body WHERE id = ?")?;
        let thread: Option<i64> = find.query_row([entry.key as i64], |row| row.get(0)).optional()?;
        Ok(thread.map(|thread| format!("T{thread}")))
    }

    fn view(&self) -> Arc<View> {
        self.shared.view()
    }

    fn refresh(&self) -> Result<Arc<View>> {
        if !self.account.is_asleep() {
            drop(self.enter()?);
        }
        Ok(self.shared.view())
    }

    fn watch(&self) -> &Watch {
        &self.shared.watch
    }

    fn claim_recent(&self) -> Result<u32> {
        let mut inside = self.enter()?;
        let view = self.shared.view();
        if view.recent_from < view.uidnext {
            let mut change = inside.change()?;
            let row = change.row(self.shared.id)?;
            let first = std::mem::replace(&mut row.recent, row.uidnext);
            change.commit()?;
            return Ok(first);
        }
        Ok(view.uidnext)
    }

    fn body(&self, uid: u32) -> Result<Bytes> {
        self.body_range(uid, 0..u64::MAX)
    }

    fn body_range(&self, uid: u32, range: Range<u64>) -> Result<Bytes> {
        let (spot, _) = self.spot(uid)?;
        let read = match self.account.bodies.read(&spot, range.start, range.end) {
            // A compaction may have moved it meanwhile.
            Err(Error::Damaged(what)) => match self.spot(uid)?.0 {
                same if same == spot => Err(Error::Damaged(what)),
                moved => self.account.bodies.read(&moved, range.start, range.end),
            },
            read => read,
        };
        Ok(read?.into())
    }

    fn summaries(&self, uids: &[u32], each: &mut dyn FnMut(u32, Summary) -> bool) -> Result<()> {
        let read = |row: &Row<'_>| {
            let (envelope, bodystructure): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
            Ok(Summary { envelope: envelope.into(), bodystructure: bodystructure.into() })
        };
        self.each_body(uids, "envelope, bodystructure", read, |uid, summary| Ok(each(uid, summary)))
    }

    fn is_at_hand(&self, headers: &[u32]) -> bool {
        let view = self.shared.view();
        let bodies = headers.iter().filter_map(|uid| Some(view.find(*uid)?.key));
        !view.gone && self.account.heads.has(bodies) && self.account.at_hand().is_some()
    }

    fn headers(&self, uids: &[u32], each: &mut dyn FnMut(u32, Bytes) -> bool) -> Result<()> {
        let view = self.shared.view();
        let key = |uid: u32| view.find(uid).map(|entry| entry.key);
        let few = uids.len() <= KEPT;
        if few && let Some(texts) = self.account.heads.all(uids.iter().filter_map(|uid| key(*uid))) {
            let there = uids.iter().filter(|uid| key(**uid).is_some());
            there.zip(texts).all(|(uid, text)| each(*uid, text));
            return Ok(());
        }
        self.each_body(uids, "file, at, size, crc, header", spot, |uid, (spot, header)| {
            let read = self.account.bodies.read(&spot, 0, header).map(Bytes::from);
            let read = read.or_else(|_| self.body_range(uid, 0..header));
            match read {
                Err(Error::NoMessage) => Ok(true),
                read => {
                    let text = read?;
                    if let Some(body) = key(uid).filter(|_| few) {
                        self.account.heads.keep(body, &text);
                    }
                    Ok(each(uid, text))
                }
            }
        })
    }

    fn append(&self, messages: &[NewMessage]) -> Result<Vec<u32>> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let mut inside = self.enter()?;
        let uids = self.append_inside(&mut inside, messages)?;
        drop(inside);
        self.account.watch.ring();
        Ok(uids)
    }

    fn store(&self, uids: &UidSet, change: &FlagChange) -> Result<StoreOutcome> {
        let mut inside = self.enter()?;
        let id = self.shared.id;
        let mut work = inside.change()?;
        let view = self.shared.view();
        let mask = work.keyword_bits(id, &change.keywords)?;
        let mut outcome = StoreOutcome::default();
        let runs = transfer::runs(&view, |entry| {
            if !uids.contains(entry.uid) {
                return false;
            }
            if change.unchanged_since.is_some_and(|modseq| entry.modseq > modseq) {
                outcome.modified.insert(entry.uid, entry.uid);
                return false;
            }
            outcome.stored.push(entry.uid);
            change.apply(entry.flags, entry.keywords, mask) != (entry.flags, entry.keywords)
        });
        let (keep, set) = match change.mode {
            Mode::Add => ((Flags::ALL.0, u64::MAX), (change.flags.0, mask)),
            Mode::Remove => (((!change.flags).0, !mask), (0, 0)),
            Mode::Replace => ((0, 0), (change.flags.0, mask)),
        };
        for run in &runs {
            work.set_flags(id, run, keep, set)?;
        }
        work.commit()?;
        drop(inside);
        self.account.watch.ring();
        Ok(outcome)
    }

    fn copy(&self, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome> {
        match self.sibling(to) {
            Some(to) => self.transfer(uids, to, false),
            None => crate::copy::by_reading(self, uids, to),
        }
    }

    fn move_to(&self, uids: &UidSet, to: &dyn Mailbox) -> Result<CopyOutcome> {
        match self.sibling(to) {
            Some(to) => self.transfer(uids, to, true),
            None => crate::copy::move_by_reading(self, uids, to),
        }
    }

    fn renumber(&self, uidvalidity: u32, uidnext: u32) -> Result<()> {
        let mut inside = self.enter()?;
        let view = self.shared.view();
        let anew = uidvalidity != view.uidvalidity;
        if anew && !view.is_empty() {
            return Err(Error::Unsupported(crate::mailbox::NOT_EMPTY));
        }
        if !anew && uidnext <= view.uidnext {
            return Ok(());
        }
        let mut change = inside.change()?;
        change.renumber(self.shared.id, uidvalidity, uidnext)?;
        change.commit()
    }

    fn expunge(&self, uids: Option<&UidSet>) -> Result<UidSet> {
        let mut inside = self.enter()?;
        let mut change = inside.change()?;
        let runs = transfer::runs(&self.shared.view(), |entry| {
            entry.flags.has(Flags::DELETED) && uids.is_none_or(|uids| uids.contains(entry.uid))
        });
        if runs.is_empty() {
            return Ok(UidSet::new());
        }
        let removed = change.remove(self.shared.id, &runs)?;
        change.catalogue.note_dead(runs.iter().flatten().map(|entry| u64::from(entry.size)).sum())?;
        change.commit()?;
        drop(inside);
        self.account.watch.ring();
        self.account.compact_some_time();
        Ok(removed)
    }

    fn vanished_since(&self, modseq: u64) -> Result<UidSet> {
        let inside = self.enter()?;
        let row = inside.catalogue().box_by_id(self.shared.id)?.ok_or(Error::Gone)?;
        let view = self.shared.view();
        let mut vanished = UidSet::new();
        if modseq < row.forgotten {
            let mut next = 1;
            for entry in view.iter() {
                if entry.uid > next {
                    vanished.insert(next, entry.uid - 1);
                }
                next = entry.uid + 1;
            }
            if next < view.uidnext {
                vanished.insert(next, view.uidnext - 1);
            }
            return Ok(vanished);
        }
        let mut find = inside.catalogue().db.prepare_cached(
            "SELECT first, last FROM vanished WHERE mailbox = ? AND modseq > ? ORDER BY first",
        )?;
        let mut rows = find.query([self.shared.id, i64::try_from(modseq).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            vanished.insert(row.get(0)?, row.get(1)?);
        }
        Ok(vanished)
    }

    fn find_text(&self, within: Within<'_>, needle: &str, among: &[u32]) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        let mut unknown = Cow::Borrowed(among);
        if let Within::Field(name) = within
            && let Some(wanted) = Wanted::new(name, &casemap(needle))
        {
            unknown = Cow::Owned(self.find_in_fields(&wanted, among, &mut found)?);
        }
        let candidates = self.candidates(crate::search::rarest(within, needle), &unknown)?;
        found.extend(crate::search::by_reading(self, within, needle, &candidates)?);
        found.sort_unstable();
        Ok(found)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The columns `id, file, at, size, crc, header`.
fn spot(row: &Row<'_>) -> rusqlite::Result<(Spot, u64)> {
    let at: i64 = row.get(2)?;
    let header: i64 = row.get(5)?;
    Ok((Spot { file: row.get(1)?, at: at as u64, len: row.get(3)?, crc: row.get(4)? }, header as u64))
}
