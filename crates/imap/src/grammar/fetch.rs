//! What FETCH asks for, and how STORE changes flags. RFC 9051 6.4.5 and 6.4.6, RFC 7162, 3516, 8474, 8514, 8970, 9394.

use super::cursor::{Bad, Cursor, Parsed};
use super::set::Set;

/// A part of a message by number: `1.2` is `[1, 2]`; empty for the whole.
pub type Part = Vec<u32>;

/// Most numbers in a part's name.
const PART_DEPTH: usize = 100;

/// What of a part is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The part, or the message.
    All,
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS` and `HEADER.FIELDS.NOT`, with the names as they were written.
    Fields {
        /// The fields that are not named.
        not: bool,
        /// Names.
        names: Vec<String>,
    },
    /// `TEXT`
    Text,
    /// `MIME`
    Mime,
}

/// `BODY[1.HEADER]` without the word before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The part.
    pub part: Part,
    /// What of it.
    pub text: Text,
}

/// `<offset.length>`
pub type Partial = Option<(u64, u64)>;

/// One thing FETCH asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `UID`
    Uid,
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `SAVEDATE`. RFC 8514.
    SaveDate,
    /// `ENVELOPE`
    Envelope,
    /// `BODYSTRUCTURE`, or `BODY` without a section: the same without the later fields.
    Structure {
        /// Is it `BODYSTRUCTURE`?
        extended: bool,
    },
    /// `RFC822.SIZE`
    Size,
    /// `MODSEQ`. RFC 7162.
    ModSeq,
    /// `EMAILID`. RFC 8474.
    EmailId,
    /// `THREADID`. RFC 8474.
    ThreadId,
    /// `PREVIEW`, and whether only one that costs nothing is wanted. RFC 8970.
    Preview {
        /// `(LAZY)`
        lazy: bool,
    },
    /// `BODY[…]`
    Body {
        /// What.
        section: Section,
        /// Which bytes of it.
        partial: Partial,
        /// `BODY.PEEK` leaves `\Seen` alone.
        peek: bool,
    },
    /// `RFC822`, `RFC822.HEADER`, `RFC822.TEXT`
    Rfc822(Text),
    /// `BINARY[…]`. RFC 3516.
    Binary {
        /// Which part.
        part: Part,
        /// Which decoded bytes of it.
        partial: Partial,
        /// `BINARY.PEEK`
        peek: bool,
    },
    /// `BINARY.SIZE[…]`
    BinarySize(Part),
}

/// FETCH and UID FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Which messages.
    pub set: Set,
    /// What of them.
    pub items: Vec<Item>,
    /// `CHANGEDSINCE`. RFC 7162.
    pub changed_since: Option<u64>,
    /// `VANISHED`
    pub vanished: bool,
    /// `PARTIAL`. RFC 9394.
    pub partial: Option<(i64, i64)>,
}

impl Fetch {
    /// The arguments.
    pub fn parse(cursor: &mut Cursor<'_>, uid: bool) -> Parsed<Fetch> {
        let set = Set::parse(cursor)?;
        cursor.space()?;
        let items = items(cursor)?;
        let mut fetch = Fetch { set, items, changed_since: None, vanished: false, partial: None };
        if cursor.peek() == Some(b' ') && !cursor.is_at_end() {
            cursor.space()?;
            cursor.list(|cursor| {
                let name = cursor.keyword()?;
                if name.eq_ignore_ascii_case("CHANGEDSINCE") {
                    cursor.space()?;
                    fetch.changed_since = Some(cursor.number64()?);
                } else if name.eq_ignore_ascii_case("VANISHED") && uid {
                    fetch.vanished = true;
                } else if name.eq_ignore_ascii_case("PARTIAL") && uid {
                    cursor.space()?;
                    fetch.partial = Some(partial_range(cursor)?);
                } else {
                    return Err(Bad("unknown FETCH modifier"));
                }
                Ok(())
            })?;
        }
        cursor.end()?;
        if fetch.vanished && fetch.changed_since.is_none() {
            return Err(Bad("VANISHED needs CHANGEDSINCE"));
        }
        Ok(fetch)
    }
}

/// `1:100` or `-1:-100`, both ends of one sign. RFC 9394.
pub fn partial_range(cursor: &mut Cursor<'_>) -> Parsed<(i64, i64)> {
    fn end(cursor: &mut Cursor<'_>) -> Parsed<i64> {
        let negative = cursor.eat(b'-');
        let number = i64::from(cursor.number()?);
        Ok(if negative { -number } else { number })
    }
    let first = end(cursor)?;
    if !cursor.eat(b':') {
        return Err(Bad("expected a range"));
    }
    let last = end(cursor)?;
    if first == 0 || last == 0 || (first < 0) != (last < 0) {
        return Err(Bad("invalid range"));
    }
    Ok(if first.abs() <= last.abs() { (first, last) } else { (last, first) })
}

/// What is fetched: one item, or some in parentheses.
pub fn items(cursor: &mut Cursor<'_>) -> Parsed<Vec<Item>> {
    if cursor.peek() == Some(b'(') {
        let lists = cursor.list(item)?;
        let items: Vec<Item> = lists.into_iter().flatten().collect();
        return if items.is_empty() { Err(Bad("nothing to fetch")) } else { Ok(items) };
    }
    item(cursor)
}

fn item(cursor: &mut Cursor<'_>) -> Parsed<Vec<Item>> {
    let name = cursor.keyword()?.to_ascii_uppercase();
    let bracket = cursor.peek() == Some(b'[');
    let single = match name.as_str() {
        "BODY" | "BODY.PEEK" if bracket => {
            let section = section(cursor)?;
            Item::Body { section, partial: partial(cursor)?, peek: name.ends_with("PEEK") }
        }
        "BINARY" | "BINARY.PEEK" if bracket => {
            let part = binary_part(cursor)?;
            Item::Binary { part, partial: partial(cursor)?, peek: name.ends_with("PEEK") }
        }
        "BINARY.SIZE" if bracket => Item::BinarySize(binary_part(cursor)?),
        "UID" => Item::Uid,
        "FLAGS" => Item::Flags,
        "INTERNALDATE" => Item::InternalDate,
        "SAVEDATE" => Item::SaveDate,
        "ENVELOPE" => Item::Envelope,
        "BODYSTRUCTURE" => Item::Structure { extended: true },
        "BODY" => Item::Structure { extended: false },
        "RFC822.SIZE" => Item::Size,
        "RFC822" => Item::Rfc822(Text::All),
        "RFC822.HEADER" => Item::Rfc822(Text::Header),
        "RFC822.TEXT" => Item::Rfc822(Text::Text),
        "MODSEQ" => Item::ModSeq,
        "EMAILID" => Item::EmailId,
        "THREADID" => Item::ThreadId,
        "PREVIEW" => Item::Preview { lazy: preview_is_lazy(cursor)? },
        // Dovecot takes the macros within a list too.
        "ALL" | "FAST" | "FULL" => {
            let mut items = vec![Item::Flags, Item::InternalDate, Item::Size];
            if name != "FAST" {
                items.push(Item::Envelope);
            }
            if name == "FULL" {
                items.push(Item::Structure { extended: false });
            }
            return Ok(items);
        }
        _ => return Err(Bad("unknown FETCH item")),
    };
    Ok(vec![single])
}

fn preview_is_lazy(cursor: &mut Cursor<'_>) -> Parsed<bool> {
    if !cursor.rest().starts_with(b" (") || !cursor.rest()[2..].to_ascii_uppercase().starts_with(b"LAZY)") {
        return Ok(false);
    }
    cursor.space()?;
    cursor.list(|cursor| cursor.keyword().map(drop))?;
    Ok(true)
}

/// `[…]` after `BODY`.
pub fn section(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    cursor.expect(b'[')?;
    let (part, dotted) = part(cursor)?;
    let text = if cursor.peek() == Some(b']') && !dotted {
        Text::All
    } else {
        if !part.is_empty() && !dotted {
            return Err(Bad("invalid section"));
        }
        let name = cursor.keyword()?.to_ascii_uppercase();
        match name.as_str() {
            "HEADER" => Text::Header,
            "TEXT" => Text::Text,
            "MIME" if !part.is_empty() => Text::Mime,
            "HEADER.FIELDS" | "HEADER.FIELDS.NOT" => {
                cursor.space()?;
                let names = cursor.list(|cursor| {
                    let name = cursor.astring()?;
                    String::from_utf8(name.into_owned()).map_err(|_| Bad("invalid header name"))
                })?;
                if names.is_empty() {
                    return Err(Bad("no header names"));
                }
                Text::Fields { not: name.ends_with("NOT"), names }
            }
            _ => return Err(Bad("unknown section")),
        }
    };
    cursor.expect(b']')?;
    Ok(Section { part, text })
}

/// Numbers with dots between them, and whether a dot follows.
fn part(cursor: &mut Cursor<'_>) -> Parsed<(Part, bool)> {
    let mut part = Part::new();
    let mut dotted = false;
    while cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        let number = cursor.number()?;
        if number == 0 || part.len() == PART_DEPTH {
            return Err(Bad("invalid part number"));
        }
        part.push(number);
        dotted = cursor.eat(b'.');
        if !dotted {
            break;
        }
    }
    Ok((part, dotted))
}

fn binary_part(cursor: &mut Cursor<'_>) -> Parsed<Part> {
    cursor.expect(b'[')?;
    let (part, dotted) = part(cursor)?;
    if dotted {
        return Err(Bad("invalid part number"));
    }
    cursor.expect(b']')?;
    Ok(part)
}

fn partial(cursor: &mut Cursor<'_>) -> Parsed<Partial> {
    if !cursor.eat(b'<') {
        return Ok(None);
    }
    let start = cursor.number64()?;
    // RFC 3501 wants both; some clients give the start alone in what they think is a reply.
    cursor.expect(b'.')?;
    let length = cursor.number64()?;
    cursor.expect(b'>')?;
    if length == 0 { Err(Bad("a partial fetch of no bytes")) } else { Ok(Some((start, length))) }
}

/// How STORE changes flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// STORE and UID STORE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// Which messages.
    pub set: Set,
    /// `UNCHANGEDSINCE`. RFC 7162.
    pub unchanged_since: Option<u64>,
    /// How.
    pub how: How,
    /// `.SILENT`
    pub silent: bool,
    /// Which flags.
    pub flags: Vec<&'a str>,
}

impl<'a> Store<'a> {
    /// The arguments.
    pub fn parse(cursor: &mut Cursor<'a>) -> Parsed<Store<'a>> {
        let set = Set::parse(cursor)?;
        cursor.space()?;
        let mut unchanged_since = None;
        if cursor.peek() == Some(b'(') {
            cursor.list(|cursor| {
                if !cursor.keyword()?.eq_ignore_ascii_case("UNCHANGEDSINCE") {
                    return Err(Bad("unknown STORE modifier"));
                }
                cursor.space()?;
                unchanged_since = Some(cursor.number64()?);
                Ok(())
            })?;
            cursor.space()?;
        }
        let how = match cursor.peek() {
            Some(b'+') => How::Add,
            Some(b'-') => How::Remove,
            _ => How::Replace,
        };
        let name = cursor.keyword()?.trim_start_matches(['+', '-']);
        let silent = name.eq_ignore_ascii_case("FLAGS.SILENT");
        if !silent && !name.eq_ignore_ascii_case("FLAGS") {
            return Err(Bad("expected FLAGS"));
        }
        cursor.space()?;
        let flags = flags(cursor)?;
        cursor.end()?;
        Ok(Store { set, unchanged_since, how, silent, flags })
    }
}

/// `(\Seen $x)`, or without parentheses.
fn flags<'a>(cursor: &mut Cursor<'a>) -> Parsed<Vec<&'a str>> {
    if cursor.peek() == Some(b'(') {
        return cursor.list(Cursor::flag);
    }
    let mut flags = vec![cursor.flag()?];
    while cursor.peek() == Some(b' ') && !cursor.is_at_end() {
        cursor.space()?;
        flags.push(cursor.flag()?);
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(text: &str) -> Parsed<Fetch> {
        Fetch::parse(&mut Cursor::new(text.as_bytes()), true)
    }

    #[test]
    fn items_of_all_kinds() {
        let items = |text: &str| fetch(&format!("1 {text}")).unwrap().items;
        assert_eq!(items("FAST"), [Item::Flags, Item::InternalDate, Item::Size]);
        assert_eq!(items("(UID FLAGS)"), [Item::Uid, Item::Flags]);
        assert_eq!(
            items("BODY.PEEK[1.2.HEADER.FIELDS (From \"To\")]<0.10>"),
            [Item::Body {
                section: Section {
                    part: vec![1, 2],
                    text: Text::Fields { not: false, names: vec!["From".into(), "To".into()] }
                },
                partial: Some((0, 10)),
                peek: true
            }]
        );
        assert_eq!(items("BODY"), [Item::Structure { extended: false }]);
        assert_eq!(items("BINARY.SIZE[3]"), [Item::BinarySize(vec![3])]);
        assert_eq!(items("(PREVIEW (LAZY) UID)"), [Item::Preview { lazy: true }, Item::Uid]);
        let all = fetch("1:* (FLAGS) (CHANGEDSINCE 12 VANISHED)").unwrap();
        assert_eq!((all.changed_since, all.vanished), (Some(12), true));
        assert_eq!(fetch("1:* UID (PARTIAL -1:-10)").unwrap().partial, Some((-1, -10)));
    }

    #[test]
    fn what_is_no_fetch() {
        for bad in [
            "1",
            "1 ",
            "1 ()",
            "1 FOO",
            "1 BODY[",
            "1 BODY[]x",
            "1 BODY[1.]",
            "1 BODY[0]",
            "1 BODY[MIME]",
            "1 BODY[1MIME]",
            "1 BODY[HEADER.FIELDS]",
            "1 BODY[HEADER.FIELDS ()]",
            "1 BODY[]<1>",
            "1 BODY[]<1.0>",
            "1 (FLAGS",
            "x FLAGS",
            "1 FLAGS (VANISHED)",
            "1 FLAGS (FOO)",
            "1 UID (PARTIAL 1:-3)",
            "1 BINARY[1.]",
        ] {
            assert!(fetch(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn stores() {
        let store = |text: &'static str| Store::parse(&mut Cursor::new(text.as_bytes()));
        let added = store("1:2 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen $x [a])").unwrap();
        assert_eq!(
            (added.how, added.silent, added.unchanged_since, added.flags),
            (How::Add, true, Some(5), vec!["\\Seen", "$x", "[a]"])
        );
        assert_eq!(store("1 FLAGS \\Seen \\Deleted").unwrap().flags.len(), 2);
        assert_eq!(store("1 -FLAGS ()").unwrap().flags.len(), 0);
        for bad in
            ["1", "1 FLAG (\\Seen)", "1 FLAGS", "1 *FLAGS (\\Seen)", "1 FLAGS (\\Seen", "1 FLAGS (\\Seen) x"]
        {
            assert!(store(bad).is_err(), "{bad}");
        }
    }
}
