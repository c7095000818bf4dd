//! SELECT, EXAMINE, CLOSE, UNSELECT, with CONDSTORE and QRESYNC. RFC 9051 6.3.2, RFC 7162 3.2.5, RFC 3691.

use std::fmt::Write as _;

use store::{UidSet, View};

use super::Call;
use crate::grammar::mailbox::{Resync, Select};
use crate::grammar::set;
use crate::respond::say;
use crate::session::{Answer, Done, Fail, Selected, Session, Tell, say_flags};

/// SELECT.
pub fn select(session: &mut Session, call: &mut Call<'_>) -> Answer {
    open(session, call, false)
}

/// EXAMINE.
pub fn examine(session: &mut Session, call: &mut Call<'_>) -> Answer {
    open(session, call, true)
}

/// Is the mailbox open already, and is there nothing new in it?
pub fn at_hand(session: &Session, call: &mut Call<'_>) -> bool {
    let Ok(wanted) = Select::parse(&mut call.args, session.enabled.utf8_names()) else { return true };
    let Some(user) = &session.user else { return true };
    wanted.resync.is_none() && session.name(&wanted.mailbox).is_ok_and(|name| user.account.is_at_hand(&name))
}

fn open(session: &mut Session, call: &mut Call<'_>, read_only: bool) -> Answer {
    let wanted = Select::parse(&mut call.args, session.enabled.utf8_names())?;
    if wanted.resync.is_some() && !session.enabled.qresync {
        return Err(Fail::Refused("QRESYNC not enabled."));
    }
    // Whatever comes of it, the former mailbox is closed.
    if session.selected.take().is_some() {
        session.out.put(b"* OK [CLOSED] Previous mailbox closed.\r\n");
    }
    let name = session.name(&wanted.mailbox)?;
    let mailbox = session.account()?.open(&name).map_err(|error| missing(error, &wanted.mailbox))?;
    mailbox.rights().need(store::Rights::READ).map_err(|error| missing(error, &wanted.mailbox))?;
    let known = mailbox.refresh()?;
    let read_only = read_only || mailbox.read_only();
    session.enabled.condstore |= wanted.condstore;
    let mut selected = Box::new(Selected {
        known,
        read_only,
        recent: UidSet::new(),
        saved: UidSet::new(),
        told_keywords: 0,
        contexts: Vec::new(),
        mailbox,
    });
    selected.claim_recent();
    // What the claim has changed is no news.
    selected.known = selected.mailbox.view();
    say_selected(session, &mut selected);
    if let Some(resync) = wanted.resync.filter(|resync| resync.uid_validity == selected.known.uidvalidity) {
        say_resync(session, &selected, &resync)?;
    }
    session.selected = Some(selected);
    Ok(match read_only {
        true => Done::with("READ-ONLY".to_owned(), "Examine completed.", Tell::Nothing),
        false => Done::with("READ-WRITE".to_owned(), "Select completed.", Tell::Nothing),
    })
}

/// Dovecot names the mailbox that is not there.
fn missing(error: store::Error, name: &str) -> Fail {
    match error {
        store::Error::NoMailbox => {
            Fail::no("NONEXISTENT", format!("Mailbox doesn't exist: {}", mail::logline::printable(name)))
        }
        other => other.into(),
    }
}

fn say_selected(session: &mut Session, selected: &mut Selected) {
    let view = selected.known.clone();
    selected.told_keywords = view.keywords().len();
    say_flags(&mut session.out, &view, selected.permanent());
    say!(session.out, "* {} EXISTS", view.len());
    if session.enabled.rev2 {
        let separator = session.separator();
        let _ = write!(session.out, "* LIST () \"{separator}\" ");
        session.out.mailbox(&selected.mailbox.name(), separator);
        session.out.put(b"\r\n");
    } else {
        say!(session.out, "* {} RECENT", selected.count_recent());
        if let Some(number) = first_unseen(&view) {
            say!(session.out, "* OK [UNSEEN {number}] First unseen.");
        }
    }
    say!(session.out, "* OK [UIDVALIDITY {}] UIDs valid", view.uidvalidity);
    say!(session.out, "* OK [UIDNEXT {}] Predicted next UID", view.uidnext);
    say!(session.out, "* OK [HIGHESTMODSEQ {}] Highest", view.modseq.max(1));
    say!(session.out, "* OK [MAILBOXID ({})] Object id", selected.mailbox.mailbox_id());
}

fn first_unseen(view: &View) -> Option<usize> {
    view.iter().position(|entry| !entry.flags.has(store::Flags::SEEN)).map(|at| at + 1)
}

/// What has happened since the client was last here.
fn say_resync(session: &mut Session, selected: &Selected, resync: &Resync) -> Result<(), Fail> {
    let view = selected.known.clone();
    let last = view.uidnext.saturating_sub(1);
    let known = resync.known.as_ref().and_then(|known| known.resolve(last));
    let mut gone = selected.mailbox.vanished_since(resync.mod_seq)?;
    // The client may have lost count: what it takes for there, and is not, has vanished.
    if let Some((numbers, uids)) = &resync.matched {
        let (numbers, uids) =
            (numbers.resolve(u32::MAX).unwrap_or_default(), uids.resolve(last).unwrap_or_default());
        let pairs = numbers.iter().flat_map(|(a, b)| *a..=*b).zip(uids.iter().flat_map(|(a, b)| *a..=*b));
        let agreed =
            pairs.take_while(|(number, uid)| view.get(*number).is_some_and(|entry| entry.uid == *uid)).last();
        let from = agreed.map_or(1, |(_, uid)| uid);
        gone = gone.iter().filter(|uid| *uid >= from).collect();
    }
    if let Some(known) = &known {
        gone = gone.iter().filter(|uid| set::contains(known, *uid)).collect();
    }
    let gone: UidSet = gone.iter().filter(|uid| *uid <= last && view.find(*uid).is_none()).collect();
    if !gone.is_empty() {
        say!(session.out, "* VANISHED (EARLIER) {gone}");
    }
    for entry in view.iter().filter(|entry| entry.modseq > resync.mod_seq) {
        if known.as_ref().is_none_or(|known| set::contains(known, entry.uid)) {
            session.say_flags_of(selected, entry.uid, true);
        }
    }
    Ok(())
}

/// CLOSE: messages marked as deleted go without a word.
pub fn close(session: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    if let Some(selected) = session.selected.take()
        && !selected.read_only
        && selected.mailbox.rights().has(store::Rights::EXPUNGE)
    {
        selected.mailbox.expunge(None)?;
    }
    Ok(Done::ok("Close completed.", Tell::Nothing))
}

/// UNSELECT.
pub fn unselect(session: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    session.selected = None;
    Ok(Done::ok("Unselect completed.", Tell::Nothing))
}
