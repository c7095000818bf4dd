//! `doveadm mailbox`: list, status, create, delete, rename, subscribe, unsubscribe.

use store::{Flags, Name};

use super::account::Reader;
use super::options;
use super::print::{Column, Format};
use super::whom::{self, Done, Error, matches};
use super::{Call, End, Verb};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "mailbox create",
        usage: "[-u <user>|-A] [-S <socket_path>] [-s] <mailbox> [...]",
        run: create,
    },
    Verb {
        name: "mailbox delete",
        usage: "[-u <user>|-A] [-S <socket_path>] [-e] [-r] [-s] <mailbox> [...]",
        run: delete,
    },
    Verb {
        name: "mailbox list",
        usage: "[-u <user>|-A] [-S <socket_path>] [-7|-8] [-s] [<mailbox mask> [...]]",
        run: list,
    },
    Verb {
        name: "mailbox rename",
        usage: "[-u <user>|-A] [-S <socket_path>] [-s] <old name> <new name>",
        run: rename,
    },
    Verb {
        name: "mailbox status",
        usage: "[-u <user>|-A] [-S <socket_path>] [-t] <fields> <mailbox> [...]",
        run: status,
    },
    Verb {
        name: "mailbox subscribe",
        usage: "[-u <user>|-A] [-S <socket_path>] <mailbox> [...]",
        run: subscribe,
    },
    Verb {
        name: "mailbox unsubscribe",
        usage: "[-u <user>|-A] [-S <socket_path>] <mailbox> [...]",
        run: unsubscribe,
    },
];

/// Reads the options of a command that has these besides those of all.
fn read(verb: &Verb, words: &[String], own: &str, least: usize) -> Result<options::Options, End> {
    let known = format!("{}{own}", whom::OPTIONS);
    let options = options::read(words, &known, || verb.wrong().text)?;
    if options.rest.len() < least {
        return Err(verb.wrong());
    }
    Ok(options)
}

fn list(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = read(verb, words, "78s", 0)?;
    whom::each(call, &options, Format::Flow, vec![Column::bare("mailbox")], |reader, rows| {
        let shown: Vec<String> = match options.has('s') {
            true => {
                let names = reader.store.subscriptions();
                let names =
                    names.map_err(|error| Error::store("Listing subscriptions failed", "", &error))?;
                names.iter().map(|name| reader.shown(name)).collect()
            }
            false => reader.folders()?.iter().map(|folder| reader.shown(&folder.name)).collect(),
        };
        for name in shown {
            let wanted = options.rest.is_empty()
                || options.rest.iter().any(|mask| matches(mask, &name, Some(reader.store.separator())));
            if wanted {
                rows.row(vec![if options.has('7') { store::to_utf7(&name) } else { name }])?;
            }
        }
        Ok(())
    })
}

/// The fields of `mailbox status`, in the order of Dovecot's output.
const FIELDS: [&str; 10] = [
    "messages",
    "recent",
    "uidnext",
    "uidvalidity",
    "unseen",
    "highestmodseq",
    "vsize",
    "guid",
    "firstsaved",
    "deleted",
];

fn status(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = read(verb, words, "t", 2)?;
    let asked: Vec<&str> = options.rest[0].split_ascii_whitespace().collect();
    if let Some(unknown) = asked.iter().find(|field| **field != "all" && !FIELDS.contains(field)) {
        return Err(End::usage(format!("Fatal: Unknown status field: {unknown}")));
    }
    let all = asked.contains(&"all");
    let total = options.has('t');
    let sums = ["messages", "recent", "unseen", "vsize", "deleted"];
    let fields: Vec<&str> = FIELDS
        .into_iter()
        .filter(|field| asked.contains(field) || all && *field != "deleted")
        .filter(|field| !total || sums.contains(field))
        .collect();
    let mut columns = if total { Vec::new() } else { vec![Column::bare("mailbox")] };
    columns.extend(fields.iter().map(|field| Column::named(field)));
    whom::each(call, &options, Format::Flow, columns, |reader, rows| {
        let mut totals = vec![0u64; fields.len()];
        let wanted = &options.rest[1..];
        let folders = reader.folders()?;
        // A name without wildcards is meant.
        let separator = Some(reader.store.separator());
        let is_there =
            |mask: &String| folders.iter().any(|found| matches(mask, &reader.shown(&found.name), separator));
        let missing = wanted.iter().find(|mask| !mask.contains(['*', '%']) && !is_there(mask));
        for folder in folders.iter().filter(|folder| folder.selectable) {
            let shown = reader.shown(&folder.name);
            if !wanted.iter().any(|mask| matches(mask, &shown, Some(reader.store.separator()))) {
                continue;
            }
            let values = values(reader, &folder.name, &fields)?;
            if total {
                totals.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value.parse().unwrap_or(0));
                continue;
            }
            rows.row(std::iter::once(shown).chain(values).collect())?;
        }
        if total {
            rows.row(totals.iter().map(ToString::to_string).collect())?;
        }
        missing.map_or(Ok(()), |name| {
            let doing = format!("Mailbox {name}: Failed to lookup mailbox status");
            Err(Error::store(doing, name, &store::Error::NoMailbox))
        })
    })
}

