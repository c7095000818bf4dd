//! GETMETADATA and SETMETADATA: annotations of mailboxes and of the account. RFC 5464.

use std::fmt::Write as _;

use store::Name;

use super::Call;
use crate::grammar::mailbox::mailbox;
use crate::grammar::{Bad, Cursor, Parsed};
use crate::session::{Answer, Done, Fail, Session, Tell};

/// Bytes of a value.
const LARGEST: usize = 64 * 1024;

/// Annotations of one mailbox, or of the account.
const MOST: usize = 100;

/// `DEPTH` and `MAXSIZE`.
#[derive(Clone, Copy, Default)]
struct Options {
    /// Levels below an entry that are told too; 2 stands for all.
    depth: u8,
    largest: Option<usize>,
}

/// GETMETADATA.
pub fn get(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let mut options = Options::default();
    if call.args.peek() == Some(b'(') {
        options = read_options(&mut call.args)?;
        call.args.space()?;
    }
    let text = box_name(&mut call.args, session.enabled.utf8_names())?;
    call.args.space()?;
    // Some clients put the options behind the name, as the RFC's own examples did.
    if call.args.peek() == Some(b'(')
        && !call.args.rest().starts_with(b"(/")
        && !call.args.rest().starts_with(b"(\"")
    {
        options = read_options(&mut call.args)?;
        call.args.space()?;
    }
    let wanted = match call.args.peek() {
        Some(b'(') => call.args.list(entry)?,
        _ => vec![entry(&mut call.args)?],
    };
    call.args.end()?;
    let name = name_of(session, &text)?;
    let stored = session.account()?.metadata(name.as_ref())?;
    let told = |known: &str| wanted.iter().any(|entry| is_within(known, entry, options.depth));
    let fits = |value: &[u8]| options.largest.is_none_or(|largest| value.len() <= largest);
    let longest = stored
        .iter()
        .filter(|(known, value)| told(known) && !fits(value))
        .map(|(_, value)| value.len())
        .max();
    let found: Vec<_> = stored.iter().filter(|(known, value)| told(known) && fits(value)).collect();
    if !found.is_empty() {
        session.out.put(b"* METADATA ");
        say_name(session, name.as_ref());
        for (at, (entry, value)) in found.into_iter().enumerate() {
            session.out.put(if at == 0 { b" (" } else { b" " });
            session.out.astring(entry);
            session.out.put(b" ");
            session.out.string(value);
        }
        session.out.put(b")\r\n");
    }
    let code = longest.map_or_else(String::new, |bytes| format!("METADATA LONGENTRIES {bytes}"));
    Ok(Done::with(code, "Getmetadata completed.", Tell::All))
}

/// SETMETADATA.
pub fn set(session: &mut Session, call: &mut Call<'_>) -> Answer {
    let text = box_name(&mut call.args, session.enabled.utf8_names())?;
    call.args.space()?;
    let changes = call.args.list(|args| {
        let entry = entry(args)?;
        args.space()?;
        let value = if args.at_literal() { Some(args.string()?) } else { args.nstring()? };
        Ok((entry, value.map(std::borrow::Cow::into_owned)))
    })?;
    call.args.end()?;
    let name = name_of(session, &text)?;
    let account = session.account()?;
    let known = account.metadata(name.as_ref())?;
    for (entry, value) in &changes {
        if value.as_ref().is_some_and(|value| value.len() > LARGEST) {
            return Err(Fail::no("METADATA MAXSIZE 65536", "The value is too large."));
        }
        if value.is_some() && known.len() >= MOST && !known.iter().any(|(name, _)| name == entry) {
            return Err(Fail::no("METADATA TOOMANY", "There are too many annotations."));
        }
    }
    for (entry, value) in &changes {
        account.set_metadata(name.as_ref(), entry, value.as_deref())?;
    }
    Ok(Done::ok("Setmetadata completed.", Tell::All))
}

fn box_name(args: &mut Cursor<'_>, utf8: bool) -> Parsed<String> {
    if args.rest().starts_with(b"\"\"") {
        args.string()?;
        return Ok(String::new());
    }
    mailbox(args, utf8)
}

/// The empty name is the account.
fn name_of(session: &Session, text: &str) -> Result<Option<Name>, Fail> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = session.name(text)?;
    // Whether there is such a mailbox: annotations of none cannot be set.
    session.account()?.open(&name)?;
    Ok(Some(name))
}

fn say_name(session: &mut Session, name: Option<&Name>) {
    let separator = session.separator();
    match name {
        Some(name) => session.out.mailbox(name, separator),
        None => {
            let _ = write!(session.out, "\"\"");
        }
    }
}

/// `/private/comment`: in lower case, since case does not matter.
fn entry(args: &mut Cursor<'_>) -> Parsed<String> {
    let entry = args.text()?.to_ascii_lowercase();
    let rooted = entry.starts_with("/private/") || entry.starts_with("/shared/");
    let plain = !entry.contains(['*', '%']) && !entry.contains("//") && !entry.ends_with('/');
    if rooted && plain && entry.len() <= 255 { Ok(entry) } else { Err(Bad("invalid entry name")) }
}

fn read_options(args: &mut Cursor<'_>) -> Parsed<Options> {
    let mut options = Options::default();
    args.list(|args| {
        let name = args.keyword()?.to_ascii_uppercase();
        args.space()?;
        match name.as_str() {
            "DEPTH" => {
                options.depth = match args.keyword()? {
                    "0" => 0,
                    "1" => 1,
                    word if word.eq_ignore_ascii_case("infinity") => 2,
                    _ => return Err(Bad("unknown depth")),
                }
            }
            "MAXSIZE" => options.largest = Some(args.number()? as usize),
            _ => return Err(Bad("unknown option")),
        }
        Ok(())
    })?;
    Ok(options)
}

fn is_within(known: &str, wanted: &str, depth: u8) -> bool {
    let Some(rest) = known.strip_prefix(wanted) else { return false };
    match rest.strip_prefix('/') {
        None => rest.is_empty(),
        Some(below) => depth == 2 || (depth == 1 && !below.contains('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_what_is_below_them() {
        assert!(is_within("/private/a", "/private/a", 0) && !is_within("/private/a/b", "/private/a", 0));
        assert!(is_within("/private/a/b", "/private/a", 1) && !is_within("/private/a/b/c", "/private/a", 1));
        assert!(is_within("/private/a/b/c", "/private/a", 2) && !is_within("/private/ab", "/private/a", 2));
    }
}
