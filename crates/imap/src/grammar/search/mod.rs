//! Search programs: SEARCH, SORT, THREAD and ESEARCH. RFC 9051 6.4.4, RFC 5256, 5032 (WITHIN), 5182, 5267, 7377, 7162,
//! 8474, 8514, 9394.

mod key;

use std::borrow::Cow;

use jiff::civil::Date;

use self::key::program;
use super::cursor::{Bad, Cursor, Parsed};
use super::fetch::partial_range;
use super::mailbox::{Pattern, mailbox};
use super::set::Set;

/// Which date of a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// When it arrived.
    Internal,
    /// Its Date header.
    Sent,
    /// When it was put into this mailbox.
    Saved,
}

/// How a date is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before that day.
    Before,
    /// On that day.
    On,
    /// On that day or later.
    Since,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// Everything.
    All,
    /// By number.
    Numbers(Set),
    /// By UID.
    Uids(Set),
    /// Has a flag or keyword.
    Flag(&'a str),
    /// Came since the mailbox was last selected.
    Recent,
    /// By a date.
    Date(Stamp, When, Date),
    /// Is this mailbox one that keeps save dates?
    SaveDateSupported,
    /// Arrived more than so many seconds ago.
    Older(u32),
    /// Arrived in the last so many seconds.
    Younger(u32),
    /// More bytes than.
    Larger(u64),
    /// Fewer bytes than.
    Smaller(u64),
    /// A header field with text in it; an empty text asks whether it is there.
    Header(Cow<'a, str>, Cow<'a, str>),
    /// Text in the body.
    Body(Cow<'a, str>),
    /// Text in header or body.
    Text(Cow<'a, str>),
    /// Changed since, or when, this number was reached.
    ModSeq(u64),
    /// By object id.
    EmailId(&'a str),
    /// By thread id.
    ThreadId(&'a str),
    /// None of.
    Not(Box<Key<'a>>),
    /// One of.
    Or(Box<Key<'a>>, Box<Key<'a>>),
    /// All of.
    And(Vec<Key<'a>>),
}

/// What is told of the messages found. RFC 9051 `search-return-opt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Return {
    /// `RETURN` was given: the answer is ESEARCH.
    pub given: bool,
    /// `MIN`
    pub min: bool,
    /// `MAX`
    pub max: bool,
    /// `ALL`
    pub all: bool,
    /// `COUNT`
    pub count: bool,
    /// `SAVE`
    pub save: bool,
    /// `PARTIAL`
    pub partial: Option<(i64, i64)>,
    /// `UPDATE`: what is found is kept up to date. RFC 5267.
    pub update: bool,
}

/// SEARCH, or the search within SORT, THREAD and ESEARCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search<'a> {
    /// What is told.
    pub returns: Return,
    /// What is looked for.
    pub key: Key<'a>,
}

/// What SORT goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// When it arrived.
    Arrival,
    /// Mailbox of the first Cc.
    Cc,
    /// The Date header.
    Date,
    /// Mailbox of the first From.
    From,
    /// Bytes.
    Size,
    /// The base subject.
    Subject,
    /// Mailbox of the first To.
    To,
    /// Name as shown of the first From. RFC 5957.
    DisplayFrom,
    /// Name as shown of the first To. RFC 5957.
    DisplayTo,
}

/// SORT and UID SORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort<'a> {
    /// Keys, and whether each is reversed.
    pub keys: Vec<(SortKey, bool)>,
    /// What is sorted, and told.
    pub search: Search<'a>,
}

/// How THREAD joins messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// By subject and date.
    OrderedSubject,
    /// By Message-ID and References.
    References,
    /// By Message-ID and References alone, as Dovecot's `REFS`.
    Refs,
}

/// Where ESEARCH looks. RFC 7377, with the words of RFC 5465.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The selected mailbox.
    Selected,
    /// All personal mailboxes.
    Personal,
    /// INBOX and where filters deliver.
    Inboxes,
    /// All subscribed mailboxes.
    Subscribed,
    /// These and everything below.
    Subtree(Vec<String>),
    /// These and what is one level below.
    SubtreeOne(Vec<String>),
    /// These.
    Mailboxes(Vec<String>),
}

/// Why a search program is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// BAD.
    Bad(Bad),
    /// `NO [BADCHARSET (…)]`
    Charset,
}

impl From<Bad> for Refused {
    fn from(bad: Bad) -> Refused {
        Refused::Bad(bad)
    }
}

