//! `doveadm search` and `doveadm fetch`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use store::{Entry, Mailbox, View};

use super::account::{self, Reader};
use super::fetch::{self, Field};
use super::print::{Column, Format};
use super::query::{self, Key, Now};
use super::whom::{self, Done, Error};
use super::{Call, End, Verb, options};

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "search", usage: "[-u <user>|-A] [-S <socket_path>] <search query>", run: search },
    Verb { name: "fetch", usage: "[-u <user>|-A] [-S <socket_path>] <fields> <search query>", run: fetch },
];

/// Reads a query of the command line.
pub(super) fn read_query(words: &[String]) -> Result<Key, End> {
    query::parse(words, &now()).map_err(End::fatal)
}

/// What dates of the command line are counted from.
pub(super) fn now() -> Now {
    Now { seconds: account::now(), zone: TimeZone::system() }
}

/// What is found in one mailbox.
pub(super) struct Hits {
    pub mailbox: Arc<dyn Mailbox>,
    /// Its name, as shown.
    pub name: String,
    pub view: Arc<View>,
    /// With their sequence numbers.
    pub messages: Vec<(u32, Entry)>,
}

/// Searches the mailboxes that a query can be about.
pub(super) fn each_mailbox(reader: &Reader, key: &Key, mut work: impl FnMut(Hits) -> Done) -> Done {
    let mut any = false;
    for folder in reader.folders()?.into_iter().filter(|folder| folder.selectable) {
        let name = reader.shown(&folder.name);
        let guid = || reader.store.status(&folder.name).ok().map(|status| status.mailbox_id);
        if !key.may_match(&name, &guid) {
            continue;
        }
        any = true;
        let mailbox = reader.mailbox(&folder.name)?;
        let view = mailbox.view();
        let messages = key.find(&mailbox, &name, &view)?;
        work(Hits { mailbox, name, view, messages })?;
    }
    match named(key) {
        // A mailbox that was named and is not there is worth a word.
        Some(name) if !any => {
            let error =
                Error::store(format!("Syncing mailbox '{name}' failed"), name, &store::Error::NoMailbox);
            Err(error)
        }
        _ => Ok(()),
    }
}

/// The mailbox a query names without a wildcard.
fn named(key: &Key) -> Option<&str> {
    match key {
        Key::Mailbox(name) if !name.contains(['*', '?']) => Some(name),
        Key::And(keys) => keys.iter().find_map(named),
        _ => None,
    }
}

fn search(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    if options.rest.is_empty() {
        return Err(verb.wrong());
    }
    let key = read_query(&options.rest)?;
    let columns = vec![Column::bare("mailbox-guid"), Column::bare("uid")];
    whom::each(call, &options, Format::Flow, columns, |reader, rows| {
        each_mailbox(reader, &key, |hits| {
            let guid = hits.mailbox.mailbox_id();
            hits.messages
                .iter()
                .try_for_each(|(_, entry)| rows.row(vec![guid.clone(), entry.uid.to_string()]))
        })
    })
}

fn fetch(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    let [fields, query @ ..] = options.rest.as_slice() else { return Err(verb.wrong()) };
    if query.is_empty() {
        return Err(verb.wrong());
    }
    let mut wanted = Vec::new();
    for name in fields.split_ascii_whitespace() {
        let field = Field::named(name).ok_or_else(|| {
            eprintln!("Available fetch fields: {}", fetch::NAMES);
            End::fatal(format!("Unknown fetch field: {name}"))
        })?;
        wanted.push((name.to_owned(), field));
    }
    let key = read_query(query)?;
    let column = |(name, field): &(String, Field)| {
        if field.is_text() { Column::text(name) } else { Column::named(name) }
    };
    let columns = wanted.iter().map(column).collect();
    whom::each(call, &options, Format::Pager, columns, |reader, rows| {
        each_mailbox(reader, &key, |hits| {
            for (number, entry) in &hits.messages {
                let message = fetch::Message::new(&reader.user, &hits, *number, entry);
                let values: Result<Vec<String>, _> =
                    wanted.iter().map(|(_, field)| message.value(field)).collect();
                match values {
                    Ok(values) => rows.row(values)?,
                    // Gone since it was found.
                    Err(store::Error::NoMessage) => {}
                    Err(error) => {
                        return Err(Error::store(format!("fetch from {}", hits.name), &hits.name, &error));
                    }
                }
            }
            Ok(())
        })
    })
}
