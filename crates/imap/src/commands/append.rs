//! APPEND and REPLACE, with MULTIAPPEND (RFC 3502), CATENATE (RFC 4469), UIDPLUS (RFC 4315). RFC 9051 6.3.12, RFC 8508.

use bytes::Bytes;
use store::{Mailbox, UidSet};

use super::Call;
use super::store::split_flags;
use crate::grammar::Bad;
use crate::grammar::fetch::How;
use crate::grammar::mailbox::{Content, NewMessage, mailbox, messages};
use crate::grammar::set::Set;
use crate::session::{Answer, Done, Fail, Session, Tell};
use crate::{binary, catenate};

/// APPEND.
pub fn append(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    let parsed = messages(&mut call.args)?;
    call.args.end()?;
    let target = session.open_target(&text)?;
    let messages = build(session, &parsed, call.aside)?;
    let uids = target.append(&messages)?;
    Ok(Done::with(append_uid(&*target, &uids), "Append completed.", Tell::All))
}

/// REPLACE: one message in the place of another.
pub fn replace(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let set = Set::parse(&mut call.args)?;
    call.args.space()?;
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    let parsed = messages(&mut call.args)?;
    call.args.end()?;
    let selected = session.selected()?;
    selected.writable()?;
    let uids = selected.uids(&set, call.uid)?;
    if uids.len() != 1 || parsed.len() != 1 {
        return match uids.is_empty() {
            true => Err(Fail::no("EXPUNGEISSUED", "The message to be replaced no longer exists.")),
            false => Err(Bad("one message is replaced by one").into()),
        };
    }
    let target = session.open_target(&text)?;
    let messages = build(session, &parsed, call.aside)?;
    let new = target.append(&messages)?;
    let code = append_uid(&*target, &new);
    // The new one is safe: the old one may go.
    let old: UidSet = uids.into_iter().collect();
    let mailbox = session.selected()?.mailbox.clone();
    let (flags, _) = split_flags(&["\\Deleted"])?;
    mailbox.store(&old, &super::store::change(How::Add, flags))?;
    mailbox.expunge(Some(&old))?;
    crate::respond::say!(session.out, "* OK [{code}] Replacement is stored.");
    Ok(Done::ok("Replace completed.", Tell::All))
}

fn append_uid(target: &dyn Mailbox, uids: &[u32]) -> String {
    let uids: UidSet = uids.iter().copied().collect();
    format!("APPENDUID {} {uids}", target.view().uidvalidity)
}

/// The messages, put together.
fn build(
    session: &Session,
    parsed: &[NewMessage<'_>],
    aside: &[Bytes],
) -> Result<Vec<store::NewMessage>, Fail> {
    let limit = session.settings.append_limit;
    let now = (session.settings.clock)();
    let mut messages = Vec::with_capacity(parsed.len());
    for message in parsed {
        let (flags, keywords) = split_flags(&message.flags)?;
        let content = match message.content.as_slice() {
            [Content::Literal(number)] => aside.get(*number).cloned().unwrap_or_default(),
            pieces => catenate::join(session, pieces, aside, limit)?,
        };
        if content.is_empty() {
            return Err(Fail::no("", "Can't save a zero byte message."));
        }
        if content.len() > limit {
            return Err(Fail::no("TOOBIG", "Message too large."));
        }
        let content = binary::encoded(content);
        let received = message.date.map_or(now, |date| date.as_second());
        messages.push(store::NewMessage { content, flags, keywords, received });
    }
    Ok(messages)
}
