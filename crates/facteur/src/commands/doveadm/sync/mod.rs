//! `doveadm sync` and `doveadm backup`: an account here and another place of its mail become the same, where that is of
//! another kind or on another host.

pub(super) mod fetched;
mod plan;
mod remote;
mod side;
mod wire;

use std::sync::Arc;

use store::{Location, Name, NewMessage, Settings};

use self::plan::{Contents, Message, Mode, Plan, Work, plan};
use self::remote::Remote;
use self::side::{Found, Local, Side};
use super::account::{self, Reader};
use super::print::Format;
use super::query;
use super::search;
use super::whom::{self, Done, Error};
use super::{Call, End, IMPOSSIBLE, Verb, options};

/// Messages that are held in memory at a time, and their octets.
const MOST: usize = 200;
const MOST_OCTETS: usize = 16 << 20;

pub(super) const VERBS: &[Verb] = &[
    Verb { name: "backup", usage: BACKUP, run: |call, verb, words| run(call, verb, words, Mode::Backup) },
    Verb { name: "sync", usage: SYNC, run: |call, verb, words| run(call, verb, words, Mode::TwoWay) },
];

const BACKUP: &str = "[-u <user>|-A] [-fR] [-m <mailbox>] [-x <exclude>] [-t <start date>] [-e <end date>] \
    [-I <max size>] <dest>";
const SYNC: &str = "[-u <user>|-A] [-1fR] [-m <mailbox>] [-x <exclude>] [-t <start date>] [-e <end date>] \
    [-I <max size>] <dest>";

/// Which messages and mailboxes take part.
#[derive(Default)]
struct Part {
    /// `-m`
    only: Option<String>,
    /// `-x`: masks, or special uses with their backslash.
    without: Vec<String>,
    /// `-t` and `-e`, in seconds since 1970.
    from: Option<i64>,
    until: Option<i64>,
    /// `-I`
    largest: Option<u64>,
}

impl Part {
    fn has(&self, found: &Found) -> bool {
        let name = found.name.as_str();
        let special = found.special.map(store::SpecialUse::attribute);
        let left_out = |mask: &String| {
            whom::matches(mask, name, None)
                || special.is_some_and(|special| special.eq_ignore_ascii_case(mask))
        };
        let is_only =
            |only: &String| only == name || (found.name.is_inbox() && only.eq_ignore_ascii_case("INBOX"));
        self.only.as_ref().is_none_or(is_only) && !self.without.iter().any(left_out)
    }

    fn takes(&self, message: &Message) -> bool {
        self.from.is_none_or(|from| message.received >= from)
            && self.until.is_none_or(|until| message.received < until)
            && self.largest.is_none_or(|largest| message.size <= largest)
    }

    fn is_all(&self) -> bool {
        self.from.is_none() && self.until.is_none() && self.largest.is_none()
    }

    fn of(&self, mut contents: Contents) -> Contents {
        contents.messages.retain(|message| self.takes(message));
        contents
    }
}

fn run(call: &Call, verb: &Verb, words: &[String], mode: Mode) -> Result<u8, End> {
    let options = options::read(words, &format!("{}1fRm:x:t:e:I:l:", whom::OPTIONS), || verb.wrong().text)?;
    let [destination] = options.rest.as_slice() else { return Err(verb.wrong()) };
    let mode = match (mode, options.has('1')) {
        (Mode::Backup, true) => return Err(verb.wrong()),
        (Mode::TwoWay, true) => Mode::OneWay,
        (mode, _) => mode,
    };
    let date = |option: char, end: bool| match options.value(option) {
        None => Ok(None),
        Some(text) => {
            let at = query::moment(text, &search::now(), end);
            at.map(Some).ok_or_else(|| End::fatal(format!("Invalid -{option} parameter: {text}")))
        }
    };
    let largest = options
        .value('I')
        .map(|text| query::size(text).ok_or_else(|| End::fatal(format!("Invalid -I parameter: {text}"))));
    let part = Part {
        only: options.value('m').map(str::to_owned),
        without: options.values('x').map(str::to_owned).collect(),
        from: date('t', false)?,
        until: date('e', true)?,
        largest: largest.transpose()?,
    };
    if mode == Mode::Backup && !part.is_all() {
        return Err(End {
            status: IMPOSSIBLE,
            text: "Fatal: a backup has all messages; use sync -1 with -t, -e and -I".to_owned(),
        });
    }
    whom::each(call, &options, Format::Flow, Vec::new(), |reader, _| {
        let mut near = Local::new(reader.store.clone());
        let mut far = there(call, reader, destination)?;
        match options.has('R') {
            true => together(far.as_mut(), &mut near, mode, &part),
            false => together(&mut near, far.as_mut(), mode, &part),
        }
    })
}

/// The other place: `imapc:`, or a location as in `mail_location`.
fn there(call: &Call, reader: &Reader, destination: &str) -> Result<Box<dyn Side>, Error> {
    let impossible = |text: String| Error { status: IMPOSSIBLE, text };
    if destination.split(':').next() == Some("imapc") {
        let settings = remote::Settings::read(&call.settings, &reader.user).map_err(impossible)?;
        return Ok(Box::new(Remote::open(&settings)?));
    }
    if ["tcp:", "tcps:", "remote:"].iter().any(|kind| destination.starts_with(kind)) {
        let text =
            format!("{destination}: dsync's own protocol is not spoken here; use imapc: and -o imapc_host=");
        return Err(impossible(text));
    }
    let location = Location::parse(destination).map_err(impossible)?;
    let settings = Arc::new(Settings::plain(account::now));
    let owner = store::Owner { limits: Some(store::Limits::default()), ..reader.store.owner().clone() };
    let opened = store::open_account(&settings, &location, &owner);
    let store = opened.map_err(|error| Error::store(format!("Opening {destination} failed"), "", &error))?;
    if Arc::ptr_eq(&store, &reader.store) {
        return Err(impossible(format!("{destination} is where the mail of {} is", reader.user)));
    }
    Ok(Box::new(Local::new(store)))
}

