//! Changing an mbox: messages put in and taken out, flags.

use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use super::files::{Mbox, range};
use super::from_line;
use super::head::{self, Marks};
use super::lockfile::Held;
use super::rewrite::{self, Piece};
use crate::foreign::{Added, Facts, Seen, Words, owned};
use crate::{Error, Flags, NewMessage, Result};

impl Mbox {
    /// Locks for writing, with everything known; makes the file where it is missing.
    fn ready(&mut self, now: i64) -> Result<Held> {
        let held = match self.write_lock(now)? {
            Some(held) => held,
            None => {
                self.create()?;
                self.write_lock(now)?.ok_or(Error::Gone)?
            }
        };
        if self.changed(&held)? {
            self.read(&held.file, now)?;
        }
        Ok(held)
    }

    /// Makes an empty file.
    pub(super) fn create(&self) -> Result<()> {
        if let Some(directory) = self.path.parent() {
            owned::directories(directory, &self.owner)?;
        }
        let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path);
        let made = made.map_err(|error| Error::io("create", &self.path, error))?;
        owned::give_file(&made, &self.path, &self.owner)
    }

    pub(super) fn append_all(
        &mut self,
        messages: &[NewMessage],
        recent: bool,
        words: &mut Words,
        now: i64,
    ) -> Result<Vec<Added>> {
        let held = self.ready(now)?;
        let empty = self.messages.is_empty() && self.pseudo.is_none();
        let mut text = Vec::new();
        let mut added = Vec::with_capacity(messages.len());
        let before = self.base.clone();
        for message in messages {
            self.add_words(&message.keywords);
            let uid = self.base.last_uid.checked_add(1).ok_or(Error::Limit("UIDs of a mailbox"))?;
            self.base.last_uid = uid;
            added.push(Added {
                seen: Seen {
                    uid,
                    flags: message.flags,
                    keywords: message.keywords.iter().fold(0, |sum, word| sum | words.bit(word).unwrap_or(0)),
                    key: self.key(uid),
                },
                facts: Facts { received: message.received, saved: now, size: 0 },
            });
        }
        self.uids.reserve(&self.base)?;
        for (message, added) in messages.iter().zip(&mut added) {
            let marks = Marks {
                uid: Some(added.seen.uid),
                flags: message.flags,
                old: !recent,
                keywords: message.keywords.clone(),
                base: (empty && text.is_empty()).then(|| self.base.clone()),
                ..Marks::default()
            };
            text.extend_from_slice(
                from_line::write(&self.owner.user, message.received, &self.zone).as_bytes(),
            );
            let size = frame(&message.content, &marks, &mut text);
            added.facts.size = u32::try_from(size).unwrap_or(u32::MAX);
        }
        if !empty && before != self.base {
            // The first message says which UIDs are used, before they are.
            self.write_headers(&held, |_, _| {})?;
            self.base.last_uid = before.last_uid.saturating_add(messages.len() as u32);
        }
        let failed = |error| Error::io("write", &self.path, error);
        let len = held.file.metadata().map_err(failed)?.len();
        let gap = gap(&held, len).map_err(failed)?;
        let written =
            held.file.write_all_at(&[gap, &text].concat(), len).and_then(|()| held.file.sync_data());
        if let Err(error) = written {
            if let Err(error) = held.file.set_len(len) {
                log::error!("cut {} back: {error}", self.path.display());
            }
            return Err(failed(error));
        }
        self.reread(&held)?;
        Ok(added)
    }

    fn add_words(&mut self, keywords: &[String]) {
        for word in keywords {
            if !self.base.keywords.iter().any(|known| known.eq_ignore_ascii_case(word)) {
                self.base.keywords.push(word.clone());
            }
        }
    }

    pub(super) fn change_flags(
        &mut self,
        changes: &[(u32, Flags, u64)],
        words: &Words,
        now: i64,
    ) -> Result<Vec<u32>> {
        let held = self.ready(now)?;
        let done: Vec<u32> =
            changes.iter().map(|(uid, ..)| *uid).filter(|uid| self.find(*uid).is_some()).collect();
        let bits = changes.iter().fold(0, |sum, (_, _, keywords)| sum | keywords);
        let names: Vec<String> = words.names(bits).map(str::to_owned).collect();
        self.add_words(&names);
        self.write_headers(&held, |uid, marks| {
            if let Ok(at) = changes.binary_search_by_key(&uid, |(uid, ..)| *uid) {
                let (_, flags, keywords) = changes[at];
                marks.flags = flags;
                marks.keywords = words.names(keywords).map(str::to_owned).collect();
            }
        })?;
        Ok(done)
    }

    pub(super) fn go_on_with(&mut self, uidvalidity: u32, uidnext: u32, now: i64) -> Result<()> {
        let held = self.ready(now)?;
        let last_uid = uidnext.saturating_sub(1);
        self.uids.go_on_with(uidvalidity, last_uid)?;
        self.base.uidvalidity = uidvalidity;
        self.base.last_uid = last_uid;
        if self.pseudo.is_some() {
            self.write_headers(&held, |_, _| {})?;
        }
        self.stamp = None;
        Ok(())
    }

    pub(super) fn claim(&mut self, now: i64) -> Result<()> {
        let held = self.ready(now)?;
        self.write_headers(&held, |_, marks| marks.old = true)
    }

    pub(super) fn remove(&mut self, uids: &[u32], now: i64) -> Result<Vec<u32>> {
        let held = self.ready(now)?;
        let failed = |error| Error::io("write", &self.path, error);
        let len = held.file.metadata().map_err(failed)?.len();
        let mut kept: Vec<_> =
            self.messages.iter().filter(|message| uids.binary_search(&message.uid).is_err()).collect();
        let front = self.pseudo.as_ref();
        if kept.len() < self.messages.len() {
            let mut pieces = Vec::with_capacity(kept.len() + 2);
            let mut start = front.map_or(0, |pseudo| pseudo.place.end);
            // The first message takes over what the mailbox knows.
            if front.is_none()
                && let Some(first) = kept.first()
                && first.uid != self.messages[0].uid
            {
                let place = &first.place;
                let old = range(&held.file, place.header, place.body).map_err(failed)?;
                let marks =
                    Marks { base: Some(self.base.clone()), uid: Some(first.uid), ..first.marks.clone() };
                pieces.push(Piece::Old(place.start..place.header));
                pieces.push(Piece::New(head::write(&old, &marks)));
                pieces.push(Piece::Old(place.body..place.end));
                kept.remove(0);
            } else {
                // What stands before the first that goes stays where it is.
                let untouched =
                    kept.iter().zip(&self.messages).take_while(|(kept, all)| kept.uid == all.uid).count();
                start = kept[..untouched].last().map_or(start, |message| message.place.end);
                kept.drain(..untouched);
            }
            pieces.extend(kept.iter().map(|message| Piece::Old(message.place.start..message.place.end)));
            debug_assert!(len >= start, "messages lie in the file");
            let merged = merge(pieces);
            rewrite::rewrite(&held.file, &self.path, &self.journal, start, &merged)?;
        }
        self.uids.reserve(&self.base)?;
        self.reread(&held)?;
        Ok(uids.to_vec())
    }
}

