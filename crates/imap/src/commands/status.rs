//! STATUS. RFC 9051 6.3.11, RFC 7162, 8438, 8474, 7889, 9208.

use store::{Name, Status};

use super::Call;
use crate::grammar::mailbox::{StatusItem, mailbox, status_items};
use crate::respond::Out;
use crate::session::{Answer, Done, Fail, Session, Tell};

/// STATUS.
pub fn status(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    call.args.space()?;
    let items = status_items(&mut call.args)?;
    call.args.end()?;
    let name = session.name(&text)?;
    let mut status = session.account()?.status(&name).map_err(|error| match error {
        store::Error::NoMailbox => {
            Fail::no("NONEXISTENT", format!("Mailbox doesn't exist: {}", mail::logline::printable(&text)))
        }
        other => other.into(),
    })?;
    // What this session has taken is recent still, for nobody else.
    if let Some(selected) = session.selected.as_ref().filter(|selected| selected.mailbox.name() == name) {
        let own = selected.recent.iter().filter(|uid| selected.known.find(*uid).is_some()).count();
        status.recent = status.recent.saturating_add(u32::try_from(own).unwrap_or(u32::MAX));
    }
    learn(session, &items);
    say(session, &name, &items, &status);
    Ok(Done::ok("Status completed.", Tell::All))
}

/// Who asks for HIGHESTMODSEQ knows CONDSTORE. RFC 7162 3.1.
pub fn learn(session: &mut Session, items: &[StatusItem]) {
    if items.contains(&StatusItem::HighestModSeq) {
        session.enable_condstore();
    }
}

/// Writes the answer.
pub fn say(session: &mut Session, name: &Name, items: &[StatusItem], status: &Status) {
    let separator = session.separator();
    let limit = session.settings.append_limit as u64;
    let out: &mut Out = &mut session.out;
    out.put(b"* STATUS ");
    out.mailbox(name, separator);
    out.put(b" (");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.put(b" ");
        }
        let (word, number) = match item {
            StatusItem::Messages => ("MESSAGES", status.messages.into()),
            StatusItem::Recent => ("RECENT", status.recent.into()),
            StatusItem::UidNext => ("UIDNEXT", status.uidnext.into()),
            StatusItem::UidValidity => ("UIDVALIDITY", status.uidvalidity.into()),
            StatusItem::Unseen => ("UNSEEN", status.unseen.into()),
            StatusItem::Deleted => ("DELETED", status.deleted.into()),
            StatusItem::Size => ("SIZE", status.size),
            StatusItem::HighestModSeq => ("HIGHESTMODSEQ", status.modseq.max(1)),
            StatusItem::DeletedStorage => ("DELETED-STORAGE", status.deleted_size),
            StatusItem::AppendLimit => ("APPENDLIMIT", limit),
            StatusItem::MailboxId => {
                out.put(b"MAILBOXID (");
                out.put(status.mailbox_id.as_bytes());
                out.put(b")");
                continue;
            }
        };
        out.put(word.as_bytes());
        out.put(b" ");
        out.number(number);
    }
    out.put(b")\r\n");
}
