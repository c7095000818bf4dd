//! What is asked of mailboxes: SELECT, LIST, STATUS, CREATE, APPEND and their options. RFC 9051 6.3, RFC 5258, 5819,
//! 6154, 8440, 9590, 7162, 3502, 4469, 7889.

use std::borrow::Cow;

use jiff::Timestamp;

use super::cursor::{Bad, Cursor, Parsed};
use super::dates;
use super::set::Set;

/// A mailbox name, decoded. INBOX is written so, whatever came; `utf8` says that names come as UTF-8.
pub fn mailbox(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<String> {
    let name = cursor.astring()?;
    decode(&name, utf8)
}

/// What is wrong with a name that cannot be decoded. It is answered with NO: the command as such was right.
pub const BAD_NAME: Bad = Bad("Invalid mailbox name");

fn decode(name: &[u8], utf8: bool) -> Parsed<String> {
    let text = std::str::from_utf8(name).map_err(|_| BAD_NAME)?;
    // Clients that have not asked for UTF-8 send it all the same.
    let name = if utf8 || !text.is_ascii() { Some(text.to_owned()) } else { store::from_utf7(text) };
    let name = name.ok_or(BAD_NAME)?;
    Ok(if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name })
}

/// A mailbox name in which `*` and `%` may stand for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    literal: bool,
}

impl Pattern {
    /// With wildcards.
    pub fn new(text: String) -> Pattern {
        Pattern { text, literal: false }
    }

    /// Without.
    pub fn literal(text: String) -> Pattern {
        Pattern { text, literal: true }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Does a name match? INBOX does in any case.
    pub fn matches(&self, name: &str, separator: char) -> bool {
        if self.literal {
            return self.text == name;
        }
        let pattern: Vec<char> = self.text.chars().collect();
        let head = self.text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("INBOX"));
        let is_inbox =
            name == "INBOX" || name.strip_prefix("INBOX").is_some_and(|rest| rest.starts_with(separator));
        if head && is_inbox {
            return glob(&pattern[5..], &name.chars().skip(5).collect::<Vec<_>>(), separator);
        }
        glob(&pattern, &name.chars().collect::<Vec<_>>(), separator)
            || (name == "INBOX"
                && glob(&lower(&pattern), &lower(&name.chars().collect::<Vec<_>>()), separator))
    }
}

fn lower(text: &[char]) -> Vec<char> {
    text.iter().map(char::to_ascii_lowercase).collect()
}

/// In time proportional to the product of the lengths, whatever the pattern.
fn glob(pattern: &[char], name: &[char], separator: char) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for symbol in pattern {
        let mut next = vec![false; name.len() + 1];
        match symbol {
            '*' | '%' => {
                let mut open = false;
                for at in 0..=name.len() {
                    if at > 0 && *symbol == '%' && name[at - 1] == separator {
                        open = false;
                    }
                    open |= reached[at];
                    next[at] = open;
                }
            }
            letter => {
                for at in 0..name.len() {
                    next[at + 1] = reached[at] && name[at] == *letter;
                }
            }
        }
        reached = next;
    }
    reached[name.len()]
}

/// `QRESYNC (…)`: what the client knows already. RFC 7162 3.2.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resync {
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// The last MODSEQ it has seen.
    pub mod_seq: u64,
    /// The UIDs it knows.
    pub known: Option<Set>,
    /// Some of its numbers and their UIDs.
    pub matched: Option<(Set, Set)>,
}

/// SELECT and EXAMINE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// Which.
    pub mailbox: String,
    /// `CONDSTORE`
    pub condstore: bool,
    /// `QRESYNC`
    pub resync: Option<Resync>,
}