fn values(reader: &Reader, name: &Name, fields: &[&str]) -> Result<Vec<String>, Error> {
    let shown = reader.shown(name);
    let status = reader
        .store
        .status(name)
        .map_err(|error| Error::store(format!("Mailbox {shown}: Failed to sync mailbox"), &shown, &error))?;
    let first_saved = match fields.contains(&"firstsaved") {
        true => reader.mailbox(name)?.view().get(1).map(|entry| entry.saved),
        false => None,
    };
    let value = |field: &&str| match *field {
        "messages" => status.messages.to_string(),
        "recent" => status.recent.to_string(),
        "uidnext" => status.uidnext.to_string(),
        "uidvalidity" => status.uidvalidity.to_string(),
        "unseen" => status.unseen.to_string(),
        "highestmodseq" => status.modseq.to_string(),
        "vsize" => status.size.to_string(),
        "guid" => status.mailbox_id.clone(),
        "deleted" => status.deleted.to_string(),
        _ => first_saved.map_or_else(|| "never".to_owned(), |saved| saved.to_string()),
    };
    Ok(fields.iter().map(value).collect())
}

/// Does something to each mailbox named; all are tried, and the last failure counts.
fn each_named(
    call: &Call,
    options: &options::Options,
    doing: &str,
    work: impl Fn(&Reader, &Name) -> store::Result<()>,
) -> Result<u8, End> {
    whom::each(call, options, Format::Flow, Vec::new(), |reader, _| {
        let mut last: Done = Ok(());
        for text in &options.rest {
            let done = reader.name(text).and_then(|name| work(reader, &name));
            if let Err(error) = done {
                if let Err(Error { text, .. }) = &last {
                    eprintln!("doveadm({}): Error: {text}", reader.user);
                }
                last = Err(Error::store(format!("Can't {doing} mailbox {text}"), text, &error));
            }
        }
        last
    })
}

fn create(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = read(verb, words, "s", 1)?;
    each_named(call, &options, "create", |reader, name| {
        reader.store.create(name, None)?;
        if options.has('s') { reader.store.subscribe(name, true) } else { Ok(()) }
    })
}

fn delete(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = read(verb, words, "ers", 1)?;
    each_named(call, &options, "delete", |reader, name| {
        if name.is_inbox() {
            return Err(store::Error::Unsupported("INBOX can't be deleted."));
        }
        let mut names = vec![name.clone()];
        if options.has('r') {
            let below = reader.store.folders()?.into_iter().map(|folder| folder.name);
            names.extend(below.filter(|other| other.is_below(name)));
            // Those deepest down first.
            names.sort_by(|a, b| b.cmp(a));
        }
        for name in names {
            if options.has('e') && reader.store.status(&name)?.messages > 0 {
                return Err(store::Error::Unsupported("the mailbox is not empty"));
            }
            match reader.store.delete(&name) {
                // A level of its own has nothing to delete.
                Err(store::Error::NoMailbox) if options.has('r') => {}
                done => done?,
            }
            if options.has('s') {
                reader.store.subscribe(&name, false)?;
            }
        }
        Ok(())
    })
}

fn rename(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = read(verb, words, "s", 2)?;
    let [from, to] = options.rest.as_slice() else { return Err(verb.wrong()) };
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        let doing = || format!("Can't rename mailbox {from} to {to}");
        let names = reader.name(from).and_then(|old| Ok((old, reader.name(to)?)));
        let (old, new) = names.map_err(|error| Error::store(doing(), from, &error))?;
        reader.store.rename(&old, &new).map_err(|error| Error::store(doing(), from, &error))?;
        if options.has('s') {
            let moved = reader.store.subscribe(&old, false).and_then(|()| reader.store.subscribe(&new, true));
            moved.map_err(|error| Error::store(doing(), from, &error))?;
        }
        Ok(())
    })
}

fn subscribe(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = read(verb, words, "", 1)?;
    each_named(call, &options, "subscribe", |reader, name| reader.store.subscribe(name, true))
}

fn unsubscribe(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = read(verb, words, "", 1)?;
    each_named(call, &options, "unsubscribe", |reader, name| reader.store.subscribe(name, false))
}

/// Flags and keywords as doveadm shows them.
pub(super) fn flags(flags: Flags, recent: bool, keywords: &[&str]) -> String {
    let mut names: Vec<&str> = flags.names().collect();
    names.extend(recent.then_some("\\Recent"));
    names.extend(keywords);
    names.join(" ")
}
