//! `doveadm acl`: who may do what with a mailbox, in Dovecot's words.

use store::rights::OWNER;
use store::{Name, Rights};

use super::account::Reader;
use super::print::{Column, Format};
use super::whom::{self, Error};
use super::{Call, End, IMPOSSIBLE, Verb, options};

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "acl add", usage: CHANGE, run: |call, verb, words| change(call, verb, words, Mode::Add) },
    Verb { name: "acl delete", usage: "[-u <user>|-A] [-S <socket_path>] <mailbox> <id>", run: delete },
    Verb { name: "acl get", usage: "[-u <user>|-A] [-S <socket_path>] [-m] <mailbox>", run: get },
    Verb { name: "acl recalc", usage: "[-u <user>|-A] [-S <socket_path>]", run: recalc },
    Verb {
        name: "acl remove",
        usage: CHANGE,
        run: |call, verb, words| change(call, verb, words, Mode::Remove),
    },
    Verb { name: "acl rights", usage: "[-u <user>|-A] [-S <socket_path>] <mailbox>", run: rights },
    Verb { name: "acl set", usage: CHANGE, run: |call, verb, words| change(call, verb, words, Mode::Set) },
];

const CHANGE: &str = "[-u <user>|-A] [-S <socket_path>] <mailbox> <id> <right> [<right> ...]";

/// Dovecot's words for rights, in the order of its output.
const WORDS: [(&str, Rights); 11] = [
    ("lookup", Rights::LOOKUP),
    ("read", Rights::READ),
    ("write", Rights::WRITE),
    ("write-seen", Rights::SEEN),
    ("write-deleted", Rights::DELETED),
    ("insert", Rights::INSERT),
    ("post", Rights::POST),
    ("expunge", Rights::EXPUNGE),
    ("create", Rights::CREATE),
    ("delete", Rights::DELETE),
    ("admin", Rights::ADMIN),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Add,
    Remove,
    Set,
}

fn get(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}m", whom::OPTIONS), || verb.wrong().text)?;
    let [mailbox] = options.rest.as_slice() else { return Err(verb.wrong()) };
    let columns = vec![Column::named("ID"), Column::named("Global"), Column::named("Rights")];
    whom::each(call, &options, Format::Table, columns, |reader, rows| {
        let name = name(reader, mailbox)?;
        let mut list = reader.store.acl(&name).map_err(|error| failed(mailbox, &error))?;
        if options.has('m') {
            let own = &reader.user;
            list.retain(|(id, _)| id == own || matches!(id.as_str(), "anyone" | "authenticated" | OWNER));
        }
        for (identifier, letters) in &list {
            let rights = Rights::parse(letters).unwrap_or_default();
            rows.row(vec![shown(identifier), String::new(), words_of(rights)])?;
        }
        Ok(())
    })
}

fn rights(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    let [mailbox] = options.rest.as_slice() else { return Err(verb.wrong()) };
    whom::each(call, &options, Format::Table, vec![Column::named("Rights")], |reader, rows| {
        let rights = reader.store.rights(&name(reader, mailbox)?);
        rows.row(vec![words_of(rights.map_err(|error| failed(mailbox, &error))?)])
    })
}

fn change(call: &Call, verb: &Verb, words: &[String], mode: Mode) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    let [mailbox, id, given @ ..] = options.rest.as_slice() else { return Err(verb.wrong()) };
    if given.is_empty() {
        return Err(verb.wrong());
    }
    let identifier = kept(id)?;
    let given = given.iter().try_fold(Rights::NONE, |rights, word| Ok(rights | right(word)?))?;
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        let name = name(reader, mailbox)?;
        let list = reader.store.acl(&name).map_err(|error| failed(mailbox, &error))?;
        let known = list.iter().find(|(known, _)| *known == identifier);
        let before = match known {
            Some((_, letters)) => Rights::parse(letters).unwrap_or_default(),
            None if identifier == OWNER => Rights::ALL,
            None => Rights::NONE,
        };
        let rights = match mode {
            Mode::Add => before | given,
            Mode::Remove => before & !given,
            Mode::Set => given,
        };
        let done = reader.store.set_acl(&name, &identifier, Some(&rights.letters()));
        done.map_err(|error| failed(mailbox, &error))
    })
}

fn delete(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    let [mailbox, id] = options.rest.as_slice() else { return Err(verb.wrong()) };
    let identifier = kept(id)?;
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        let done = reader.store.set_acl(&name(reader, mailbox)?, &identifier, None);
        done.map_err(|error| failed(mailbox, &error))
    })
}

/// Who shares what is read from the rights themselves: there is no list that could be wrong. The accounts must be there.
fn recalc(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    if !options.rest.is_empty() {
        return Err(verb.wrong());
    }
    whom::each(call, &options, Format::Flow, Vec::new(), |_, _| Ok(()))
}

fn name(reader: &Reader, mailbox: &str) -> Result<Name, Error> {
    reader.name(mailbox).map_err(|error| failed(mailbox, &error))
}

fn failed(mailbox: &str, error: &store::Error) -> Error {
    Error::store(format!("ACL of mailbox {mailbox}"), mailbox, error)
}

fn words_of(rights: Rights) -> String {
    let words: Vec<&str> = WORDS.iter().filter(|known| rights.has(known.1)).map(|known| known.0).collect();
    words.join(" ")
}

fn right(word: &str) -> Result<Rights, End> {
    let known = WORDS.iter().find(|known| known.0 == word).map(|known| known.1);
    known.ok_or_else(|| End {
        status: IMPOSSIBLE,
        text: format!("doveadm: Fatal: Unknown right: {word}; the rights are {}", words_of(Rights::ALL)),
    })
}

/// `user=joe`, `group=staff`, `anyone`, `authenticated`, `owner`, each with `-` before it to take rights away.
fn kept(id: &str) -> Result<String, End> {
    let (sign, plain) = id.split_at(usize::from(id.starts_with('-')));
    let plain = match plain.split_once('=') {
        Some(("user", user)) if !user.is_empty() => user.to_owned(),
        Some(("group", group)) if !group.is_empty() => format!("${group}"),
        None if matches!(plain, "anyone" | "authenticated" | OWNER) => plain.to_owned(),
        _ => {
            let text = format!(
                "doveadm: Fatal: Invalid ID: {id}; write user=, group=, anyone, authenticated or owner"
            );
            return Err(End { status: IMPOSSIBLE, text });
        }
    };
    Ok(format!("{sign}{plain}"))
}

/// The same the other way round.
fn shown(identifier: &str) -> String {
    let (sign, plain) = identifier.split_at(usize::from(identifier.starts_with('-')));
    match plain.strip_prefix('$') {
        Some(group) => format!("{sign}group={group}"),
        None if matches!(plain, "anyone" | "authenticated" | OWNER) => identifier.to_owned(),
        None => format!("{sign}user={plain}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_rights_have_dovecots_words() {
        for (id, identifier) in
            [("user=joe", "joe"), ("group=staff", "$staff"), ("-user=joe", "-joe"), ("owner", "owner")]
        {
            assert_eq!(kept(id).unwrap(), identifier);
            assert_eq!(shown(identifier), id);
        }
        assert!(kept("joe").is_err() && kept("user=").is_err());
        assert_eq!(words_of(right("read").unwrap() | right("lookup").unwrap()), "lookup read");
        assert!(right("r").is_err());
    }
}
