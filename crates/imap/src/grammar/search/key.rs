//! The keys of a search program.

use std::borrow::Cow;

use super::{Key, Stamp, When};
use crate::grammar::cursor::{Bad, Cursor, Parsed};
use crate::grammar::dates;
use crate::grammar::set::Set;

/// Most keys in one program.
const KEYS: usize = 2_000;

/// The keys to the end of the command.
pub(super) fn program<'a>(cursor: &mut Cursor<'a>) -> Parsed<Key<'a>> {
    let mut budget = KEYS;
    let mut keys = vec![key(cursor, &mut budget)?];
    while cursor.peek() == Some(b' ') && !cursor.is_at_end() {
        cursor.space()?;
        keys.push(key(cursor, &mut budget)?);
    }
    cursor.end()?;
    Ok(join(keys))
}

fn join(mut keys: Vec<Key<'_>>) -> Key<'_> {
    if keys.len() == 1 { keys.remove(0) } else { Key::And(keys) }
}

fn key<'a>(cursor: &mut Cursor<'a>, budget: &mut usize) -> Parsed<Key<'a>> {
    *budget = budget.checked_sub(1).ok_or(Bad("too many search keys"))?;
    match cursor.peek() {
        Some(b'(') => {
            let keys = cursor.list(|cursor| key(cursor, budget))?;
            return if keys.is_empty() { Err(Bad("empty search list")) } else { Ok(join(keys)) };
        }
        Some(b'*' | b'$' | b'0'..=b'9') => return Set::parse(cursor).map(Key::Numbers),
        _ => {}
    }
    let name = cursor.keyword()?.to_ascii_uppercase();
    let not = |key| Key::Not(Box::new(key));
    Ok(match name.as_str() {
        "ALL" => Key::All,
        "ANSWERED" => Key::Flag("\\Answered"),
        "DELETED" => Key::Flag("\\Deleted"),
        "DRAFT" => Key::Flag("\\Draft"),
        "FLAGGED" => Key::Flag("\\Flagged"),
        "SEEN" => Key::Flag("\\Seen"),
        "UNANSWERED" => not(Key::Flag("\\Answered")),
        "UNDELETED" => not(Key::Flag("\\Deleted")),
        "UNDRAFT" => not(Key::Flag("\\Draft")),
        "UNFLAGGED" => not(Key::Flag("\\Flagged")),
        "UNSEEN" => not(Key::Flag("\\Seen")),
        "RECENT" => Key::Recent,
        "OLD" => not(Key::Recent),
        "NEW" => Key::And(vec![Key::Recent, not(Key::Flag("\\Seen"))]),
        "SAVEDATESUPPORTED" => Key::SaveDateSupported,
        _ => return key_with_argument(&name, cursor, budget),
    })
}

fn key_with_argument<'a>(name: &str, cursor: &mut Cursor<'a>, budget: &mut usize) -> Parsed<Key<'a>> {
    let known = [
        "BEFORE",
        "ON",
        "SINCE",
        "SENTBEFORE",
        "SENTON",
        "SENTSINCE",
        "SAVEDBEFORE",
        "SAVEDON",
        "SAVEDSINCE",
        "OLDER",
        "YOUNGER",
        "LARGER",
        "SMALLER",
        "HEADER",
        "FROM",
        "TO",
        "CC",
        "BCC",
        "SUBJECT",
        "BODY",
        "TEXT",
        "KEYWORD",
        "UNKEYWORD",
        "UID",
        "MODSEQ",
        "EMAILID",
        "THREADID",
        "NOT",
        "OR",
    ];
    if !known.contains(&name) {
        return Err(Bad("unknown search key"));
    }
    cursor.space()?;
    let field = |name: &'static str, text| Key::Header(Cow::Borrowed(name), text);
    let dated =
        |cursor: &mut Cursor<'a>, stamp, when| dates::date(cursor).map(|day| Key::Date(stamp, when, day));
    Ok(match name {
        "BEFORE" => dated(cursor, Stamp::Internal, When::Before)?,
        "ON" => dated(cursor, Stamp::Internal, When::On)?,
        "SINCE" => dated(cursor, Stamp::Internal, When::Since)?,
        "SENTBEFORE" => dated(cursor, Stamp::Sent, When::Before)?,
        "SENTON" => dated(cursor, Stamp::Sent, When::On)?,
        "SENTSINCE" => dated(cursor, Stamp::Sent, When::Since)?,
        "SAVEDBEFORE" => dated(cursor, Stamp::Saved, When::Before)?,
        "SAVEDON" => dated(cursor, Stamp::Saved, When::On)?,
        "SAVEDSINCE" => dated(cursor, Stamp::Saved, When::Since)?,
        "OLDER" | "YOUNGER" => {
            let seconds = cursor.number()?;
            if seconds == 0 {
                return Err(Bad("an interval of no time"));
            }
            if name == "OLDER" { Key::Older(seconds) } else { Key::Younger(seconds) }
        }
        "LARGER" => Key::Larger(cursor.number64()?),
        "SMALLER" => Key::Smaller(cursor.number64()?),
        "HEADER" => {
            let name = cursor.text()?;
            cursor.space()?;
            Key::Header(name, cursor.text()?)
        }
        "FROM" => field("From", cursor.text()?),
        "TO" => field("To", cursor.text()?),
        "CC" => field("Cc", cursor.text()?),
        "BCC" => field("Bcc", cursor.text()?),
        "SUBJECT" => field("Subject", cursor.text()?),
        "BODY" => Key::Body(cursor.text()?),
        "TEXT" => Key::Text(cursor.text()?),
        "KEYWORD" => Key::Flag(cursor.flag()?),
        "UNKEYWORD" => Key::Not(Box::new(Key::Flag(cursor.flag()?))),
        "UID" => Key::Uids(Set::parse(cursor)?),
        "MODSEQ" => mod_sequence(cursor)?,
        "EMAILID" => Key::EmailId(cursor.atom()?),
        "THREADID" => Key::ThreadId(cursor.atom()?),
        _ => {
            cursor.deeper()?;
            let first = key(cursor, budget)?;
            let found = if name == "NOT" {
                Key::Not(Box::new(first))
            } else {
                cursor.space()?;
                Key::Or(Box::new(first), Box::new(key(cursor, budget)?))
            };
            cursor.close();
            found
        }
    })
}

/// `MODSEQ [entry type] number`: what is said of single metadata counts as said of the message. RFC 7162 3.1.5.
fn mod_sequence<'a>(cursor: &mut Cursor<'a>) -> Parsed<Key<'a>> {
    if cursor.peek() == Some(b'"') {
        let entry = cursor.string()?;
        if !entry.starts_with(b"/flags/") {
            return Err(Bad("unknown metadata entry"));
        }
        cursor.space()?;
        let kind = cursor.keyword()?.to_ascii_lowercase();
        if !["priv", "shared", "all"].contains(&kind.as_str()) {
            return Err(Bad("expected priv, shared or all"));
        }
        cursor.space()?;
    }
    cursor.number64().map(Key::ModSeq)
}
