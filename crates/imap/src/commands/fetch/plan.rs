//! What a FETCH needs to read, and in which words it is answered.

use mime::{Section, What};

use crate::grammar::fetch::{self, Item, Part, Partial, Text};

/// What has to be read of each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// ENVELOPE and BODYSTRUCTURE, which the store keeps ready.
    pub summary: bool,
    /// The header.
    pub header: bool,
    /// The whole message: then the rest comes from it.
    pub message: bool,
}

impl Needs {
    const NOTHING: Needs = Needs { summary: false, header: false, message: false };
    const SUMMARY: Needs = Needs { summary: true, ..Needs::NOTHING };
    const HEADER: Needs = Needs { header: true, ..Needs::NOTHING };
    const MESSAGE: Needs = Needs { message: true, ..Needs::NOTHING };
}

/// One thing that is told of each message.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// `UID`
    Uid,
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `SAVEDATE`
    SaveDate,
    /// `ENVELOPE`
    Envelope,
    /// `BODY` or `BODYSTRUCTURE`
    Structure {
        /// `BODYSTRUCTURE`
        extended: bool,
    },
    /// `RFC822.SIZE`
    Size,
    /// `MODSEQ`
    ModSeq,
    /// `EMAILID`
    EmailId,
    /// `THREADID`
    ThreadId,
    /// `PREVIEW`
    Preview,
    /// A section, under this name.
    Section {
        /// As the answer calls it: `BODY[1]`.
        name: String,
        /// What it is.
        section: Section,
        /// Which bytes of it.
        partial: Partial,
    },
    /// A decoded part, under this name.
    Binary {
        /// As the answer calls it.
        name: String,
        /// Which part.
        part: Part,
        /// Which bytes of it.
        partial: Partial,
    },
    /// The size of a decoded part, under this name.
    BinarySize {
        /// As the answer calls it.
        name: String,
        /// Which part.
        part: Part,
    },
}

/// A FETCH, worked out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is told, in order.
    pub wanted: Vec<Wanted>,
    /// What is read.
    pub needs: Needs,
    /// Reading it makes messages `\Seen`.
    pub marks_seen: bool,
    /// `MODSEQ` is told.
    pub mod_seq: bool,
    /// `FLAGS` is told.
    pub flags: bool,
}

impl Plan {
    /// For these items; `uid` for UID FETCH, `mod_seq` where CHANGEDSINCE asks for MODSEQ.
    pub fn new(items: &[Item], uid: bool, mod_seq: bool) -> Plan {
        let mut plan =
            Plan { wanted: Vec::new(), needs: Needs::NOTHING, marks_seen: false, mod_seq, flags: false };
        if uid || items.contains(&Item::Uid) {
            plan.wanted.push(Wanted::Uid);
        }
        for item in items {
            plan.add(item);
        }
        plan.mod_seq |= mod_seq;
        if mod_seq && !items.contains(&Item::ModSeq) {
            plan.wanted.push(Wanted::ModSeq);
        }
        plan
    }

    fn add(&mut self, item: &Item) {
        let (wanted, needs) = match item {
            Item::Uid => return,
            Item::Flags => {
                if std::mem::replace(&mut self.flags, true) {
                    return;
                }
                (Wanted::Flags, Needs::NOTHING)
            }
            Item::InternalDate => (Wanted::InternalDate, Needs::NOTHING),
            Item::SaveDate => (Wanted::SaveDate, Needs::NOTHING),
            Item::Size => (Wanted::Size, Needs::NOTHING),
            Item::ModSeq => {
                self.mod_seq = true;
                (Wanted::ModSeq, Needs::NOTHING)
            }
            Item::EmailId => (Wanted::EmailId, Needs::NOTHING),
            Item::ThreadId => (Wanted::ThreadId, Needs::NOTHING),
            Item::Envelope => (Wanted::Envelope, Needs::SUMMARY),
            Item::Structure { extended: true } => (Wanted::Structure { extended: true }, Needs::SUMMARY),
            Item::Structure { extended: false } => (Wanted::Structure { extended: false }, Needs::MESSAGE),
            // A preview is made when it is asked for: a lazy one would never come.
            Item::Preview { .. } => (Wanted::Preview, Needs::MESSAGE),
            Item::Body { section, partial, peek } => {
                self.marks_seen |= !peek;
                let name = format!("BODY[{}]{}", section_name(section), offset(*partial));
                let needs = needs_of(section);
                (Wanted::Section { name, section: convert(section), partial: *partial }, needs)
            }
            Item::Rfc822(text) => {
                self.marks_seen |= *text != Text::Header;
                let name = match text {
                    Text::Header => "RFC822.HEADER",
                    Text::Text => "RFC822.TEXT",
                    _ => "RFC822",
                };
                let section = fetch::Section { part: Part::new(), text: text.clone() };
                let needs = needs_of(&section);
                (Wanted::Section { name: name.to_owned(), section: convert(&section), partial: None }, needs)
            }
            Item::Binary { part, partial, peek } => {
                self.marks_seen |= !peek;
                let name = format!("BINARY[{}]{}", part_name(part), offset(*partial));
                (Wanted::Binary { name, part: part.clone(), partial: *partial }, Needs::MESSAGE)
            }
            Item::BinarySize(part) => {
                let name = format!("BINARY.SIZE[{}]", part_name(part));
                (Wanted::BinarySize { name, part: part.clone() }, Needs::MESSAGE)
            }
        };
        self.needs.summary |= needs.summary;
        self.needs.header |= needs.header;
        self.needs.message |= needs.message;
        self.wanted.push(wanted);
    }
}

