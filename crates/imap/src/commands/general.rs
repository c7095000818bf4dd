//! CAPABILITY, NOOP, CHECK, LOGOUT, ID (RFC 2971), ENABLE (RFC 5161), IDLE (RFC 2177), COMPRESS (RFC 4978).

use super::Call;
use crate::respond::say;
use crate::session::{Answer, Done, Fail, Session, Tell};

/// CAPABILITY.
pub fn capability(session: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    let capabilities = super::capabilities(session);
    say!(session.out, "* CAPABILITY {capabilities}");
    let text = if session.user.is_some() {
        "Capability completed."
    } else {
        "Pre-login capabilities listed, post-login capabilities have more."
    };
    Ok(Done::ok(text, Tell::Nothing))
}

/// NOOP: what other programs have done is looked for.
pub fn noop(session: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    look(session)?;
    Ok(Done::ok("NOOP completed.", Tell::News))
}

/// CHECK.
pub fn check(session: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    look(session)?;
    Ok(Done::ok("Check completed.", Tell::News))
}

/// Has nothing happened that would have to be looked for?
pub fn at_hand(session: &Session, _: &mut Call<'_>) -> bool {
    session.selected.as_ref().is_none_or(|selected| selected.is_at_hand(&[]))
}

fn look(session: &mut Session) -> Result<(), Fail> {
    if let Some(selected) = &session.selected {
        selected.mailbox.refresh()?;
    }
    Ok(())
}

/// LOGOUT.
pub fn logout(_: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    Ok(Done::Logout)
}

/// ID. What a client says of itself is not kept.
pub fn id(session: &mut Session, call: &mut Call<'_>) -> Answer {
    if !call.args.eat_word("NIL") {
        let mut words = 0;
        call.args.list(|args| {
            words += 1;
            if words % 2 == 1 { args.string().map(drop) } else { args.nstring().map(drop) }
        })?;
        if words % 2 == 1 {
            return Err(crate::grammar::Bad("a field without a value").into());
        }
    }
    call.args.end()?;
    let settings = session.settings.clone();
    if settings.id.is_empty() {
        session.out.put(b"* ID NIL\r\n");
    } else {
        session.out.put(b"* ID (");
        for (at, (name, value)) in settings.id.iter().enumerate() {
            if at > 0 {
                session.out.put(b" ");
            }
            session.out.string(name.as_bytes());
            session.out.put(b" ");
            session.out.string(value.as_bytes());
        }
        session.out.put(b")\r\n");
    }
    Ok(Done::ok("ID completed.", Tell::Nothing))
}

/// ENABLE: names that are not known are passed over.
pub fn enable(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let mut names = vec![call.args.atom()?.to_ascii_uppercase()];
    while !call.args.is_at_end() {
        call.args.space()?;
        names.push(call.args.atom()?.to_ascii_uppercase());
    }
    call.args.end()?;
    let mut enabled = String::new();
    for name in names {
        match name.as_str() {
            "CONDSTORE" => session.enable_condstore(),
            "QRESYNC" => {
                session.enable_condstore();
                session.enabled.qresync = true;
            }
            "IMAP4REV2" => session.enabled.rev2 = true,
            "UTF8=ACCEPT" => session.enabled.utf8 = true,
            "UIDONLY" => session.enabled.uid_only = true,
            _ => continue,
        }
        enabled.push(' ');
        enabled.push_str(if name == "IMAP4REV2" { "IMAP4rev2" } else { &name });
    }
    session.out.utf8 = session.enabled.utf8_names();
    say!(session.out, "* ENABLED{enabled}");
    Ok(Done::ok("Enabled.", Tell::Flags))
}

/// IDLE.
pub fn idle(_: &mut Session, call: &mut Call<'_>) -> Answer {
    call.args.end()?;
    Ok(Done::Idle)
}

/// COMPRESS DEFLATE.
pub fn compress(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let name = call.args.atom()?;
    call.args.end()?;
    if !name.eq_ignore_ascii_case("DEFLATE") {
        return Err(Fail::no("", "Unknown compression mechanism."));
    }
    if session.link.compressed {
        return Err(Fail::no("COMPRESSIONACTIVE", "COMPRESSION is already active."));
    }
    Ok(Done::Compress)
}
