//! STORE. RFC 9051 6.4.6, RFC 7162 3.1.3.

use store::{FlagChange, Flags, Mode, UidSet};

use super::{Call, junk};
use crate::grammar::fetch::{How, Store};
use crate::grammar::{Bad, set};
use crate::session::{Answer, Done, Fail, Session, Tell};

/// STORE.
pub fn store(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let wanted = Store::parse(&mut call.args)?;
    let uids = session.selected()?.uids(&wanted.set, call.uid)?;
    if session.selected()?.read_only {
        return Ok(Done::ok("Store ignored with read-only mailbox.", Tell::Flags));
    }
    if wanted.unchanged_since.is_some() {
        session.enable_condstore();
    }
    let (flags, keywords) = split_flags(&wanted.flags)?;
    // Who takes keywords away says nothing by it.
    let said = if wanted.how == How::Remove { Vec::new() } else { keywords.clone() };
    let mut change = FlagChange { keywords, ..change(wanted.how, flags) };
    change.unchanged_since = wanted.unchanged_since;
    let uids: UidSet = uids.into_iter().collect();
    let selected = session.selected()?;
    let asked = uids.len();
    let outcome = selected.mailbox.store(&uids, &change)?;
    let (stored, left) = (outcome.stored, outcome.modified);
    let known = selected.known.clone();
    junk::learn_from_keywords(session, &said, &stored);
    // Numbers as the client counts them.
    let code = match left.is_empty() {
        true => String::new(),
        false if call.uid => format!("MODIFIED {left}"),
        false => {
            let mut numbers = b"MODIFIED ".to_vec();
            set::write(left.iter().filter_map(|uid| known.sequence(uid)), &mut numbers);
            String::from_utf8_lossy(&numbers).into_owned()
        }
    };
    let missing = asked.saturating_sub(stored.len() as u64 + left.len());
    let told: UidSet = stored.iter().copied().collect();
    session.tell_but(Tell::Flags, &told);
    if let Some(selected) = session.selected.take() {
        if !wanted.silent || session.enabled.condstore {
            for uid in &stored {
                session.say_stored(&selected, *uid, call.uid, !wanted.silent);
            }
        }
        // A message that was left alone is told as it is, so that the client can decide anew.
        for uid in left.iter() {
            session.say_stored(&selected, uid, call.uid, true);
        }
        session.selected = Some(selected);
    }
    let tell = if call.uid { Tell::All } else { Tell::Flags };
    let code = if missing > 0 && code.is_empty() { "EXPUNGEISSUED".to_owned() } else { code };
    Ok(Done::with(code, "Store completed.", tell))
}

/// A change of system flags.
pub fn change(how: How, flags: Flags) -> FlagChange {
    let mode = match how {
        How::Replace => Mode::Replace,
        How::Add => Mode::Add,
        How::Remove => Mode::Remove,
    };
    FlagChange::new(mode, flags)
}

/// System flags, and keywords.
///
/// # Errors
/// A system flag that there is not.
pub fn split_flags(names: &[&str]) -> Result<(Flags, Vec<String>), Fail> {
    let (mut flags, mut keywords) = (Flags::NONE, Vec::<String>::new());
    for name in names {
        if !name.starts_with('\\') {
            if !keywords.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                keywords.push((*name).to_owned());
            }
            continue;
        }
        match Flags::from_name(name) {
            Some(flag) => flags = flags | flag,
            // It is the server's to give; clients repeat what they saw.
            None if name.eq_ignore_ascii_case("\\Recent") => {}
            None => return Err(Bad("Invalid system flag").into()),
        }
    }
    Ok((flags, keywords))
}
