//! GETQUOTA, GETQUOTAROOT, SETQUOTA. RFC 9208.

use std::fmt::Write as _;

use super::Call;
use crate::grammar::Bad;
use crate::grammar::mailbox::mailbox;
use crate::session::{Answer, Done, Fail, Session, Tell};

/// The one quota root: it holds all mailboxes of the user. Dovecot's name.
const ROOT: &str = "User quota";

/// GETQUOTA.
pub fn get(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let root = call.args.text()?;
    call.args.end()?;
    if root != ROOT || session.account()?.limits().is_unlimited() {
        return Err(Fail::no("NONEXISTENT", "Quota root doesn't exist."));
    }
    say(session)?;
    Ok(Done::ok("Getquota completed.", Tell::All))
}

/// GETQUOTAROOT.
pub fn root(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    call.args.end()?;
    let name = session.name(&text)?;
    let account = session.account()?;
    session.out.put(b"* QUOTAROOT ");
    session.out.mailbox(&name, account.separator());
    // A mailbox of another user counts for him.
    let own = account.owner_of(&name).is_ok_and(|owner| owner == account.owner().user);
    if own && !account.limits().is_unlimited() {
        session.out.put(b" ");
        session.out.astring(ROOT);
    }
    session.out.put(b"\r\n");
    if own {
        say(session)?;
    }
    Ok(Done::ok("Getquotaroot completed.", Tell::All))
}

fn say(session: &mut Session) -> Result<(), Fail> {
    let account = session.account()?;
    let limits = account.limits();
    if limits.is_unlimited() {
        return Ok(());
    }
    let usage = account.usage()?;
    let mut resources = Vec::new();
    if let Some(limit) = limits.bytes {
        // In units of 1024 bytes.
        resources.push(format!("STORAGE {} {}", usage.bytes.div_ceil(1024), limit / 1024));
    }
    if let Some(limit) = limits.messages {
        resources.push(format!("MESSAGE {} {limit}", usage.messages));
    }
    session.out.put(b"* QUOTA ");
    session.out.astring(ROOT);
    let _ = write!(session.out, " ({})", resources.join(" "));
    session.out.put(b"\r\n");
    Ok(())
}

/// SETQUOTA: quotas are the administrator's.
pub fn set(_: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.text()?;
    call.args.space()?;
    let words = call.args.list(|args| args.atom().map(str::to_owned))?;
    call.args.end()?;
    if words.len() % 2 == 1 {
        return Err(Bad("a resource without a limit").into());
    }
    Err(Fail::no("NOPERM", "Permission denied."))
}
