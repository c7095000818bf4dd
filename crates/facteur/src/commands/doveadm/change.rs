//! `doveadm expunge`, `flags`, `copy`, `move`, `save` and `import`.

use std::io::Read;

use store::{FlagChange, Flags, Location, Mode, NewMessage, Owner, Settings, UidSet};

use super::account::{self, Reader};
use super::print::Format;
use super::query::Key;
use super::search::{Hits, each_mailbox, read_query};
use super::whom::{self, Done, Error};
use super::{Call, End, Verb, options, sync};

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "expunge", usage: "[-u <user>|-A] [-S <socket_path>] [-d] <search query>", run: expunge },
    Verb {
        name: "flags add",
        usage: "[-u <user>|-A] [-S <socket_path>] <flags> <search query>",
        run: flags_add,
    },
    Verb {
        name: "flags remove",
        usage: "[-u <user>|-A] [-S <socket_path>] <flags> <search query>",
        run: flags_remove,
    },
    Verb {
        name: "flags replace",
        usage: "[-u <user>|-A] [-S <socket_path>] <flags> <search query>",
        run: flags_replace,
    },
    Verb { name: "copy", usage: "[-u <user>|-A] [-S <socket_path>] <destination> <search query>", run: copy },
    Verb {
        name: "move",
        usage: "[-u <user>|-A] [-S <socket_path>] <destination> <search query>",
        run: move_to,
    },
    Verb { name: "save", usage: "[-u <user>|-A] [-S <socket_path>] [-m mailbox]", run: save },
    Verb {
        name: "import",
        usage: "[-u <user>|-A] [-S <socket_path>] [-s] <source mail location> <dest parent mailbox> <search query>",
        run: import,
    },
];

fn found(hits: &Hits) -> UidSet {
    hits.messages.iter().map(|(_, entry)| entry.uid).collect()
}

fn expunge(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}md", whom::OPTIONS), || verb.wrong().text)?;
    if options.rest.is_empty() {
        return Err(verb.wrong());
    }
    let key = read_query(&options.rest)?;
    if !key.names_mailbox() {
        return Err(End::usage(
            "Fatal: expunge: To avoid accidents, search query must contain MAILBOX in all search branches",
        ));
    }
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        each_mailbox(reader, &key, |hits| {
            let uids = found(&hits);
            let failed = |error| Error::store(format!("expunge from {}", hits.name), &hits.name, &error);
            hits.mailbox.store(&uids, &FlagChange::new(Mode::Add, Flags::DELETED)).map_err(failed)?;
            let gone = hits.mailbox.expunge(Some(&uids)).map_err(failed)?;
            if call.verbose {
                eprintln!(
                    "doveadm({}): Info: expunged {} messages from {}",
                    reader.user,
                    gone.len(),
                    hits.name
                );
            }
            // -d: the mailbox goes with its last message.
            if options.has('d') && hits.mailbox.view().is_empty() && !hits.mailbox.name().is_inbox() {
                let name = hits.mailbox.name();
                reader.store.delete(&name).map_err(failed)?;
            }
            Ok(())
        })
    })
}

fn flags_add(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    flags(call, verb, words, Mode::Add)
}

fn flags_remove(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    flags(call, verb, words, Mode::Remove)
}

fn flags_replace(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    flags(call, verb, words, Mode::Replace)
}

fn flags(call: &Call, verb: &Verb, words: &[String], mode: Mode) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    let [names, query @ ..] = options.rest.as_slice() else { return Err(verb.wrong()) };
    if query.is_empty() {
        return Err(verb.wrong());
    }
    let mut change = FlagChange::new(mode, Flags::NONE);
    for name in names.split_ascii_whitespace() {
        match Flags::from_name(name) {
            Some(flag) => change.flags = change.flags | flag,
            None if name.starts_with('\\') => {
                return Err(End::fatal(format!("Invalid system flag: {name}")));
            }
            None => change.keywords.push(name.to_owned()),
        }
    }
    let key = read_query(query)?;
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        each_mailbox(reader, &key, |hits| {
            let done = hits.mailbox.store(&found(&hits), &change);
            done.map(drop)
                .map_err(|error| Error::store(format!("flags in {}", hits.name), &hits.name, &error))
        })
    })
}

fn copy(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    transfer(call, verb, words, false)
}

