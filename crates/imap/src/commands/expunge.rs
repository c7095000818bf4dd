//! EXPUNGE and UID EXPUNGE. RFC 9051 6.4.3, RFC 4315.

use store::UidSet;

use super::Call;
use crate::grammar::set::Set;
use crate::session::{Answer, Done, Session, Tell};

/// EXPUNGE.
pub fn expunge(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let set = if call.uid { Some(Set::parse(&mut call.args)?) } else { None };
    call.args.end()?;
    let selected = session.selected()?;
    selected.writable()?;
    let uids: Option<UidSet> = match set {
        Some(set) => Some(selected.uids(&set, true)?.into_iter().collect()),
        None => None,
    };
    let gone = selected.mailbox.expunge(uids.as_ref())?;
    let code = match session.enabled.condstore && !gone.is_empty() {
        true => format!("HIGHESTMODSEQ {}", selected.mailbox.view().modseq),
        false => String::new(),
    };
    Ok(Done::with(code, "Expunge completed.", Tell::All))
}