impl Select {
    /// The arguments.
    pub fn parse(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<Select> {
        let mut select = Select { mailbox: mailbox(cursor, utf8)?, condstore: false, resync: None };
        if !cursor.is_at_end() {
            cursor.space()?;
            cursor.list(|cursor| {
                let name = cursor.keyword()?;
                if name.eq_ignore_ascii_case("CONDSTORE") {
                    select.condstore = true;
                } else if name.eq_ignore_ascii_case("QRESYNC") {
                    cursor.space()?;
                    select.resync = Some(resync(cursor)?);
                } else {
                    return Err(Bad("unknown SELECT parameter"));
                }
                Ok(())
            })?;
        }
        cursor.end()?;
        Ok(select)
    }
}

fn resync(cursor: &mut Cursor<'_>) -> Parsed<Resync> {
    cursor.open()?;
    let uid_validity = cursor.number()?;
    cursor.space()?;
    let mod_seq = cursor.number64()?;
    let mut resync = Resync { uid_validity, mod_seq, known: None, matched: None };
    if cursor.eat(b' ') && cursor.peek() != Some(b'(') {
        resync.known = Some(Set::parse(cursor)?);
        cursor.eat(b' ');
    }
    if cursor.peek() == Some(b'(') {
        cursor.open()?;
        let numbers = Set::parse(cursor)?;
        cursor.space()?;
        resync.matched = Some((numbers, Set::parse(cursor)?));
        cursor.expect(b')')?;
        cursor.close();
    }
    cursor.expect(b')')?;
    cursor.close();
    Ok(resync)
}

/// What STATUS tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusItem {
    /// Messages.
    Messages,
    /// New since the last SELECT.
    Recent,
    /// The next UID.
    UidNext,
    /// The validity of UIDs.
    UidValidity,
    /// Messages not seen.
    Unseen,
    /// Messages marked as deleted.
    Deleted,
    /// Bytes.
    Size,
    /// The highest MODSEQ.
    HighestModSeq,
    /// The object id of the mailbox.
    MailboxId,
    /// The largest message that may be appended.
    AppendLimit,
    /// Bytes that an EXPUNGE would free.
    DeletedStorage,
}

/// `(MESSAGES UNSEEN)`.
pub fn status_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    let items = cursor.list(|cursor| {
        Ok(match cursor.keyword()?.to_ascii_uppercase().as_str() {
            "MESSAGES" => StatusItem::Messages,
            "RECENT" => StatusItem::Recent,
            "UIDNEXT" => StatusItem::UidNext,
            "UIDVALIDITY" => StatusItem::UidValidity,
            "UNSEEN" => StatusItem::Unseen,
            "DELETED" => StatusItem::Deleted,
            "SIZE" => StatusItem::Size,
            "HIGHESTMODSEQ" => StatusItem::HighestModSeq,
            "MAILBOXID" => StatusItem::MailboxId,
            "APPENDLIMIT" => StatusItem::AppendLimit,
            "DELETED-STORAGE" => StatusItem::DeletedStorage,
            _ => return Err(Bad("unknown STATUS item")),
        })
    })?;
    if items.is_empty() { Err(Bad("nothing asked for")) } else { Ok(items) }
}

/// LIST, plain or extended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// What patterns are relative to.
    pub reference: String,
    /// What to list.
    pub patterns: Vec<String>,
    /// `SUBSCRIBED`
    pub only_subscribed: bool,
    /// `REMOTE`: nothing to do.
    pub remote: bool,
    /// `RECURSIVEMATCH`
    pub recursive_match: bool,
    /// `SPECIAL-USE` among the selection.
    pub only_special: bool,
    /// Return `SUBSCRIBED`.
    pub subscribed: bool,
    /// Return `CHILDREN`.
    pub children: bool,
    /// Return `SPECIAL-USE`.
    pub special: bool,
    /// Return `MYRIGHTS`. RFC 8440.
    pub my_rights: bool,
    /// Return `STATUS (…)`. RFC 5819.
    pub status: Vec<StatusItem>,
    /// A form of LIST-EXTENDED was used.
    pub extended: bool,
}

