//! SEARCH, SORT, THREAD. RFC 9051 6.4.4, RFC 5256, 5267, 5182, 7162, 9394.

pub mod context;
mod evaluate;
mod many;
mod progress;
mod sort;
mod thread;

use std::fmt::Write as _;

use ::store::UidSet;

use super::Call;
use crate::grammar::Cursor;
use crate::grammar::search::{self as grammar, Algorithm, Key, Return, Search, Sort};
use crate::grammar::set;
use crate::session::{Answer, Done, Fail, Session, Tell};

pub use evaluate::Query;
pub use many::esearch;

/// Which command searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// SEARCH
    Search,
    /// SORT
    Sort,
    /// THREAD
    Thread,
}

/// A search command, kept so that it can be read again.
#[derive(Clone, Debug)]
pub struct Words {
    verb: Verb,
    /// Its tag.
    pub tag: Vec<u8>,
    uid: bool,
    arguments: Vec<u8>,
}

/// Its arguments.
enum Arguments<'a> {
    Search(Search<'a>),
    Sort(Sort<'a>),
    Thread(Algorithm, Search<'a>),
}

impl<'a> Arguments<'a> {
    fn search(&self) -> &Search<'a> {
        match self {
            Arguments::Search(search) | Arguments::Thread(_, search) => search,
            Arguments::Sort(sort) => &sort.search,
        }
    }
}

impl Words {
    fn parse(&self) -> Result<Arguments<'_>, grammar::Refused> {
        let cursor = &mut Cursor::new(&self.arguments);
        Ok(match self.verb {
            Verb::Search => Arguments::Search(Search::parse(cursor)?),
            Verb::Sort => Arguments::Sort(Sort::parse(cursor)?),
            Verb::Thread => {
                let (algorithm, search) = grammar::thread(cursor)?;
                Arguments::Thread(algorithm, search)
            }
        })
    }
}

/// SEARCH.
pub fn search(session: &mut Session, call: &mut Call<'_>) -> Answer {
    start(session, call, Verb::Search)
}

/// SORT.
pub fn sort(session: &mut Session, call: &mut Call<'_>) -> Answer {
    start(session, call, Verb::Sort)
}

/// THREAD.
pub fn thread(session: &mut Session, call: &mut Call<'_>) -> Answer {
    start(session, call, Verb::Thread)
}

/// Searches at once, or in slices where messages have to be read.
fn start(session: &mut Session, call: &Call<'_>, verb: Verb) -> Answer {
    let arguments = call.args.rest().to_vec();
    let words = Words { verb, tag: call.tag.to_vec(), uid: call.uid, arguments };
    let now = (session.settings.clock)();
    let found = {
        let parsed = match words.parse() {
            Ok(parsed) => parsed,
            Err(refused) => return refuse(session, refused),
        };
        let selected = session.selected()?;
        let uids: Vec<u32> = selected.known.iter().map(|entry| entry.uid).collect();
        let query = Query { selected, now, uid_only: session.enabled.uid_only };
        let key = &parsed.search().key;
        if uids.len() > progress::SLICE && evaluate::reads(key) {
            let searching = progress::Searching { words, uids, at: 0, found: Vec::new(), told: now };
            return Ok(Done::Slices(Box::new(searching)));
        }
        query.of(key, uids)?
    };
    conclude(session, &words, found)
}

/// Puts what was found in order, and tells it.
fn conclude(session: &mut Session, words: &Words, found: Vec<u32>) -> Answer {
    match words.parse()? {
        Arguments::Search(search) => finish(session, words, &search, found),
        Arguments::Sort(Sort { keys, search }) => {
            let found = sort::sort(session.selected()?, found, &keys)?;
            finish(session, words, &search, found)
        }
        Arguments::Thread(algorithm, _) => {
            let selected = session.selected()?;
            let threads = thread::thread(selected, &found, algorithm)?;
            let known = selected.known.clone();
            let number = |uid: u32| if words.uid { Some(uid) } else { known.sequence(uid) };
            session.out.put(b"* THREAD ");
            thread::write(&threads, &number, &mut session.out);
            session.out.put(b"\r\n");
            Ok(Done::ok("Thread completed.", tell(words.uid)))
        }
    }
}

/// A search that is refused saves nothing. RFC 5182 2.1.
fn refuse(session: &mut Session, refused: grammar::Refused) -> Answer {
    if refused == grammar::Refused::Charset
        && let Some(selected) = &mut session.selected
    {
        selected.saved = UidSet::new();
    }
    Err(refused.into())
}

/// UIDs of the messages found, ascending.
fn find(session: &Session, key: &Key<'_>) -> Result<Vec<u32>, Fail> {
    let selected = session.selected()?;
    let query = Query { selected, now: (session.settings.clock)(), uid_only: session.enabled.uid_only };
    query.run(key)
}

fn tell(uid: bool) -> Tell {
    if uid { Tell::All } else { Tell::Flags }
}