fn needs_of(section: &fetch::Section) -> Needs {
    let header = matches!(section.text, Text::Header | Text::Fields { .. });
    if section.part.is_empty() && header { Needs::HEADER } else { Needs::MESSAGE }
}

/// The same in the words of the `mime` room.
pub fn convert(section: &fetch::Section) -> Section {
    let what = match &section.text {
        Text::All => What::All,
        Text::Header => What::Header,
        Text::Text => What::Text,
        Text::Mime => What::Mime,
        Text::Fields { not, names } => {
            let names = names.iter().map(|name| name.clone().into_bytes()).collect();
            if *not { What::FieldsNot(names) } else { What::Fields(names) }
        }
    };
    Section { path: section.part.clone(), what }
}

fn part_name(part: &[u32]) -> String {
    part.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn section_name(section: &fetch::Section) -> String {
    let mut name = part_name(&section.part);
    let text = match &section.text {
        Text::All => return name,
        Text::Header => "HEADER",
        Text::Text => "TEXT",
        Text::Mime => "MIME",
        Text::Fields { not: false, .. } => "HEADER.FIELDS",
        Text::Fields { not: true, .. } => "HEADER.FIELDS.NOT",
    };
    if !name.is_empty() {
        name.push('.');
    }
    name.push_str(text);
    if let Text::Fields { names, .. } = &section.text {
        let mut out = crate::respond::Out::default();
        for (at, field) in names.iter().enumerate() {
            out.put(if at == 0 { b" (" } else { b" " });
            out.astring(&field.to_ascii_uppercase());
        }
        out.put(b")");
        name.push_str(&String::from_utf8_lossy(out.bytes()));
    }
    name
}

fn offset(partial: Partial) -> String {
    partial.map_or_else(String::new, |(start, _)| format!("<{start}>"))
}

/// The messages from `first` to `last`, counted from 1, or from the end where negative. RFC 9394.
pub fn part_of(uids: &[u32], first: i64, last: i64) -> Vec<u32> {
    let count = uids.len();
    let (from, to) = (first.unsigned_abs() as usize, last.unsigned_abs() as usize);
    let range = if first > 0 {
        (from - 1).min(count)..to.min(count)
    } else {
        count - to.min(count)..count - (from - 1).min(count)
    };
    uids.get(range).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_list_from_either_end() {
        let uids = [10, 20, 30, 40, 50];
        assert_eq!(part_of(&uids, 1, 2), [10, 20]);
        assert_eq!(part_of(&uids, 4, 9), [40, 50]);
        assert_eq!(part_of(&uids, -1, -2), [40, 50]);
        assert_eq!(part_of(&uids, -4, -9), [10, 20]);
        assert!(part_of(&uids, 6, 9).is_empty());
        assert!(part_of(&uids, -6, -9).is_empty());
    }

    #[test]
    fn a_plan_reads_as_little_as_it_can() {
        let plan = |text: &str| {
            let mut cursor = crate::grammar::Cursor::new(text.as_bytes());
            let fetch = fetch::Fetch::parse(&mut cursor, true).unwrap();
            Plan::new(&fetch.items, false, false)
        };
        assert_eq!(plan("1 (UID FLAGS RFC822.SIZE)").needs, Needs::NOTHING);
        let both = Needs { summary: true, header: true, message: false };
        assert_eq!(plan("1 (ENVELOPE BODY.PEEK[HEADER.FIELDS (From)])").needs, both);
        assert!(plan("1 BODY[1]").marks_seen && !plan("1 BODY.PEEK[1]").marks_seen);
        assert!(!plan("1 RFC822.HEADER").marks_seen && plan("1 RFC822").marks_seen);
        let name = |text: &str| match plan(text).wanted.remove(0) {
            Wanted::Section { name, .. } => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            name("1 body.peek[1.header.fields (from \"x y\")]<5.9>"),
            "BODY[1.HEADER.FIELDS (FROM \"X Y\")]<5>"
        );
    }
}
