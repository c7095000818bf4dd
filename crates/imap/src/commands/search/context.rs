//! Searches whose results are kept up to date, and CANCELUPDATE. RFC 5267.

use std::fmt::Write as _;

use ::store::{Changes, View};

use super::{Query, sort};
use crate::commands::Call;
use crate::grammar::Cursor;
use crate::grammar::search::{Key, Search, Sort};
use crate::respond::{Out, say};
use crate::session::{Answer, Done, Fail, Selected, Session, Tell};

/// Results that a session keeps up to date at a time.
const MOST: usize = 16;

/// A result that is kept up to date.
#[derive(Debug)]
pub struct Context {
    tag: Vec<u8>,
    uid: bool,
    /// The arguments, to be read again.
    program: Vec<u8>,
    /// They are those of SORT.
    sorted: bool,
    /// What the client knows to be found, in order.
    found: Vec<u32>,
}

/// Keeps a result up to date from here on; where there are too many the client is told that it is not.
pub fn keep(
    session: &mut Session,
    tag: &[u8],
    uid: bool,
    sorted: bool,
    program: &[u8],
    found: &[u32],
) -> Result<(), Fail> {
    let tag = tag.to_vec();
    let Some(selected) = &mut session.selected else { return Ok(()) };
    if selected.contexts.iter().any(|context| context.tag == tag) {
        return Err(Fail::Refused("This tag names another search that is kept up to date."));
    }
    if selected.contexts.len() >= MOST {
        session.out.put(b"* NO [NOUPDATE ");
        session.out.string(&tag);
        session.out.put(b"] Too many searches are kept up to date.\r\n");
        return Ok(());
    }
    let (program, found) = (program.to_vec(), found.to_vec());
    selected.contexts.push(Context { tag, uid, program, sorted, found });
    Ok(())
}

/// CANCELUPDATE: tags that are not known were cancelled by the server.
pub fn cancel(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let mut tags = vec![call.args.string()?.into_owned()];
    while !call.args.is_at_end() {
        call.args.space()?;
        tags.push(call.args.string()?.into_owned());
    }
    call.args.end()?;
    if let Some(selected) = &mut session.selected {
        selected.contexts.retain(|context| !tags.contains(&context.tag));
    }
    Ok(Done::ok("Cancelupdate completed.", Tell::All))
}

/// Messages are gone: they leave the results, by the numbers they had in `was`.
pub fn say_gone(out: &mut Out, selected: &mut Selected, was: &View, expunged: &[u32]) {
    for context in &mut selected.contexts {
        context.say_removed(out, was, expunged);
    }
}

/// Messages have come or changed: they enter the results or leave them.
///
/// # Errors
/// The store fails; the results are not kept up to date any more then.
pub fn say_changed(
    out: &mut Out,
    selected: &mut Selected,
    changes: &Changes,
    now: i64,
    uid_only: bool,
) -> Result<(), Fail> {
    let mut contexts = std::mem::take(&mut selected.contexts);
    let touched: Vec<u32> = merged(&changes.updated, &changes.arrived);
    for context in &mut contexts {
        context.uid |= uid_only;
        context.look(out, selected, &touched, now, uid_only)?;
    }
    selected.contexts = contexts;
    Ok(())
}

fn merged(some: &[u32], more: &[u32]) -> Vec<u32> {
    let mut both = [some, more].concat();
    both.sort_unstable();
    both
}

impl Context {
    fn look(
        &mut self,
        out: &mut Out,
        selected: &Selected,
        touched: &[u32],
        now: i64,
        uid_only: bool,
    ) -> Result<(), Fail> {
        let program = self.program.clone();
        let mut cursor = Cursor::new(&program);
        let (keys, key): (Vec<_>, Key<'_>) = match self.sorted {
            true => Sort::parse(&mut cursor).map(|sort| (sort.keys, sort.search.key))?,
            false => Search::parse(&mut cursor).map(|search| (Vec::new(), search.key))?,
        };
        let query = Query { selected, now, uid_only };
        let fits = query.of(&key, touched.to_vec())?;
        let (new, gone): (Vec<u32>, Vec<u32>) = (
            fits.iter().copied().filter(|uid| !self.found.contains(uid)).collect(),
            touched.iter().copied().filter(|uid| self.found.contains(uid) && !fits.contains(uid)).collect(),
        );
        self.say_removed(out, &selected.known, &gone);
        if new.is_empty() {
            return Ok(());
        }
        if !self.sorted {
            self.found = merged(&self.found, &new);
            self.say(out, "ADDTO", &[(0, new)], &selected.known);
            return Ok(());
        }
        self.found = sort::sort(selected, merged(&self.found, &new), &keys)?;
        // Each is told with its place among all that were told before it.
        let places = self.found.iter().enumerate().filter(|(_, uid)| new.contains(uid));
        let places: Vec<_> = places.map(|(at, uid)| (at + 1, vec![*uid])).collect();
        self.say(out, "ADDTO", &places, &selected.known);
        Ok(())
    }

    fn say_removed(&mut self, out: &mut Out, view: &View, gone: &[u32]) {
        let left: Vec<(usize, u32)> = self
            .found
            .iter()
            .enumerate()
            .filter(|(_, uid)| gone.contains(uid))
            .map(|(at, uid)| (at + 1, *uid))
            .collect();
        if left.is_empty() {
            return;
        }
        self.found.retain(|uid| !gone.contains(uid));
        let places = match self.sorted {
            // From the last, so that the places of the others hold.
            true => left.into_iter().rev().map(|(at, uid)| (at, vec![uid])).collect(),
            false => vec![(0, left.into_iter().map(|(_, uid)| uid).collect())],
        };
        self.say(out, "REMOVEFROM", &places, view);
    }

    /// Place 0 says that the order is that of the mailbox.
    fn say(&self, out: &mut Out, what: &str, places: &[(usize, Vec<u32>)], view: &View) {
        out.put(b"* ESEARCH (TAG ");
        out.string(&self.tag);
        out.put(if self.uid { b") UID " } else { b") " });
        let _ = write!(out, "{what} (");
        for (at, (place, uids)) in places.iter().enumerate() {
            let numbers =
                uids.iter().filter_map(|uid| if self.uid { Some(*uid) } else { view.sequence(*uid) });
            let mut text = Vec::new();
            crate::grammar::set::write(numbers, &mut text);
            let _ = write!(out, "{}{place} ", if at == 0 { "" } else { " " });
            out.put(&text);
        }
        say!(out, ")");
    }
}