fn together(source: &mut dyn Side, target: &mut dyn Side, mode: Mode, part: &Part) -> Done {
    let here: Vec<Found> = source.folders()?.into_iter().filter(|found| part.has(found)).collect();
    let there: Vec<Found> = target.folders()?.into_iter().filter(|found| part.has(found)).collect();
    let lacks = |known: &[Found], wanted: &Found| known.iter().all(|found| found.name != wanted.name);
    for found in here.iter().filter(|found| lacks(&there, found)) {
        target.create(found)?;
    }
    for found in there.iter().filter(|found| lacks(&here, found) && !found.name.is_inbox()) {
        match mode {
            Mode::Backup => target.delete(&found.name)?,
            Mode::OneWay => {}
            Mode::TwoWay => source.create(found)?,
        }
    }
    let both: Vec<&Found> = match mode {
        Mode::TwoWay => here.iter().chain(there.iter().filter(|found| lacks(&here, found))).collect(),
        Mode::Backup | Mode::OneWay => here.iter().collect(),
    };
    for found in both {
        mailbox(source, target, found, mode, part)?;
    }
    subscriptions(source, target, mode, part)
}

fn subscriptions(source: &mut dyn Side, target: &mut dyn Side, mode: Mode, part: &Part) -> Done {
    let (here, there) = (source.subscriptions()?, target.subscriptions()?);
    let takes = |name: &&Name| part.has(&Found { name: (*name).clone(), special: None });
    for name in here.iter().filter(takes).filter(|name| !there.contains(name)) {
        target.subscribe(name, true)?;
    }
    for name in there.iter().filter(takes).filter(|name| !here.contains(name)) {
        match mode {
            Mode::Backup => target.subscribe(name, false)?,
            Mode::OneWay => {}
            Mode::TwoWay => source.subscribe(name, true)?,
        }
    }
    Ok(())
}

fn mailbox(source: &mut dyn Side, target: &mut dyn Side, found: &Found, mode: Mode, part: &Part) -> Done {
    let name = &found.name;
    let (mut here, mut there) = (source.contents(name)?, target.contents(name)?);
    if mode != Mode::Backup && here.uidvalidity != there.uidvalidity {
        // An empty mailbox has no numbers that anybody goes by.
        if there.messages.is_empty() && target.takes_numbers() {
            target.renumber(name, here.uidvalidity, 1)?;
            there = target.contents(name)?;
        } else if mode == Mode::TwoWay && here.messages.is_empty() && source.takes_numbers() {
            source.renumber(name, there.uidvalidity, 1)?;
            here = source.contents(name)?;
        }
    }
    let (here, there) = (part.of(here), part.of(there));
    let Plan { source: mut back, target: mut forth, anew } =
        plan(&here, &there, mode, target.takes_numbers());
    forth.copy.sort_unstable();
    back.copy.sort_unstable();
    tidy(target, name, &forth)?;
    tidy(source, name, &back)?;
    if anew {
        // By way of another UIDVALIDITY, so that UIDs may begin at any number.
        target.renumber(name, here.uidvalidity.wrapping_add(1).max(1), 1)?;
        target.renumber(name, here.uidvalidity, 1)?;
    }
    let numbers = target.takes_numbers() && (anew || here.uidvalidity == there.uidvalidity);
    copy(source, target, found, (&here, &forth.copy), numbers)?;
    let numbers = source.takes_numbers() && here.uidvalidity == there.uidvalidity;
    copy(target, source, found, (&there, &back.copy), numbers)?;
    if mode == Mode::Backup && target.takes_numbers() {
        target.renumber(name, here.uidvalidity, here.uidnext)?;
    }
    Ok(())
}

/// Flags, and what is removed.
fn tidy(side: &mut dyn Side, name: &Name, work: &Work) -> Done {
    if !work.flags.is_empty() {
        side.mark(name, &work.flags)?;
    }
    if !work.expunge.is_empty() {
        side.expunge(name, &work.expunge)?;
    }
    Ok(())
}

/// Copies messages; with `numbers`, under the UIDs they have, where those are free.
fn copy(
    from: &mut dyn Side,
    to: &mut dyn Side,
    found: &Found,
    (contents, uids): (&Contents, &[u32]),
    numbers: bool,
) -> Done {
    let name = &found.name;
    let (mut batch, mut octets, mut next) = (Vec::new(), 0, 0);
    let all = &contents.messages;
    let find = |uid: &u32| all.binary_search_by_key(uid, |message| message.uid).ok();
    for message in uids.iter().filter_map(find).map(|at| &all[at]) {
        let gap = numbers && message.uid != next;
        if (gap || batch.len() >= MOST || octets >= MOST_OCTETS) && !batch.is_empty() {
            to.append(name, &std::mem::take(&mut batch))?;
            octets = 0;
        }
        let Some(content) = from.read(name, message.uid)? else { continue };
        if gap {
            to.renumber(name, contents.uidvalidity, message.uid)?;
        }
        next = message.uid.saturating_add(1);
        octets += content.len();
        batch.push(NewMessage {
            content: content.into(),
            flags: message.flags,
            keywords: message.keywords.clone(),
            received: message.received,
        });
    }
    if batch.is_empty() { Ok(()) } else { to.append(name, &batch) }
}

#[cfg(test)]
mod tests;
