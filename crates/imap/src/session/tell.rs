//! What has happened in the selected mailbox, told to the client. RFC 9051 5.2, 7.4, 7.5; RFC 7162.

use std::sync::Arc;

use store::{Rights, UidSet, View};

use super::{Selected, Session};
use crate::commands::fetch;
use crate::commands::search::context;
use crate::respond::{Out, say};

/// What may be told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Nothing.
    Nothing,
    /// New messages and flags, but not that messages are gone: their numbers are in use.
    Flags,
    /// All.
    All,
    /// All, and new messages also to a client that would miss them elsewhere (`delay-newmail`).
    News,
}

impl Session {
    /// Tells what has happened.
    pub fn tell(&mut self, tell: Tell) {
        self.tell_but(tell, &UidSet::new());
    }

    /// The same; the flags of these messages were told already.
    pub fn tell_but(&mut self, tell: Tell, told: &UidSet) {
        let Some(mut selected) = self.selected.take() else { return };
        if tell != Tell::Nothing {
            self.tell_selected(&mut selected, tell, told);
        }
        self.selected = Some(selected);
    }

    fn tell_selected(&mut self, selected: &mut Selected, tell: Tell, told: &UidSet) {
        let now = selected.mailbox.view();
        if Arc::ptr_eq(&now, &selected.known) {
            return;
        }
        let now = if tell == Tell::Flags { now.keeping(&selected.known) } else { now };
        let now = match self.settings.quirks.delay_new_mail && tell != Tell::News {
            true => without_new(&now, selected.known.uidnext),
            false => now,
        };
        let was = std::mem::replace(&mut selected.known, now);
        let now = selected.known.clone();
        let changes = now.changes(&was);
        if now.keywords().len() > selected.told_keywords {
            selected.told_keywords = now.keywords().len();
            say_flags(&mut self.out, &now, selected.permanent());
        }
        // By the numbers that hold before the messages are gone.
        context::say_gone(&mut self.out, selected, &was, &changes.expunged);
        self.say_expunged(&was, &changes.expunged);
        for uid in changes.updated.iter().filter(|uid| !told.contains(**uid)) {
            self.say_flags_of(selected, *uid, true);
        }
        if !changes.arrived.is_empty() {
            selected.claim_recent();
            say!(self.out, "* {} EXISTS", now.len());
            if !self.enabled.rev2 {
                say!(self.out, "* {} RECENT", selected.count_recent());
            }
            self.fetch_new(selected, &changes.arrived);
        }
        if !selected.contexts.is_empty() {
            let (now, uid_only) = ((self.settings.clock)(), self.enabled.uid_only);
            // What fails here fails again, and is told, when the client asks.
            if let Err(error) = context::say_changed(&mut self.out, selected, &changes, now, uid_only) {
                log::warn!(target: "imap", "searches are not kept up to date any more: {error:?}");
            }
        }
        if !changes.expunged.is_empty() && !selected.saved.is_empty() {
            let gone: UidSet = changes.expunged.iter().copied().collect();
            selected.saved = selected.saved.iter().filter(|uid| !gone.contains(*uid)).collect();
        }
    }

    /// What the client wants to know of new messages without asking.
    fn fetch_new(&mut self, selected: &Selected, arrived: &[u32]) {
        let told = self.notify.as_ref().and_then(|notify| notify.selected.as_ref());
        let Some(plan) = told.and_then(|told| told.fetch.as_ref()) else { return };
        if let Err(error) = fetch::say_new(&mut self.out, self.enabled, selected, plan, arrived) {
            log::warn!(target: "imap", "new messages are not told of: {error:?}");
        }
    }

    /// Says that messages are gone; numbers count in `was`.
    fn say_expunged(&mut self, was: &View, uids: &[u32]) {
        if uids.is_empty() {
            return;
        }
        if self.enabled.qresync || self.enabled.uid_only {
            let left = was.len() - u32::try_from(uids.len()).unwrap_or(0);
            let uids: UidSet = uids.iter().copied().collect();
            say!(self.out, "* VANISHED {uids}");
            // imapflow does not count them off, and would take the next message that comes for none.
            say!(self.out, "* {left} EXISTS");
            return;
        }
        for uid in uids.iter().rev() {
            if let Some(number) = was.sequence(*uid) {
                say!(self.out, "* {number} EXPUNGE");
            }
        }
    }

    /// `* n FETCH (FLAGS (…))`, with UID and MODSEQ where the client has use for them.
    pub fn say_flags_of(&mut self, selected: &Selected, uid: u32, flags: bool) {
        self.say_stored(selected, uid, self.enabled.qresync, flags);
    }

    /// The same after STORE: `with_uid` for UID STORE.
    pub fn say_stored(&mut self, selected: &Selected, uid: u32, with_uid: bool, flags: bool) {
        let known = &selected.known;
        let (Some(number), Some(entry)) = (known.sequence(uid), known.find(uid)) else { return };
        let enabled = self.enabled;
        let out = &mut self.out;
        out.fetch_head(number, uid, enabled.uid_only);
        let mut separator: &[u8] = b"";
        if with_uid && !enabled.uid_only {
            out.put(b"UID ");
            out.number(u64::from(uid));
            separator = b" ";
        }
        if enabled.condstore {
            out.put(separator);
            out.put(b"MODSEQ (");
            out.number(entry.modseq);
            out.put(b")");
            separator = b" ";
        }
        if flags {
            out.put(separator);
            out.put(b"FLAGS ");
            out.flags(entry.flags, entry.keywords, known, !enabled.rev2 && selected.recent.contains(uid));
        }
        out.put(b")\r\n");
    }
}

/// The view without messages from this UID on.
fn without_new(view: &View, uid: u32) -> Arc<View> {
    let mut editor = view.edit();
    let new: UidSet = view.uid_range(uid, u32::MAX).map(|(_, entry)| entry.uid).collect();
    editor.remove(&new);
    // They are still to come.
    editor.head().uidnext = uid;
    Arc::new(editor.finish())
}

/// `FLAGS` and `PERMANENTFLAGS`; `rights` are those of the session, none where it is read only.
pub fn say_flags(out: &mut Out, view: &View, rights: Rights) {
    const SYSTEM: [(Rights, &str); 5] = [
        (Rights::WRITE, "\\Answered"),
        (Rights::WRITE, "\\Flagged"),
        (Rights::DELETED, "\\Deleted"),
        (Rights::SEEN, "\\Seen"),
        (Rights::WRITE, "\\Draft"),
    ];
    let keywords = || view.keywords().iter().map(|name| &**name);
    let all: Vec<&str> = SYSTEM.iter().map(|flag| flag.1).chain(keywords()).collect();
    say!(out, "* FLAGS ({})", all.join(" "));
    let mut may: Vec<&str> = SYSTEM.iter().filter(|flag| rights.has(flag.0)).map(|flag| flag.1).collect();
    if rights.has(Rights::WRITE) {
        may.extend(keywords());
        if view.keywords().len() < store::MOST_KEYWORDS {
            may.push("\\*");
        }
    }
    let why = if may.is_empty() { "Read-only mailbox." } else { "Flags permitted." };
    say!(out, "* OK [PERMANENTFLAGS ({})] {why}", may.join(" "));
}
