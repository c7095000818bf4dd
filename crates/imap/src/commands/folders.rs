//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. RFC 9051 6.3.4 to 6.3.8, RFC 6154, RFC 8474.

use store::SpecialUse;

use super::Call;
use crate::grammar::mailbox::{create as parse, mailbox};
use crate::session::{Answer, Done, Fail, Session, Tell};

/// CREATE.
pub fn create(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let (text, uses) = parse(&mut call.args, session.enabled.utf8_names())?;
    let mut special = None;
    for attribute in uses {
        let named = SpecialUse::from_attribute(attribute);
        special = Some(named.ok_or_else(|| Fail::no("USEATTR", "This special use is not known."))?);
    }
    // A separator at the end says that others shall be below it.
    let level = text.strip_suffix(session.separator());
    let name = session.name(level.unwrap_or(&text))?;
    let account = session.account()?;
    let id = match (level, special) {
        (Some(_), None) => account.create_level(&name)?,
        _ => Some(account.create(&name, special)?),
    };
    let code = id.map(|id| format!("MAILBOXID ({id})")).unwrap_or_default();
    Ok(Done::with(code, "Create completed.", Tell::All))
}

/// DELETE.
pub fn delete(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    call.args.end()?;
    let name = session.name(&text)?;
    if name.is_inbox() {
        return Err(Fail::no("CANNOT", "INBOX can't be deleted."));
    }
    if session.selected.as_ref().is_some_and(|selected| selected.mailbox.name() == name) {
        session.selected = None;
        session.out.put(b"* OK [CLOSED] The selected mailbox is deleted.\r\n");
    }
    session.account()?.delete(&name)?;
    Ok(Done::ok("Delete completed.", Tell::All))
}

/// RENAME.
pub fn rename(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let utf8 = session.enabled.utf8_names();
    let from = mailbox(&mut call.args, utf8)?;
    call.args.space()?;
    let to = mailbox(&mut call.args, utf8)?;
    call.args.end()?;
    let (from, to) = (session.name(&from)?, session.name(&to)?);
    if to.is_below(&from) && !from.is_inbox() {
        return Err(Fail::no("CANNOT", "A mailbox can't be moved below itself."));
    }
    session.account()?.rename(&from, &to)?;
    Ok(Done::ok("Rename completed.", Tell::All))
}

/// SUBSCRIBE.
pub fn subscribe(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    call.args.end()?;
    let name = session.name(&text)?;
    let account = session.account()?;
    if !account.folders()?.iter().any(|folder| folder.name == name) && account.rights(&name).is_err() {
        return Err(Fail::no(
            "NONEXISTENT",
            format!("Mailbox doesn't exist: {}", mail::logline::printable(&text)),
        ));
    }
    account.subscribe(&name, true)?;
    Ok(Done::ok("Subscribe completed.", Tell::All))
}

/// UNSUBSCRIBE.
pub fn unsubscribe(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    call.args.end()?;
    let name = session.name(&text)?;
    session.account()?.subscribe(&name, false)?;
    Ok(Done::ok("Unsubscribe completed.", Tell::All))
}