/// Neighbours that lie beside each other in the old file become one.
fn merge(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (merged.last_mut(), piece) {
            (Some(Piece::Old(last)), Piece::Old(next)) if last.end == next.start => last.end = next.end,
            (_, piece) => merged.push(piece),
        }
    }
    merged
}

/// What has to stand between the last message and a new one.
fn gap(held: &Held, len: u64) -> io::Result<&'static [u8]> {
    let end = range(&held.file, len.saturating_sub(2), len)?;
    Ok(match &end[..] {
        [] | [b'\n', b'\n'] => b"",
        [.., b'\n'] => b"\n",
        _ => b"\n\n",
    })
}

/// A message as it stands in the file: LF line ends, our header lines, `From ` at the start of a line quoted, an empty
/// line at the end. Gives its size as clients see it.
fn frame(content: &[u8], marks: &Marks, out: &mut Vec<u8>) -> u64 {
    let mut stored = Vec::with_capacity(content.len() + 1);
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        stored.extend_from_slice(line.strip_suffix(b"\r\n").unwrap_or(line));
        if line.ends_with(b"\r\n") {
            stored.push(b'\n');
        }
    }
    if !stored.ends_with(b"\n") {
        stored.push(b'\n');
    }
    let end = match stored.starts_with(b"\n") {
        true => 1,
        false => memchr::memmem::find(&stored, b"\n\n").map_or(stored.len(), |at| at + 2),
    };
    let (header, body) = stored.split_at(end);
    let mut whole = head::visible(header);
    if !whole.ends_with(b"\n\n") && whole != b"\n" {
        whole.push(b'\n');
    }
    let header = head::write(&whole, marks);
    let hidden = (header.len() - head::visible(&header).len()) as u64;
    let from = out.len();
    out.extend_from_slice(&header);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"From ") {
            out.push(b'>');
        }
        out.extend_from_slice(line);
    }
    let text = &out[from..];
    let hidden_lines = head::hidden(&header).1 as u64;
    let size = text.len() as u64 - hidden + memchr::memchr_iter(b'\n', text).count() as u64 - hidden_lines;
    // A CR that stands before a line end is one line end with it.
    let crlf = memchr::memmem::find_iter(text, b"\r\n").count() as u64;
    out.push(b'\n');
    size - crlf
}
