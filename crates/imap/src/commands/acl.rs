//! GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS. RFC 4314.

use std::fmt::Write as _;

use store::rights::OWNER;
use store::{Account, Name, Rights};

use super::Call;
use crate::grammar::Bad;
use crate::grammar::mailbox::mailbox;
use crate::session::{Answer, Done, Fail, Session, Tell};

/// Longest identifier, in bytes.
const LONGEST: usize = 255;

/// What LISTRIGHTS tells, in Dovecot's order.
const LISTED: &str = "lrwstpiekxacd";

/// Most identifiers in the list of a mailbox.
const MOST: usize = 200;

/// GETACL.
pub fn get(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let name = only_name(session, call)?;
    let account = session.account()?;
    let mut list = account.acl(&name)?;
    if !list.iter().any(|(identifier, _)| identifier == OWNER) {
        list.push((OWNER.to_owned(), Rights::ALL.letters()));
    }
    let owner = account.owner_of(&name)?;
    session.out.put(b"* ACL ");
    session.out.mailbox(&name, account.separator());
    for (identifier, letters) in &list {
        session.out.put(b" ");
        session.out.astring(&shown(identifier, &owner));
        let rights = Rights::parse(letters).unwrap_or_default().to_string();
        session.out.put(b" ");
        session.out.astring(&rights);
    }
    session.out.put(b"\r\n");
    Ok(Done::ok("Getacl completed.", Tell::All))
}

/// MYRIGHTS.
pub fn mine(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let name = only_name(session, call)?;
    let rights = session.account()?.rights(&name)?;
    say_mine(session, &name, rights);
    Ok(Done::ok("Myrights completed.", Tell::All))
}

/// `* MYRIGHTS mailbox rights`, also for LIST (RFC 8440).
pub fn say_mine(session: &mut Session, name: &Name, rights: Rights) {
    let separator = session.separator();
    session.out.put(b"* MYRIGHTS ");
    session.out.mailbox(name, separator);
    let _ = write!(session.out, " {rights}\r\n");
}

/// SETACL.
pub fn set(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let name = first_name(session, call)?;
    let identifier = call.args.text()?.into_owned();
    call.args.space()?;
    let letters = call.args.text()?.into_owned();
    call.args.end()?;
    let account = session.account()?;
    let identifier = kept(&*account, &name, &identifier)?;
    let (mode, letters) = match letters.chars().next() {
        Some(mode @ ('+' | '-')) => (Some(mode), &letters[1..]),
        _ => (None, letters.as_str()),
    };
    let given = Rights::parse(letters).map_err(|_| Bad("Invalid ACL right"))?;
    let list = account.acl(&name)?;
    let known = list.iter().find(|(known, _)| *known == identifier);
    let before = match known {
        Some((_, letters)) => Rights::parse(letters).unwrap_or_default(),
        None if identifier == OWNER => Rights::ALL,
        None if list.len() >= MOST => return Err(Fail::no("LIMIT", "There are too many identifiers.")),
        None => Rights::NONE,
    };
    let rights = match mode {
        Some('+') => before | given,
        Some(_) => before & !given,
        None => given,
    };
    account.set_acl(&name, &identifier, Some(&rights.letters()))?;
    Ok(Done::ok("Setacl complete.", Tell::All))
}

/// DELETEACL.
pub fn delete(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let name = first_name(session, call)?;
    let identifier = call.args.text()?.into_owned();
    call.args.end()?;
    let account = session.account()?;
    let identifier = kept(&*account, &name, &identifier)?;
    account.set_acl(&name, &identifier, None)?;
    Ok(Done::ok("Deleteacl complete.", Tell::All))
}

/// LISTRIGHTS: every right can be given by itself; an owner keeps two of them.
pub fn list(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let name = first_name(session, call)?;
    let identifier = call.args.text()?.into_owned();
    call.args.end()?;
    let account = session.account()?;
    account.rights(&name)?.need(Rights::ADMIN)?;
    let always = match kept(&*account, &name, &identifier)?.as_str() {
        OWNER => Rights::LOOKUP | Rights::ADMIN,
        _ => Rights::NONE,
    };
    session.out.put(b"* LISTRIGHTS ");
    session.out.mailbox(&name, account.separator());
    session.out.put(b" ");
    session.out.astring(&identifier);
    session.out.put(b" ");
    session.out.astring(&always.letters());
    let known = always.letters();
    for letter in LISTED.chars().filter(|letter| !known.contains(*letter)) {
        let _ = write!(session.out, " {letter}");
    }
    session.out.put(b"\r\n");
    Ok(Done::ok("Listrights completed.", Tell::All))
}

fn only_name(session: &Session, call: &mut Call<'_>) -> Result<Name, Fail> {
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    call.args.end()?;
    session.name(&text)
}

fn first_name(session: &Session, call: &mut Call<'_>) -> Result<Name, Fail> {
    let text = mailbox(&mut call.args, session.enabled.utf8_names())?;
    call.args.space()?;
    session.name(&text)
}

/// An identifier as it is kept: the owner by that word, so that a list stays right when he is renamed.
fn kept(account: &dyn Account, name: &Name, identifier: &str) -> Result<String, Fail> {
    let (sign, plain) = identifier.split_at(usize::from(identifier.starts_with('-')));
    if plain.is_empty() || plain.len() > LONGEST || plain.chars().any(char::is_control) {
        return Err(Fail::no("CANNOT", "This is no identifier."));
    }
    let is_owner = plain == OWNER || plain == account.owner_of(name)?;
    Ok(format!("{sign}{}", if is_owner { OWNER } else { plain }))
}

fn shown(identifier: &str, owner: &str) -> String {
    match identifier {
        OWNER => owner.to_owned(),
        "-owner" => format!("-{owner}"),
        other => other.to_owned(),
    }
}
