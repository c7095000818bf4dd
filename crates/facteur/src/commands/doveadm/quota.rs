//! `doveadm quota get`, `doveadm quota recalc`, `doveadm force-resync`.

use super::print::{Column, Format};
use super::whom::{self, Error, matches};
use super::{Call, End, Verb, options};

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "quota get", usage: "[-u <user>|-A] [-S <socket_path>]", run: get },
    Verb { name: "quota recalc", usage: "[-u <user>|-A] [-S <socket_path>]", run: recalc },
    Verb {
        name: "force-resync",
        usage: "[-u <user>|-A] [-S <socket_path>] [-f] <mailbox mask>",
        run: resync,
    },
];

fn get(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    let names = ["Quota name", "Type"].map(Column::named);
    let columns = [&names[..], &["Value", "Limit", "%"].map(Column::number)].concat();
    whom::each(call, &options, Format::Table, columns, |reader, rows| {
        let used = reader.store.usage().map_err(|error| Error::store("Failed to get quota", "", &error))?;
        let limits = reader.store.limits();
        // Dovecot counts storage in KiB.
        let kinds = [
            ("STORAGE", used.bytes.div_ceil(1024), limits.bytes.map(|bytes| bytes / 1024)),
            ("MESSAGE", used.messages, limits.messages),
        ];
        for (kind, used, limit) in kinds {
            let share = limit.filter(|limit| *limit > 0).map_or(0, |limit| used * 100 / limit);
            let limit = limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
            rows.row(vec![
                "User quota".to_owned(),
                kind.to_owned(),
                used.to_string(),
                limit,
                share.to_string(),
            ])?;
        }
        Ok(())
    })
}

fn recalc(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, whom::OPTIONS, || verb.wrong().text)?;
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        let counted = reader.store.recount();
        counted.map(drop).map_err(|error| Error::store("Failed to recalculate quota", "", &error))
    })
}

fn resync(call: &Call, verb: &Verb, words: &[String]) -> Result<u8, End> {
    let options = options::read(words, &format!("{}f", whom::OPTIONS), || verb.wrong().text)?;
    let [mask] = options.rest.as_slice() else { return Err(verb.wrong()) };
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        for folder in reader.folders()?.into_iter().filter(|folder| folder.selectable) {
            let shown = reader.shown(&folder.name);
            if matches(mask, &shown, Some(reader.store.separator())) {
                reader.mailbox(&folder.name)?.refresh().map_err(|error| {
                    Error::store(format!("Forcing a resync on mailbox {shown} failed"), &shown, &error)
                })?;
            }
        }
        Ok(())
    })
}
