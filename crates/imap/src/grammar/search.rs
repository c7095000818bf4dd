//! Search programs: SEARCH, SORT, THREAD and ESEARCH. RFC 9051 6.4.4, RFC 5256, 5032 (WITHIN), 5182, 5267, 7377, 7162,
//! 8474, 8514, 9394.

use std::borrow::Cow;

use jiff::civil::Date;

use super::cursor::{Bad, Cursor, Parsed};
use super::fetch::partial_range;
use super::mailbox::{Pattern, mailbox};
use super::set::Set;

/// Most keys in one program.
const KEYS: usize = 2_000;

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

/// The keys to the end of the command.
fn program<'a>(cursor: &mut Cursor<'a>) -> Parsed<Key<'a>> {
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
    let dated = |cursor: &mut Cursor<'a>, stamp, when| {
        super::dates::date(cursor).map(|day| Key::Date(stamp, when, day))
    };
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
mod tests {
    use super::*;

    fn search(text: &str) -> Result<String, Refused> {
        Search::parse(&mut Cursor::new(text.as_bytes())).map(|search| format!("{:?}", search.key))
    }

    #[test]
    fn keys_of_all_kinds() {
        for good in [
            "ALL",
            "UNSEEN",
            "1:4,7",
            "$",
            "UID 1:*",
            "NOT SEEN",
            "OR SEEN (FLAGGED 1:3)",
            "KEYWORD $Junk",
            "HEADER X-Y \"\"",
            "FROM \"a b\"",
            "SINCE 1-Feb-2024",
            "SENTON \"1-Feb-2024\"",
            "LARGER 100",
            "CHARSET UTF-8 TEXT caf\u{e9}",
            "CHARSET us-ascii ALL",
            "MODSEQ 12",
            "MODSEQ \"/flags/\\\\Seen\" all 12",
            "OLDER 60",
            "EMAILID M123",
            "RETURN () ALL",
            "RETURN (MIN MAX COUNT) UNSEEN",
            "RETURN (PARTIAL 1:10) ALL",
            "SUBJECT {3}\r\na b UNSEEN",
            "SAVEDSINCE 1-Jan-2020",
            "SAVEDATESUPPORTED",
        ] {
            assert!(search(good).is_ok(), "{good}: {:?}", search(good));
        }
        for bad in [
            "",
            "FOO",
            "NOT",
            "OR SEEN",
            "(SEEN",
            "()",
            "SINCE yesterday",
            "LARGER x",
            "UID",
            "RETURN (FOO) ALL",
            "RETURN (ALL PARTIAL 1:2) ALL",
            "FROM",
            "HEADER X",
            "OLDER 0",
            "ALL)",
            "1 2 X",
        ] {
            assert!(search(bad).is_err(), "{bad}");
        }
        assert_eq!(search("CHARSET KOI8-R ALL"), Err(Refused::Charset));
    }

    #[test]
    fn programs_are_bounded() {
        assert!(search(&"NOT ".repeat(50)).is_err());
        let deep = format!("{}ALL", "NOT ".repeat(39));
        assert!(search(&deep).is_ok());
        let wide = vec!["ALL"; 3000].join(" ");
        assert!(search(&wide).is_err());
    }

    #[test]
    fn sorts_threads_and_many_mailboxes() {
        let sort = Sort::parse(&mut Cursor::new(b"(REVERSE DATE SUBJECT) UTF-8 ALL")).unwrap();
        assert_eq!(sort.keys, [(SortKey::Date, true), (SortKey::Subject, false)]);
        assert!(Sort::parse(&mut Cursor::new(b"(REVERSE) UTF-8 ALL")).is_err());
        assert!(Sort::parse(&mut Cursor::new(b"() UTF-8 ALL")).is_err());
        assert!(thread(&mut Cursor::new(b"REFERENCES UTF-8 ALL")).is_ok());
        assert_eq!(thread(&mut Cursor::new(b"REFERENCES X ALL")).unwrap_err(), Refused::Charset);
        let (sources, search) =
            esearch(&mut Cursor::new(b"IN (subtree (a b) mailboxes c personal) UNSEEN"), false).unwrap();
        assert_eq!(sources.len(), 3);
        assert!(search.returns.all && search.returns.given);
    }
}