impl List {
    /// The arguments of LIST.
    pub fn parse(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<List> {
        let mut list = List::default();
        if cursor.peek() == Some(b'(') {
            list.extended = true;
            list.selection(cursor)?;
            cursor.space()?;
        }
        list.reference = mailbox_or_empty(cursor, utf8)?;
        cursor.space()?;
        if cursor.peek() == Some(b'(') {
            list.extended = true;
            list.patterns = cursor.list(|cursor| pattern(cursor, utf8))?;
        } else {
            list.patterns.push(pattern(cursor, utf8)?);
        }
        if !cursor.is_at_end() {
            cursor.space()?;
            list.extended = true;
            if !cursor.eat_word("RETURN") {
                return Err(Bad("unknown LIST option"));
            }
            cursor.space()?;
            list.returns(cursor)?;
        }
        cursor.end()?;
        Ok(list)
    }

    fn selection(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        cursor.list(|cursor| {
            match cursor.keyword()?.to_ascii_uppercase().as_str() {
                "SUBSCRIBED" => self.only_subscribed = true,
                "REMOTE" => self.remote = true,
                "RECURSIVEMATCH" => self.recursive_match = true,
                "SPECIAL-USE" => self.only_special = true,
                _ => return Err(Bad("unknown LIST selection option")),
            }
            Ok(())
        })?;
        if self.recursive_match && !self.only_subscribed && !self.only_special {
            return Err(Bad("RECURSIVEMATCH needs another selection option"));
        }
        Ok(())
    }

    fn returns(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        cursor.list(|cursor| {
            match cursor.keyword()?.to_ascii_uppercase().as_str() {
                "SUBSCRIBED" => self.subscribed = true,
                "CHILDREN" => self.children = true,
                "SPECIAL-USE" => self.special = true,
                "MYRIGHTS" => self.my_rights = true,
                "STATUS" => {
                    cursor.space()?;
                    self.status = status_items(cursor)?;
                }
                _ => return Err(Bad("unknown LIST return option")),
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// Reference and pattern of LSUB.
pub fn lsub(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<(String, String)> {
    let reference = mailbox_or_empty(cursor, utf8)?;
    cursor.space()?;
    let pattern = pattern(cursor, utf8)?;
    cursor.end()?;
    Ok((reference, pattern))
}

fn mailbox_or_empty(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<String> {
    let name = cursor.astring()?;
    if name.is_empty() { Ok(String::new()) } else { decode(&name, utf8) }
}

/// A pattern; its plain parts are decoded like names.
fn pattern(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<String> {
    let name = cursor.list_mailbox()?;
    if name.is_empty() {
        return Ok(String::new());
    }
    // What cannot be decoded is no mistake here: it matches nothing.
    Ok(decode(&name, utf8).unwrap_or_else(|_| String::from_utf8_lossy(&name).into_owned()))
}

/// CREATE: a name, and what it is for. RFC 6154.
pub fn create<'a>(cursor: &mut Cursor<'a>, utf8: bool) -> Parsed<(String, Vec<&'a str>)> {
    let name = mailbox(cursor, utf8)?;
    let mut uses = Vec::new();
    if !cursor.is_at_end() {
        cursor.space()?;
        let lists = cursor.list(|cursor| {
            if !cursor.keyword()?.eq_ignore_ascii_case("USE") {
                return Err(Bad("unknown CREATE parameter"));
            }
            cursor.space()?;
            cursor.list(Cursor::flag)
        })?;
        uses = lists.into_iter().flatten().collect();
    }
    cursor.end()?;
    Ok((name, uses))
}

/// A piece of what is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A literal: the number under which it was set aside.
    Literal(usize),
    /// A message, or a part of one, that is in a mailbox: an IMAP URL. RFC 4469.
    Url(Cow<'a, [u8]>),
    /// A URL that came as a literal.
    UrlAside(usize),
}

/// One message to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage<'a> {
    /// Flags and keywords.
    pub flags: Vec<&'a str>,
    /// INTERNALDATE.
    pub date: Option<Timestamp>,
    /// The content, in pieces for CATENATE.
    pub content: Vec<Content<'a>>,
}

/// The messages of APPEND after the mailbox, or the one of REPLACE.
pub fn messages<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<NewMessage<'a>>> {
    let mut messages = Vec::new();
    loop {
        cursor.space()?;
        messages.push(message(cursor)?);
        if cursor.is_at_end() {
            return Ok(messages);
        }
    }
}

fn message<'a>(cursor: &mut Cursor<'a>) -> Parsed<NewMessage<'a>> {
    let mut message = NewMessage { flags: Vec::new(), date: None, content: Vec::new() };
    if cursor.peek() == Some(b'(') {
        message.flags = cursor.list(Cursor::flag)?;
        cursor.space()?;
    }
    if cursor.peek() == Some(b'"') {
        message.date = Some(dates::date_time(cursor)?);
        cursor.space()?;
    }
    if cursor.eat_word("CATENATE") {
        cursor.space()?;
        message.content = cursor.list(catenated)?;
    } else if cursor.eat_word("UTF8") {
        // RFC 6855 4: the literal stands in parentheses.
        cursor.space()?;
        cursor.open()?;
        message.content.push(Content::Literal(cursor.literal_aside()?.0));
        cursor.expect(b')')?;
        cursor.close();
    } else if cursor.at_literal() {
        message.content.push(Content::Literal(cursor.literal_aside()?.0));
    } else {
        return Err(Bad("expected a literal"));
    }
    if message.content.is_empty() { Err(Bad("nothing to append")) } else { Ok(message) }
}

fn catenated<'a>(cursor: &mut Cursor<'a>) -> Parsed<Content<'a>> {
    let kind = cursor.keyword()?;
    cursor.space()?;
    if kind.eq_ignore_ascii_case("TEXT") {
        if !cursor.at_literal() {
            return Err(Bad("expected a literal"));
        }
        Ok(Content::Literal(cursor.literal_aside()?.0))
    } else if !kind.eq_ignore_ascii_case("URL") {
        Err(Bad("expected TEXT or URL"))
    } else if cursor.at_literal() {
        Ok(Content::UrlAside(cursor.literal_aside()?.0))
    } else {
        Ok(Content::Url(cursor.astring()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_list_wants_them() {
        let matches = |pattern: &str, name: &str| Pattern::new(pattern.to_owned()).matches(name, '/');
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("%", "a/b", false),
            ("%", "a", true),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("%/%", "a/b", true),
            ("*b", "a/b", true),
            ("%b", "a/b", false),
            ("inbox", "INBOX", true),
            ("InBox/%", "INBOX/x", true),
            ("i*", "INBOX", true),
            ("a*", "A", false),
            ("", "", true),
            ("**************************a", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn lists_and_their_options() {
        let list = |text: &'static str| List::parse(&mut Cursor::new(text.as_bytes()), false);
        assert_eq!(list("\"\" *").unwrap().patterns, ["*"]);
        assert!(!list("\"\" \"\"").unwrap().extended);
        let full = list(
            "(SUBSCRIBED RECURSIVEMATCH) \"\" (INBOX \"a/%\") RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN))",
        )
        .unwrap();
        assert!(full.only_subscribed && full.recursive_match && full.children && full.special);
        assert_eq!((full.patterns.len(), full.status.len()), (2, 2));
        for bad in
            ["", "\"\"", "(FOO) \"\" *", "\"\" * FOO", "\"\" * RETURN (FOO)", "(RECURSIVEMATCH) \"\" *"]
        {
            assert!(list(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn selects_and_appends() {
        let select = |text: &'static str| Select::parse(&mut Cursor::new(text.as_bytes()), false);
        assert_eq!(select("inbox").unwrap().mailbox, "INBOX");
        let resync = select("x (QRESYNC (7 90 1:5 (1,3 2,9)) CONDSTORE)").unwrap().resync.unwrap();
        assert_eq!((resync.uid_validity, resync.mod_seq), (7, 90));
        assert!(resync.known.is_some() && resync.matched.is_some());
        assert!(select("x (QRESYNC (7 90 (1,3 2,9)))").unwrap().resync.unwrap().matched.is_some());
        for bad in ["", "x (FOO)", "x (QRESYNC)", "x (QRESYNC (7))", "x y"] {
            assert!(select(bad).is_err(), "{bad}");
        }
        let append = |text: &'static str| messages(&mut Cursor::new(text.as_bytes()));
        let two = append(" (\\Seen a) \"17-Jul-1996 02:44:25 -0700\" {10}\r\n ~{3+}\r\n").unwrap();
        assert_eq!(two[0].flags, ["\\Seen", "a"]);
        assert_eq!(two[1].content, [Content::Literal(1)]);
        assert_eq!(append(" CATENATE (URL \"/a\" TEXT {3}\r\n URL {2}\r\n)").unwrap()[0].content.len(), 3);
        for bad in ["", " ", " (\\Seen)", " \"x\" {1}\r\n", " CATENATE ()", " {1}\r\n x", " foo"] {
            assert!(append(bad).is_err(), "{bad}");
        }
    }
}
