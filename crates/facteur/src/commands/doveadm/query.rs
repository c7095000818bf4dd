//! The search language of doveadm-search-query(7): IMAP's keys, with `OR` between them, dates as people write them,
//! and mailboxes.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil;
use jiff::tz::TimeZone;
use store::{Entry, Flags, Mailbox, View, Within};

use super::whom::{Error, matches};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    All,
    And(Vec<Key>),
    Or(Box<Key>, Box<Key>),
    Not(Box<Key>),
    /// Sequence numbers; `u32::MAX` stands for the last.
    Sequence(Vec<(u32, u32)>),
    Uid(Vec<(u32, u32)>),
    Flag(Flags),
    Recent,
    Keyword(String),
    Mailbox(String),
    MailboxGuid(String),
    Guid(String),
    /// INTERNALDATE, from the first second to before the second.
    Received(i64, i64),
    Saved(i64, i64),
    /// The days of the Date field, since 1970, the second not included.
    Sent(i64, i64),
    Larger(u64),
    Smaller(u64),
    Text(String),
    Body(String),
    Header(String, String),
}

/// What dates are counted from.
#[derive(Clone, Debug)]
pub(super) struct Now {
    /// Seconds since 1970.
    pub seconds: i64,
    pub zone: TimeZone,
}

/// Reads a query.
pub(super) fn parse(words: &[String], now: &Now) -> Result<Key, String> {
    let mut reader = Reader { words, at: 0, now };
    let key = reader.all(false)?;
    match words.get(reader.at) {
        Some(word) => Err(format!("Unexpected {word}")),
        None => Ok(key),
    }
}

struct Reader<'a> {
    words: &'a [String],
    at: usize,
    now: &'a Now,
}

impl Reader<'_> {
    fn next(&mut self, after: &str) -> Result<&str, String> {
        let word =
            self.words.get(self.at).ok_or_else(|| format!("Missing parameter for argument {after}"))?;
        self.at += 1;
        Ok(word)
    }

    fn all(&mut self, inside: bool) -> Result<Key, String> {
        let mut keys = Vec::new();
        let mut either = false;
        while let Some(word) = self.words.get(self.at) {
            if inside && word == ")" {
                break;
            }
            let mut key = self.one()?;
            while self.words.get(self.at).is_some_and(|word| word.eq_ignore_ascii_case("OR")) {
                self.at += 1;
                either = true;
                key = Key::Or(Box::new(key), Box::new(self.one()?));
            }
            keys.push(key);
        }
        if either && keys.len() > 1 {
            return Err("Use parenthesis when mixing ANDs and ORs".to_owned());
        }
        match (keys.len(), keys.pop()) {
            (1, Some(only)) => Ok(only),
            (_, Some(last)) => {
                keys.push(last);
                Ok(Key::And(keys))
            }
            (_, None) => Err("Missing search query".to_owned()),
        }
    }

    fn one(&mut self) -> Result<Key, String> {
        let word = self.next("")?.to_owned();
        let upper = word.to_ascii_uppercase();
        let not = |key| Key::Not(Box::new(key));
        let flag = |name: &str| Flags::from_name(&format!("\\{name}")).map(Key::Flag);
        Ok(match upper.as_str() {
            "(" => {
                let key = self.all(true)?;
                self.next("(")?;
                key
            }
            "ALL" => Key::All,
            "NOT" => not(self.one()?),
            "OR" => Key::Or(Box::new(self.one()?), Box::new(self.one()?)),
            "NEW" => Key::And(vec![Key::Recent, not(Key::Flag(Flags::SEEN))]),
            "OLD" => not(Key::Recent),
            "RECENT" => Key::Recent,
            "KEYWORD" => Key::Keyword(self.next(&upper)?.to_owned()),
            "UNKEYWORD" => not(Key::Keyword(self.next(&upper)?.to_owned())),
            "MAILBOX" => Key::Mailbox(self.next(&upper)?.to_owned()),
            "MAILBOX-GUID" => Key::MailboxGuid(self.next(&upper)?.to_owned()),
            "GUID" => Key::Guid(self.next(&upper)?.to_owned()),
            "UID" => {
                let text = self.next(&upper)?.to_owned();
                Key::Uid(set(&text).ok_or_else(|| format!("Invalid UID set: {text}"))?)
            }
            "LARGER" | "SMALLER" => {
                let text = self.next(&upper)?.to_owned();
                let size = size(&text).ok_or_else(|| format!("Invalid search size parameter: {text}"))?;
                if upper == "LARGER" { Key::Larger(size) } else { Key::Smaller(size) }
            }
            "TEXT" => Key::Text(self.next(&upper)?.to_owned()),
            "BODY" => Key::Body(self.next(&upper)?.to_owned()),
            "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => {
                Key::Header(upper.clone(), self.next(&upper)?.to_owned())
            }
            "HEADER" => Key::Header(self.next(&upper)?.to_owned(), self.next(&upper)?.to_owned()),
            "BEFORE" | "ON" | "SINCE" | "SAVEDBEFORE" | "SAVEDON" | "SAVEDSINCE" | "SENTBEFORE"
            | "SENTON" | "SENTSINCE" => self.date(&upper)?,
            _ => match (flag(&word), upper.strip_prefix("UN").and_then(flag), set(&word)) {
                (Some(key), ..) => key,
                (_, Some(key), _) => not(key),
                (.., Some(ranges)) => Key::Sequence(ranges),
                _ => return Err(format!("Unknown argument {upper}")),
            },
        })
    }

    fn date(&mut self, key: &str) -> Result<Key, String> {
        let text = self.next(key)?.to_owned();
        let date =
            Date::parse(&text, self.now).ok_or_else(|| format!("Invalid search date parameter: {text}"))?;
        let (first, last) = match () {
            () if key.ends_with("BEFORE") => (i64::MIN, date.start),
            () if key.ends_with("SINCE") => (date.start, i64::MAX),
            () => (date.start, date.end),
        };
        Ok(match () {
            () if key.starts_with("SAVED") => Key::Saved(first, last),
            () if key.starts_with("SENT") => {
                // Dates of messages are compared by the day on their sender's calendar.
                let day = |seconds: i64| match seconds {
                    i64::MIN | i64::MAX => seconds,
                    seconds => self.now.day(seconds),
                };
                Key::Sent(day(first), if last == date.end { day(date.start) + 1 } else { day(last) })
            }
            () => Key::Received(first, last),
        })
    }
}

