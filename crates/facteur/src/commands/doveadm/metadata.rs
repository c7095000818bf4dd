//! `doveadm mailbox metadata`: annotations (RFC 5464) of mailboxes and of the account.

use store::Name;

use super::account::Reader;
use super::print::{Column, Format};
use super::whom::{self, Error};
use super::{Call, End, IMPOSSIBLE, Verb, options};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "mailbox metadata get",
        usage: "[-u <user>|-A] [-S <socket_path>] [-s] <mailbox> <key>",
        run: get,
    },
    Verb {
        name: "mailbox metadata list",
        usage: "[-u <user>|-A] [-S <socket_path>] [-p] [-s] <mailbox> [<key prefix>]",
        run: list,
    },
    Verb {
        name: "mailbox metadata set",
        usage: "[-u <user>|-A] [-S <socket_path>] [-s] <mailbox> <key> <value>",
        run: set,
    },
    Verb {
        name: "mailbox metadata unset",
        usage: "[-u <user>|-A] [-S <socket_path>] [-s] <mailbox> <key>",
        run: unset,
    },
];

/// The two kinds of annotations: for the user alone, and for all who may read the mailbox.
const KINDS: [&str; 2] = ["/private", "/shared"];

/// A key in lower case, as IMAP stores it.
fn key(text: &str) -> Result<String, End> {
    let text = text.to_ascii_lowercase();
    let is_one = |kind: &str| text.strip_prefix(kind).is_some_and(|rest| rest.starts_with('/'));
    if KINDS.into_iter().any(is_one) {
        return Ok(text);
    }
    Err(End::usage(format!(
        "doveadm: Fatal: Invalid metadata key '{text}': Must begin with /private or /shared"
    )))
}

/// The mailbox of the command; none with `-s` or an empty name, for the account.
fn place(reader: &Reader, options: &options::Options, mailbox: &str) -> Result<Option<Name>, Error> {
    if options.has('s') || mailbox.is_empty() {
        return Ok(None);
    }
    let failed = |error| Error::store(format!("Mailbox {mailbox}"), mailbox, &error);
    let name = reader.name(mailbox).map_err(failed)?;
    reader.store.open(&name).map_err(failed)?;
    Ok(Some(name))
}

fn failed(mailbox: &str, doing: &str, error: &store::Error) -> Error {
    Error::store(format!("Mailbox {mailbox}: {doing}"), mailbox, error)
}

fn get(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}s", whom::OPTIONS), || verb.wrong().text)?;
    let [mailbox, wanted] = options.rest.as_slice() else { return Err(verb.wrong()) };
    let wanted = key(wanted)?;
    whom::each(call, &options, Format::Pager, vec![Column::bare("value")], |reader, rows| {
        let name = place(reader, &options, mailbox)?;
        let known = reader.store.metadata(name.as_ref());
        let known = known.map_err(|error| failed(mailbox, "Failed to get attribute", &error))?;
        let value = known.into_iter().find(|(entry, _)| *entry == wanted).map(|(_, value)| value);
        rows.row(vec![String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()])
    })
}

fn list(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}sp", whom::OPTIONS), || verb.wrong().text)?;
    let (mailbox, below) = match options.rest.as_slice() {
        [mailbox] => (mailbox, String::new()),
        [mailbox, below] => (mailbox, key(&format!("{below}/"))?),
        _ => return Err(verb.wrong()),
    };
    let below = below.trim_end_matches('/');
    whom::each(call, &options, Format::Pager, vec![Column::bare("key")], |reader, rows| {
        let name = place(reader, &options, mailbox)?;
        let known = reader.store.metadata(name.as_ref());
        let known = known.map_err(|error| failed(mailbox, "Failed to iterate mailbox attributes", &error))?;
        for (entry, _) in &known {
            let is_below = |rest: &str| below.is_empty() || rest.is_empty() || rest.starts_with('/');
            if !entry.strip_prefix(below).is_some_and(is_below) {
                continue;
            }
            let bare = KINDS.iter().find_map(|kind| entry.strip_prefix(kind)?.strip_prefix('/'));
            let shown = if options.has('p') { entry } else { bare.unwrap_or(entry) };
            rows.row(vec![shown.to_owned()])?;
        }
        Ok(())
    })
}

fn set(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}s", whom::OPTIONS), || verb.wrong().text)?;
    let [mailbox, wanted, value] = options.rest.as_slice() else { return Err(verb.wrong()) };
    put(call, &options, mailbox, &key(wanted)?, Some(value))
}

fn unset(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}s", whom::OPTIONS), || verb.wrong().text)?;
    let [mailbox, wanted] = options.rest.as_slice() else { return Err(verb.wrong()) };
    put(call, &options, mailbox, &key(wanted)?, None)
}

fn put(
    call: &Call,
    options: &options::Options,
    mailbox: &str,
    wanted: &str,
    value: Option<&str>,
) -> Result<u8, End> {
    if wanted.len() > 255 || wanted.contains("//") || wanted.ends_with('/') {
        let text = format!("doveadm: Fatal: Invalid metadata key '{wanted}'");
        return Err(End { status: IMPOSSIBLE, text });
    }
    whom::each(call, options, Format::Flow, Vec::new(), |reader, _| {
        let name = place(reader, options, mailbox)?;
        let done = reader.store.set_metadata(name.as_ref(), wanted, value.map(str::as_bytes));
        done.map_err(|error| failed(mailbox, "Failed to set attribute", &error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_whose_they_are() {
        assert_eq!(key("/Private/Comment").unwrap(), "/private/comment");
        for wrong in ["comment", "/other/x", "/private", "/privateer/x"] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }
}
