//! COPY and MOVE. RFC 9051 6.4.7 and 6.4.8, RFC 4315 (COPYUID), RFC 6851.

use std::fmt::Write as _;

use store::UidSet;

use super::{Call, junk};
use crate::grammar::mailbox::mailbox;
use crate::grammar::set::Set;
use crate::respond::say;
use crate::session::{Answer, Done, Fail, Session, Tell};

/// COPY.
pub fn copy(session: &mut Session, call: &mut Call<'_>) -> Answer {
    transfer(session, call, false)
}

/// MOVE.
pub fn move_to(session: &mut Session, call: &mut Call<'_>) -> Answer {
    transfer(session, call, true)
}

fn transfer(session: &mut Session, call: &mut Call<'_>, moves: bool) -> Answer {
    let set = Set::parse(&mut call.args)?;
    call.args.space()?;
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    call.args.end()?;
    let uids = session.selected()?.uids(&set, call.uid)?;
    if moves {
        session.selected()?.writable()?;
    }
    let target = session.open_target(&text)?;
    if uids.is_empty() {
        return Ok(Done::ok("No messages found.", Tell::All));
    }
    let selected = session.selected()?;
    let asked = uids.len();
    let uids: UidSet = uids.into_iter().collect();
    let outcome = match moves {
        true => selected.mailbox.move_to(&uids, &*target)?,
        false => selected.mailbox.copy(&uids, &*target)?,
    };
    junk::learn(session, &*target, &outcome.to);
    if outcome.from.len() < asked && !moves {
        return Err(Fail::no("EXPUNGEISSUED", "Some of the requested messages no longer exist."));
    }
    let mut code = String::new();
    if !outcome.from.is_empty() {
        let from: UidSet = outcome.from.iter().copied().collect();
        let to: UidSet = outcome.to.iter().copied().collect();
        let _ = write!(code, "COPYUID {} {from} {to}", outcome.uidvalidity);
    }
    if moves {
        // RFC 6851 4.3: the client learns the new UIDs before the messages vanish.
        if !code.is_empty() {
            say!(session.out, "* OK [{code}] Moved UIDs.");
        }
        let code = match session.enabled.condstore && !outcome.from.is_empty() {
            true => format!("HIGHESTMODSEQ {}", session.selected()?.mailbox.view().modseq),
            false => String::new(),
        };
        return Ok(Done::with(code, "Move completed.", Tell::All));
    }
    Ok(Done::with(code, "Copy completed.", Tell::All))
}