impl Now {
    /// The local day of a time, since 1970.
    fn day(&self, seconds: i64) -> i64 {
        let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let date = self.zone.to_datetime(at).date();
        i64::from((date - civil::date(1970, 1, 1)).get_days())
    }
}

/// A day, or a moment, in seconds since 1970.
struct Date {
    start: i64,
    end: i64,
}

impl Date {
    /// `13-Apr-2007`, `2007-04-13`, `1176418800`, `2weeks`.
    fn parse(text: &str, now: &Now) -> Option<Date> {
        if let Some(date) = calendar(text) {
            let start = |date: civil::Date| {
                let at = date.to_zoned(now.zone.clone()).ok()?;
                Some(at.timestamp().as_second())
            };
            return Some(Date { start: start(date)?, end: start(date.tomorrow().ok()?)? });
        }
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: i64 = text[..digits].parse().ok()?;
        let start = match text[digits..].trim() {
            "" if digits == 10 => number,
            unit => {
                let unit = unit.to_ascii_lowercase();
                let known = [
                    ("weeks", 604_800),
                    ("days", 86_400),
                    ("hours", 3600),
                    ("mins", 60),
                    ("minutes", 60),
                    ("secs", 1),
                    ("seconds", 1),
                ];
                let (_, seconds) =
                    known.iter().find(|(name, _)| !unit.is_empty() && name.starts_with(&unit))?;
                now.seconds.checked_sub(number.checked_mul(*seconds)?)?
            }
        };
        Some(Date { start, end: start.checked_add(86_400)? })
    }
}

/// When a day or moment begins, as people write it, or ends; in seconds since 1970.
pub(super) fn moment(text: &str, now: &Now, end: bool) -> Option<i64> {
    Date::parse(text, now).map(|date| if end { date.end } else { date.start })
}