fn move_to(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    transfer(call, verb, words, true)
}

fn transfer(call: &Call, verb: &Verb, words: &[String], moving: bool) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    let [destination, query @ ..] = options.rest.as_slice() else { return Err(verb.wrong()) };
    if query.is_empty() {
        return Err(verb.wrong());
    }
    let key = read_query(query)?;
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        let doing = || format!("Can't open mailbox '{destination}'");
        let name = reader.name(destination).map_err(|error| Error::store(doing(), destination, &error))?;
        let to = reader.store.open(&name).map_err(|error| Error::store(doing(), destination, &error))?;
        // All are found before the first is copied: a copy must not be found again.
        let mut all = Vec::new();
        each_mailbox(reader, &key, |hits| {
            all.push(hits);
            Ok(())
        })?;
        for hits in all.iter().filter(|hits| !hits.messages.is_empty() && hits.mailbox.name() != name) {
            let uids = found(hits);
            let done = match moving {
                true => hits.mailbox.move_to(&uids, to.as_ref()),
                false => hits.mailbox.copy(&uids, to.as_ref()),
            };
            done.map_err(|error| {
                Error::store(format!("{} from {}", verb.name, hits.name), destination, &error)
            })?;
        }
        Ok(())
    })
}

fn save(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}m:", whom::OPTIONS), || verb.wrong().text)?;
    let destination = options.value('m').unwrap_or("INBOX");
    let mut content = Vec::new();
    std::io::stdin().read_to_end(&mut content).map_err(End::fatal)?;
    let content = mime::crlf::wire(&content).into_owned();
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        let failed =
            |error| Error::store(format!("Failed to open mailbox {destination}"), destination, &error);
        let name = reader.name(destination).map_err(failed)?;
        let mailbox = reader.store.open(&name).map_err(failed)?;
        let message = NewMessage {
            content: content.clone().into(),
            flags: Flags::NONE,
            keywords: Vec::new(),
            received: account::now(),
        };
        mailbox.append(&[message]).map(drop).map_err(|error| {
            Error::store(format!("Saving to mailbox {destination} failed"), destination, &error)
        })
    })
}

fn import(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}U:s", whom::OPTIONS), || verb.wrong().text)?;
    let [source, parent, query @ ..] = options.rest.as_slice() else { return Err(verb.wrong()) };
    if query.is_empty() {
        return Err(verb.wrong());
    }
    let key = read_query(query)?;
    if source.split(':').next() == Some("imapc") {
        return whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
            let user = options.value('U').unwrap_or(&reader.user);
            sync::fetched::each(call, reader, user, |from| {
                bring(reader, from, &key, parent, options.has('s'))
            })
        });
    }
    let location = Location::parse(source).map_err(End::fatal)?;
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        let owner = Owner {
            user: options.value('U').unwrap_or(&reader.user).to_owned(),
            ..reader.store.owner().clone()
        };
        let settings = std::sync::Arc::new(Settings::plain(account::now));
        let from = store::open_account(&settings, &location, &owner)
            .map_err(|error| Error::store(format!("Opening {source} failed"), source, &error))?;
        bring(reader, &reader.beside(from), &key, parent, options.has('s'))
    })
}

/// Copies what a query finds in another store into mailboxes of the same names below `parent`.
fn bring(reader: &Reader, from: &Reader, key: &Key, parent: &str, subscribe: bool) -> Done {
    let separator = reader.store.separator();
    each_mailbox(from, key, |hits| {
        if hits.messages.is_empty() {
            return Ok(());
        }
        let name = hits.mailbox.name().shown(separator);
        let shown = if parent.is_empty() { name } else { format!("{parent}{separator}{name}") };
        let failed = |error| Error::store(format!("Can't import into mailbox {shown}"), &shown, &error);
        let target = reader.name(&shown).map_err(failed)?;
        match reader.store.create(&target, None) {
            Ok(_) | Err(store::Error::Exists) => {}
            Err(error) => return Err(failed(error)),
        }
        if subscribe {
            reader.store.subscribe(&target, true).map_err(failed)?;
        }
        let to = reader.store.open(&target).map_err(failed)?;
        hits.mailbox.copy(&found(&hits), to.as_ref()).map(drop).map_err(failed)
    })
}
