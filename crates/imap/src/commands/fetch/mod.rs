//! FETCH. RFC 9051 6.4.5 and 7.5.2, RFC 7162, 3516, 8474, 8514, 8970, 9394.
//!
//! What a list of messages shows comes from the store's summaries; messages are read only for what is in them. The
//! answer is made in slices of a few hundred lines, or a few messages.

mod plan;
mod write;

use store::{FlagChange, Flags, Mode, Rights, UidSet};

use super::Call;
use crate::grammar::fetch::Fetch;
use crate::respond::{Out, say};
use crate::session::{Answer, Done, Enabled, Fail, Selected, Session, Slices, Tell};

pub use plan::{Plan, convert, part_of};

/// Messages of a slice for which nothing is read.
const ENTRIES: usize = 2000;
/// Messages of a slice for which summaries are read.
const SUMMARIES: usize = 250;
/// Messages of a command that is done at once, where nothing has to be read for it.
const AT_ONCE: usize = 100;
/// Bytes of messages that one slice reads.
const BYTES: u64 = 256 * 1024;

/// FETCH.
pub fn fetch(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let wanted = Fetch::parse(&mut call.args, call.uid)?;
    if wanted.vanished && !session.enabled.qresync {
        return Err(Fail::Refused("QRESYNC not enabled."));
    }
    let selected = session.selected()?;
    let mut uids = Vec::new();
    let since = wanted.changed_since;
    for (_, entry) in selected.messages(&wanted.set, call.uid)? {
        if since.is_none_or(|since| entry.modseq > since) {
            uids.push(entry.uid);
        }
    }
    if let Some((first, last)) = wanted.partial {
        uids = part_of(&uids, first, last);
    }
    let plan = Plan::new(&wanted.items, call.uid, wanted.changed_since.is_some());
    let marks = plan.marks_seen && !selected.read_only && selected.mailbox.rights().has(Rights::SEEN);
    if wanted.vanished {
        let since = since.unwrap_or_default();
        let last = selected.known.uidnext.saturating_sub(1);
        let asked = wanted.set.resolve(last).unwrap_or_default();
        let gone = selected.mailbox.vanished_since(since)?;
        let is_gone =
            |uid: &u32| crate::grammar::set::contains(&asked, *uid) && selected.known.find(*uid).is_none();
        let gone: UidSet = gone.iter().take_while(|uid| *uid <= last).filter(is_gone).collect();
        if !gone.is_empty() {
            say!(session.out, "* VANISHED (EARLIER) {gone}");
        }
    }
    if plan.mod_seq {
        session.enable_condstore();
    }
    Ok(Done::Slices(Box::new(Fetching { plan, uids, at: 0, marks, uid: call.uid, missing: false })))
}

/// Are there few messages, and is what is wanted of them in memory?
pub fn at_hand(session: &Session, call: &mut Call<'_>) -> bool {
    let Ok(wanted) = Fetch::parse(&mut call.args, call.uid) else { return true };
    let Ok(selected) = session.selected() else { return true };
    let Ok(uids) = selected.uids(&wanted.set, call.uid) else { return true };
    let plan = Plan::new(&wanted.items, call.uid, false);
    let reads = plan.needs.message || plan.needs.summary || plan.marks_seen || wanted.vanished;
    // THREADID is asked of the store.
    let asks = plan.wanted.iter().any(|wanted| matches!(wanted, plan::Wanted::ThreadId));
    let headers = if plan.needs.header { &uids[..] } else { &[] };
    uids.len() <= AT_ONCE && !reads && !asks && selected.is_at_hand(headers)
}

/// A FETCH under way.
struct Fetching {
    plan: Plan,
    uids: Vec<u32>,
    at: usize,
    /// Messages become `\Seen`.
    marks: bool,
    uid: bool,
    /// Some were gone when their turn came.
    missing: bool,
}

impl Slices for Fetching {
    fn step(&mut self, session: &mut Session) -> Option<Answer> {
        if self.at == self.uids.len() {
            return Some(self.end());
        }
        let Some(selected) = session.selected.as_deref() else {
            return Some(Err(Fail::Refused("No mailbox selected.")));
        };
        let uids = self.next_slice(selected);
        self.at += uids.len();
        let result = self.slice(session, &uids);
        match result {
            Ok(()) => None,
            Err(fail) => Some(Err(fail)),
        }
    }
}

impl Fetching {
    fn end(&self) -> Answer {
        let tell = if self.uid { Tell::All } else { Tell::Flags };
        if self.missing {
            return Ok(Done::with("EXPUNGEISSUED".to_owned(), "Some messages no longer exist.", tell));
        }
        Ok(Done::ok("Fetch completed.", tell))
    }

    /// The next messages: as many as are read at once.
    fn next_slice(&self, selected: &Selected) -> Vec<u32> {
        let rest = &self.uids[self.at..];
        let needs = self.plan.needs;
        let count = if needs.message {
            let mut bytes = 0;
            let fits = |uid: &&u32| {
                let first = bytes == 0;
                bytes += selected.known.find(**uid).map_or(1, |entry| u64::from(entry.size).max(1));
                first || bytes <= BYTES
            };
            rest.iter().take_while(fits).count()
        } else if needs.summary || needs.header {
            SUMMARIES
        } else {
            ENTRIES
        };
        rest[..count.min(rest.len())].to_vec()
    }

    fn slice(&mut self, session: &mut Session, uids: &[u32]) -> Result<(), Fail> {
        let mut marked = UidSet::new();
        if self.marks {
            marked = mark_seen(session, uids)?;
        }
        let Some(selected) = session.selected.take() else { return Ok(()) };
        let enabled = session.enabled;
        let written = {
            let mut writer = write::Writer {
                out: &mut session.out,
                plan: &self.plan,
                selected: &selected,
                enabled,
                marked: &marked,
                missing: false,
            };
            let written = writer.write(uids);
            self.missing |= writer.missing;
            written
        };
        session.selected = Some(selected);
        written
    }
}

/// Tells of new messages what a client has asked for by NOTIFY; none becomes `\Seen`.
///
/// # Errors
/// The store fails.
pub fn say_new(
    out: &mut Out,
    enabled: Enabled,
    selected: &Selected,
    plan: &Plan,
    uids: &[u32],
) -> Result<(), Fail> {
    let marked = &UidSet::new();
    write::Writer { out, plan, selected, enabled, marked, missing: false }.write(uids)
}

/// Marks messages as seen; those that were not are told so with what was fetched of them.
fn mark_seen(session: &mut Session, uids: &[u32]) -> Result<UidSet, Fail> {
    let selected = session.selected()?;
    let is_unseen = |uid: &u32| selected.known.find(*uid).is_some_and(|entry| !entry.flags.has(Flags::SEEN));
    let unseen: UidSet = uids.iter().copied().filter(is_unseen).collect();
    if unseen.is_empty() {
        return Ok(unseen);
    }
    selected.mailbox.store(&unseen, &FlagChange::new(Mode::Add, Flags::SEEN))?;
    session.tell_but(Tell::Flags, &unseen);
    Ok(unseen)
}