fn calendar(text: &str) -> Option<civil::Date> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let mut parts = text.splitn(3, '-');
    let (one, two, three) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|month| two.eq_ignore_ascii_case(month));
    match month {
        Some(month) => {
            civil::Date::new(three.parse().ok()?, i8::try_from(month + 1).ok()?, one.parse().ok()?).ok()
        }
        None if one.len() == 4 => {
            civil::Date::new(one.parse().ok()?, two.parse().ok()?, three.parse().ok()?).ok()
        }
        None => None,
    }
}

/// `100`, `10k`, `1M`.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// `1:10,20,*`
fn set(text: &str) -> Option<Vec<(u32, u32)>> {
    let number = |text: &str| match text {
        "*" => Some(u32::MAX),
        text => text.parse().ok().filter(|number| *number > 0),
    };
    let range = |text: &str| match text.split_once(':') {
        Some((one, other)) => Some((number(one)?, number(other)?)),
        None => number(text).map(|number| (number, number)),
    };
    text.split(',').map(range).collect()
}

/// Is it in one of the ranges, where the last of the mailbox is `last`?
fn within(ranges: &[(u32, u32)], number: u32, last: u32) -> bool {
    let star = |end: u32| if end == u32::MAX { last } else { end };
    ranges.iter().any(|(one, other)| {
        let (one, other) = (star(*one), star(*other));
        (one.min(other)..=one.max(other)).contains(&number)
    })
}

impl Key {
    /// Does every way through it name a mailbox? Commands that destroy ask for it.
    pub fn names_mailbox(&self) -> bool {
        match self {
            Key::Mailbox(_) | Key::MailboxGuid(_) => true,
            Key::And(keys) => keys.iter().any(Key::names_mailbox),
            Key::Or(one, other) => one.names_mailbox() && other.names_mailbox(),
            _ => false,
        }
    }

    /// Can messages of a mailbox match? `guid` is asked for where the name does not tell.
    pub fn may_match(&self, name: &str, guid: &dyn Fn() -> Option<String>) -> bool {
        match self {
            Key::Mailbox(mask) => is_mailbox(mask, name),
            Key::MailboxGuid(wanted) => guid().is_some_and(|guid| guid.eq_ignore_ascii_case(wanted)),
            Key::And(keys) => keys.iter().all(|key| key.may_match(name, guid)),
            Key::Or(one, other) => one.may_match(name, guid) || other.may_match(name, guid),
            Key::Not(key) => {
                !matches!(**key, Key::Mailbox(_) | Key::MailboxGuid(_)) || !key.may_match(name, guid)
            }
            _ => true,
        }
    }

    /// The messages that match, with their sequence numbers.
    pub fn find(
        &self,
        mailbox: &Arc<dyn Mailbox>,
        name: &str,
        view: &View,
    ) -> Result<Vec<(u32, Entry)>, Error> {
        let searched = Searched { mailbox, name, view };
        let all: Vec<(u32, Entry)> = (1..).zip(view.iter().copied()).collect();
        searched.narrow(self, all)
    }
}

fn is_mailbox(mask: &str, name: &str) -> bool {
    match mask.eq_ignore_ascii_case("INBOX") {
        true => name == "INBOX",
        false => matches(mask, name, None),
    }
}

struct Searched<'a> {
    mailbox: &'a Arc<dyn Mailbox>,
    name: &'a str,
    view: &'a View,
}