impl<'a> Search<'a> {
    /// The arguments of SEARCH. `utf8` says whether CHARSET is out of use (RFC 6855).
    pub fn parse(cursor: &mut Cursor<'a>) -> Result<Search<'a>, Refused> {
        let returns = returns(cursor)?;
        if cursor.eat_word("CHARSET") {
            cursor.space()?;
            charset(cursor)?;
            cursor.space()?;
        }
        Ok(Search { returns, key: program(cursor)? })
    }
}

impl<'a> Sort<'a> {
    /// The arguments of SORT.
    pub fn parse(cursor: &mut Cursor<'a>) -> Result<Sort<'a>, Refused> {
        let returns = returns(cursor)?;
        let mut reverse = false;
        let keys = cursor.list(|cursor| {
            let name = cursor.keyword()?.to_ascii_uppercase();
            let key = match name.as_str() {
                "REVERSE" => {
                    reverse = true;
                    return Ok(None);
                }
                "ARRIVAL" => SortKey::Arrival,
                "CC" => SortKey::Cc,
                "DATE" => SortKey::Date,
                "FROM" => SortKey::From,
                "SIZE" => SortKey::Size,
                "SUBJECT" => SortKey::Subject,
                "TO" => SortKey::To,
                "DISPLAYFROM" => SortKey::DisplayFrom,
                "DISPLAYTO" => SortKey::DisplayTo,
                _ => return Err(Bad("unknown sort key")),
            };
            Ok(Some((key, std::mem::take(&mut reverse))))
        })?;
        let keys: Vec<_> = keys.into_iter().flatten().collect();
        if keys.is_empty() || reverse {
            return Err(Bad("missing sort key").into());
        }
        cursor.space()?;
        charset(cursor)?;
        cursor.space()?;
        Ok(Sort { keys, search: Search { returns, key: program(cursor)? } })
    }
}

/// The arguments of THREAD.
pub fn thread<'a>(cursor: &mut Cursor<'a>) -> Result<(Algorithm, Search<'a>), Refused> {
    let algorithm = match cursor.keyword()?.to_ascii_uppercase().as_str() {
        "ORDEREDSUBJECT" => Algorithm::OrderedSubject,
        "REFERENCES" => Algorithm::References,
        "REFS" => Algorithm::Refs,
        _ => return Err(Bad("unknown thread algorithm").into()),
    };
    cursor.space()?;
    charset(cursor)?;
    cursor.space()?;
    Ok((algorithm, Search { returns: Return::default(), key: program(cursor)? }))
}

/// The arguments of ESEARCH: `IN (…)`, then as for SEARCH.
pub fn esearch<'a>(cursor: &mut Cursor<'a>, utf8: bool) -> Result<(Vec<Source>, Search<'a>), Refused> {
    let mut sources = vec![Source::Selected];
    if cursor.eat_word("IN") {
        cursor.space()?;
        cursor.expect(b'(')?;
        sources.clear();
        loop {
            sources.push(source(cursor, utf8)?);
            if cursor.eat(b')') {
                break;
            }
            cursor.space()?;
            if cursor.peek() == Some(b'(') {
                return Err(Bad("scope options are not supported").into());
            }
        }
        cursor.space()?;
    }
    let mut search = Search::parse(cursor)?;
    if search.returns.save && sources != [Source::Selected] {
        return Err(Bad("SAVE is for the selected mailbox").into());
    }
    if search.returns.update {
        return Err(Bad("UPDATE is for SEARCH and SORT").into());
    }
    search.returns.given = true;
    search.returns.all |=
        !(search.returns.min || search.returns.max || search.returns.count || search.returns.save);
    Ok((sources, search))
}

/// One set of mailboxes, as ESEARCH and NOTIFY name them.
pub fn source(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<Source> {
    let word = cursor.keyword()?.to_ascii_lowercase();
    let names = |cursor: &mut Cursor<'_>| -> Parsed<Vec<String>> {
        cursor.space()?;
        if cursor.peek() == Some(b'(') {
            cursor.list(|cursor| mailbox(cursor, utf8))
        } else {
            Ok(vec![mailbox(cursor, utf8)?])
        }
    };
    Ok(match word.as_str() {
        "selected" | "selected-delayed" => Source::Selected,
        "personal" => Source::Personal,
        "inboxes" => Source::Inboxes,
        "subscribed" => Source::Subscribed,
        "subtree" => Source::Subtree(names(cursor)?),
        "subtree-one" => Source::SubtreeOne(names(cursor)?),
        "mailboxes" => Source::Mailboxes(names(cursor)?),
        _ => return Err(Bad("unknown mailboxes")),
    })
}

/// `RETURN (…)` and the space after it, if it is there.
fn returns(cursor: &mut Cursor<'_>) -> Parsed<Return> {
    let mut returns = Return::default();
    if !cursor.eat_word("RETURN") {
        return Ok(returns);
    }
    cursor.space()?;
    returns.given = true;
    cursor.list(|cursor| {
        match cursor.keyword()?.to_ascii_uppercase().as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            "SAVE" => returns.save = true,
            "UPDATE" => returns.update = true,
            // A hint that more searches like it will follow.
            "CONTEXT" => {}
            "PARTIAL" => {
                cursor.space()?;
                returns.partial = Some(partial_range(cursor)?);
            }
            _ => return Err(Bad("unknown return option")),
        }
        Ok(())
    })?;
    if returns.all && returns.partial.is_some() {
        return Err(Bad("ALL and PARTIAL exclude each other"));
    }
    returns.all |=
        !(returns.min || returns.max || returns.count || returns.save || returns.partial.is_some());
    cursor.space()?;
    Ok(returns)
}

/// A charset must be one whose text we understand as it is.
fn charset(cursor: &mut Cursor<'_>) -> Result<(), Refused> {
    let name = cursor.astring()?;
    if name.eq_ignore_ascii_case(b"UTF-8") || name.eq_ignore_ascii_case(b"US-ASCII") {
        Ok(())
    } else {
        Err(Refused::Charset)
    }
}

/// Mailbox patterns of [`Source`]: what a LIST would be asked.
pub fn patterns(source: &Source, separator: char) -> Vec<Pattern> {
    let of = |names: &[String], tail: &str| -> Vec<Pattern> {
        names
            .iter()
            .flat_map(|name| {
                let below = (!tail.is_empty()).then(|| Pattern::new(format!("{name}{separator}{tail}")));
                std::iter::once(Pattern::literal(name.clone())).chain(below)
            })
            .collect()
    };
    match source {
        Source::Selected => Vec::new(),
        Source::Personal | Source::Subscribed => vec![Pattern::new("*".to_owned())],
        Source::Inboxes => vec![Pattern::literal("INBOX".to_owned())],
        Source::Subtree(names) => of(names, "*"),
        Source::SubtreeOne(names) => of(names, "%"),
        Source::Mailboxes(names) => of(names, ""),
    }
}

#[cfg(test)]
mod tests;