/// Tells what was found: SEARCH or SORT, or ESEARCH where RETURN was given or IMAP4rev2 is in use.
fn finish(session: &mut Session, words: &Words, search: &Search<'_>, found: Vec<u32>) -> Answer {
    let returns = search.returns;
    let sorted = words.verb == Verb::Sort;
    let selected = session.selected()?;
    let known = selected.known.clone();
    let by_mod_seq = uses_mod_seq(&search.key);
    if returns.save {
        let saved = to_save(&returns, &found);
        if let Some(selected) = &mut session.selected {
            selected.saved = saved;
        }
    }
    if by_mod_seq {
        session.enable_condstore();
    }
    let highest =
        |uids: &[u32]| uids.iter().filter_map(|uid| known.find(*uid)).map(|entry| entry.modseq).max();
    let numbers: Vec<u32> = match words.uid {
        true => found.clone(),
        false => found.iter().filter_map(|uid| known.sequence(*uid)).collect(),
    };
    let extended = returns.given || (session.enabled.rev2 && !sorted);
    let out = &mut session.out;
    if !extended {
        out.put(if sorted { b"* SORT" } else { b"* SEARCH" });
        for number in &numbers {
            out.put(b" ");
            out.number(u64::from(*number));
        }
        if let Some(highest) = highest(&found).filter(|_| by_mod_seq) {
            let _ = write!(out, " (MODSEQ {highest})");
        }
        out.put(b"\r\n");
    } else if !returns.save
        || returns.min
        || returns.max
        || returns.count
        || returns.all
        || returns.partial.is_some()
    {
        out.put(b"* ESEARCH (TAG ");
        out.string(&words.tag);
        out.put(b")");
        if words.uid {
            out.put(b" UID");
        }
        let returns = if returns.given { returns } else { Return { all: true, ..returns } };
        let told = say_extended(out, &returns, &numbers, &found, sorted);
        if let Some(highest) = highest(&told).filter(|_| by_mod_seq) {
            let _ = write!(out, " MODSEQ {highest}");
        }
        out.put(b"\r\n");
    }
    if returns.update {
        context::keep(session, &words.tag, words.uid, sorted, &words.arguments, &found)?;
    }
    let text = if sorted { "Sort completed." } else { "Search completed." };
    Ok(Done::ok(text, tell(words.uid)))
}

/// The items of an ESEARCH response; the UIDs that were told of.
fn say_extended(
    out: &mut crate::respond::Out,
    returns: &Return,
    numbers: &[u32],
    found: &[u32],
    sorted: bool,
) -> Vec<u32> {
    let mut told = Vec::new();
    let place = |number: Option<&u32>| numbers.iter().position(|other| Some(other) == number);
    let list = |numbers: &[u32]| {
        let mut text = Vec::new();
        if sorted {
            write_in_order(numbers, &mut text);
        } else {
            set::write(numbers.iter().copied(), &mut text);
        }
        text
    };
    if let (true, Some(at)) =
        (returns.min, place(if sorted { numbers.first() } else { numbers.iter().min() }))
    {
        let _ = write!(out, " MIN {}", numbers[at]);
        told.push(found[at]);
    }
    if let (true, Some(at)) = (returns.max, place(if sorted { numbers.last() } else { numbers.iter().max() }))
    {
        let _ = write!(out, " MAX {}", numbers[at]);
        told.push(found[at]);
    }
    if returns.all && !numbers.is_empty() {
        out.put(b" ALL ");
        out.put(&list(numbers));
        told = found.to_vec();
    }
    if let Some((first, last)) = returns.partial {
        let part = super::fetch::part_of(numbers, first, last);
        let _ = write!(out, " PARTIAL ({first}:{last} ");
        if part.is_empty() {
            out.put(b"NIL");
        } else {
            out.put(&list(&part));
        }
        out.put(b")");
        told.extend(super::fetch::part_of(found, first, last));
    }
    if returns.count {
        let _ = write!(out, " COUNT {}", numbers.len());
        if told.is_empty() {
            told = found.to_vec();
        }
    }
    told
}

/// Numbers in the order of a sort; only ascending neighbours make a range.
fn write_in_order(numbers: &[u32], text: &mut Vec<u8>) {
    let mut rest = numbers;
    while let Some(first) = rest.first() {
        let run = rest.iter().zip(*first..).take_while(|(number, expected)| **number == *expected).count();
        if !text.is_empty() {
            text.push(b',');
        }
        set::write(rest[..run].iter().copied(), text);
        rest = &rest[run..];
    }
}

/// What `$` stands for from now on. RFC 5182 2.4: MIN and MAX alone save only those.
fn to_save(returns: &Return, found: &[u32]) -> UidSet {
    if returns.all || returns.count || returns.partial.is_some() || !(returns.min || returns.max) {
        return match returns.partial {
            Some((first, last)) if !returns.count => {
                super::fetch::part_of(found, first, last).into_iter().collect()
            }
            _ => found.iter().copied().collect(),
        };
    }
    let smallest = found.iter().min().filter(|_| returns.min);
    let largest = found.iter().max().filter(|_| returns.max);
    smallest.into_iter().chain(largest).copied().collect()
}

fn uses_mod_seq(key: &Key<'_>) -> bool {
    match key {
        Key::ModSeq(_) => true,
        Key::Not(inner) => uses_mod_seq(inner),
        Key::Or(one, other) => uses_mod_seq(one) || uses_mod_seq(other),
        Key::And(keys) => keys.iter().any(uses_mod_seq),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_numbers_keep_their_order() {
        let mut text = Vec::new();
        write_in_order(&[5, 1, 2, 3, 9, 8], &mut text);
        assert_eq!(text, b"5,1:3,9,8");
    }
}