impl Searched<'_> {
    /// Those of `among` that match: what is cheap to tell first narrows what has to be read.
    fn narrow(&self, key: &Key, among: Vec<(u32, Entry)>) -> Result<Vec<(u32, Entry)>, Error> {
        match key {
            Key::And(keys) => {
                let (costly, cheap): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| reads(key));
                cheap.into_iter().chain(costly).try_fold(among, |left, key| self.narrow(key, left))
            }
            Key::Or(one, other) => {
                let first: HashSet<u32> = uids(&self.narrow(one, among.clone())?);
                let second: HashSet<u32> = uids(&self.narrow(other, among.clone())?);
                let either = |uid: &u32| first.contains(uid) || second.contains(uid);
                Ok(among.into_iter().filter(|(_, entry)| either(&entry.uid)).collect())
            }
            Key::Not(key) => {
                let matching = uids(&self.narrow(key, among.clone())?);
                Ok(among.into_iter().filter(|(_, entry)| !matching.contains(&entry.uid)).collect())
            }
            Key::Text(text) => self.text(Within::Text, text, among),
            Key::Body(text) => self.text(Within::Body, text, among),
            Key::Header(field, text) => self.text(Within::Field(field), text, among),
            Key::Sent(first, last) => {
                let mut days = std::collections::HashMap::new();
                let uids: Vec<u32> = among.iter().map(|(_, entry)| entry.uid).collect();
                let read = self.mailbox.headers(&uids, &mut |uid, header| {
                    days.insert(uid, super::fetch::field(&header, "date").and_then(|date| mime_date(&date)));
                    true
                });
                read.map_err(|error| self.failed(&error))?;
                let day = |entry: &Entry| days.get(&entry.uid).copied().flatten();
                Ok(among
                    .into_iter()
                    .filter(|(_, entry)| day(entry).is_some_and(|day| (*first..*last).contains(&day)))
                    .collect())
            }
            key => Ok(among.into_iter().filter(|(number, entry)| self.is(key, *number, entry)).collect()),
        }
    }

    fn is(&self, key: &Key, number: u32, entry: &Entry) -> bool {
        let size = u64::from(entry.size);
        match key {
            Key::All => true,
            Key::Sequence(ranges) => within(ranges, number, self.view.len()),
            Key::Uid(ranges) => within(ranges, entry.uid, self.view.iter().last().map_or(0, |last| last.uid)),
            Key::Flag(flag) => entry.flags.has(*flag),
            Key::Recent => entry.uid >= self.view.recent_from,
            Key::Keyword(word) => self.view.keyword_bit(word).is_some_and(|bit| entry.keywords & bit != 0),
            Key::Mailbox(mask) => is_mailbox(mask, self.name),
            Key::MailboxGuid(guid) => self.mailbox.mailbox_id().eq_ignore_ascii_case(guid),
            Key::Guid(guid) => self.mailbox.email_id(entry).is_some_and(|id| id == *guid),
            Key::Received(first, last) => (*first..*last).contains(&entry.received),
            Key::Saved(first, last) => (*first..*last).contains(&entry.saved),
            Key::Larger(than) => size > *than,
            Key::Smaller(than) => size < *than,
            // These are narrowed by all at once.
            Key::And(_)
            | Key::Or(..)
            | Key::Not(_)
            | Key::Sent(..)
            | Key::Text(_)
            | Key::Body(_)
            | Key::Header(..) => false,
        }
    }

    fn text(
        &self,
        within: Within<'_>,
        text: &str,
        among: Vec<(u32, Entry)>,
    ) -> Result<Vec<(u32, Entry)>, Error> {
        let wanted: Vec<u32> = among.iter().map(|(_, entry)| entry.uid).collect();
        let found = self.mailbox.find_text(within, text, &wanted).map_err(|error| self.failed(&error))?;
        let found: HashSet<u32> = found.into_iter().collect();
        Ok(among.into_iter().filter(|(_, entry)| found.contains(&entry.uid)).collect())
    }

    fn failed(&self, error: &store::Error) -> Error {
        Error::store(format!("Searching mailbox '{}' failed", self.name), self.name, error)
    }
}

fn mime_date(value: &str) -> Option<i64> {
    mime::date::parse(value.as_bytes()).map(|date| date.day())
}

fn uids(found: &[(u32, Entry)]) -> HashSet<u32> {
    found.iter().map(|(_, entry)| entry.uid).collect()
}

/// Has it to read messages?
fn reads(key: &Key) -> bool {
    match key {
        Key::Text(_) | Key::Body(_) | Key::Header(..) | Key::Sent(..) => true,
        Key::And(keys) => keys.iter().any(reads),
        Key::Or(one, other) => reads(one) || reads(other),
        Key::Not(key) => reads(key),
        _ => false,
    }
}
