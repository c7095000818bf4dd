//! The header lines in which an mbox file keeps what a mailbox knows: `Status`, `X-Status`, `X-Keywords`, `X-UID`,
//! `X-IMAPbase`, as UW-IMAP began and Dovecot goes on. Pure.

use crate::Flags;

/// What a header says about its message, and, in the first message, about the mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// `X-UID`
    pub uid: Option<u32>,
    /// Letters R of `Status` and A D F T of `X-Status`.
    pub flags: Flags,
    /// The O of `Status`: a session has seen it.
    pub old: bool,
    /// `X-Keywords`
    pub keywords: Vec<String>,
    /// `X-IMAPbase` or `X-IMAP`
    pub base: Option<Base>,
    /// `X-IMAP` rather than `X-IMAPbase`: this is UW's message of folder data, hidden from clients.
    pub pseudo: bool,
    /// `Content-Length`
    pub content_length: Option<u64>,
}

/// `X-IMAPbase: UIDVALIDITY LASTUID KEYWORD...`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// UIDVALIDITY of the mailbox.
    pub uidvalidity: u32,
    /// The highest UID given so far.
    pub last_uid: u32,
    /// The mailbox's keywords.
    pub keywords: Vec<String>,
}

/// Letters of `Status` and `X-Status` that are flags.
const LETTERS: [(u8, Flags); 5] = [
    (b'R', Flags::SEEN),
    (b'A', Flags::ANSWERED),
    (b'D', Flags::DELETED),
    (b'F', Flags::FLAGGED),
    (b'T', Flags::DRAFT),
];

/// Room left in a header that had to grow, so that the next changes fit.
const PADDING: usize = 50;

/// Lines that clients do not see.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Private {
    Status,
    XStatus,
    Keywords,
    Uid,
    Base,
    Pseudo,
    Length,
}

const NAMES: [(&[u8], Private); 7] = [
    (b"status", Private::Status),
    (b"x-status", Private::XStatus),
    (b"x-keywords", Private::Keywords),
    (b"x-uid", Private::Uid),
    (b"x-imapbase", Private::Base),
    (b"x-imap", Private::Pseudo),
    (b"content-length", Private::Length),
];

fn private(field: &[u8]) -> Option<(Private, &[u8])> {
    let colon = memchr::memchr(b':', field.get(..field.len().min(20))?)?;
    let name = field[..colon].trim_ascii_end();
    let kind = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1;
    Some((kind, field[colon + 1..].trim_ascii()))
}

/// The fields of a header, each with its continuation lines and line ends; the empty line at the end is the last.
fn fields(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = header;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            end = memchr::memchr(b'\n', &rest[end..]).map_or(rest.len(), |at| end + at + 1);
            if !rest.get(end).is_some_and(|next| matches!(next, b' ' | b'\t')) || rest[0] == b'\n' {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        rest = after;
        Some(field)
    })
}

/// Reads the marks of a header.
pub fn read(header: &[u8]) -> Marks {
    let mut marks = Marks::default();
    for (kind, value) in fields(header).filter_map(private) {
        let text = String::from_utf8_lossy(value);
        let words = || text.split_ascii_whitespace().map(str::to_owned);
        match kind {
            Private::Status | Private::XStatus => {
                for (letter, flag) in LETTERS {
                    // R is of Status, the others of X-Status; a D in Status is old BSD mail's.
                    if value.contains(&letter) && (kind == Private::Status) == (letter == b'R') {
                        marks.flags = marks.flags | flag;
                    }
                }
                marks.old |= kind == Private::Status && value.contains(&b'O');
            }
            Private::Keywords => marks.keywords.extend(words()),
            Private::Uid => marks.uid = text.parse().ok().filter(|uid| *uid > 0),
            Private::Base | Private::Pseudo => {
                let mut words = words();
                let numbers = (words.next(), words.next());
                if let (Some(Ok(uidvalidity)), Some(Ok(last_uid))) =
                    (numbers.0.map(|n| n.parse::<u32>()), numbers.1.map(|n| n.parse::<u32>()))
                    && uidvalidity > 0
                {
                    marks.base = Some(Base { uidvalidity, last_uid, keywords: words.collect() });
                    marks.pseudo |= kind == Private::Pseudo;
                }
            }
            Private::Length => marks.content_length = text.parse().ok(),
        }
    }
    marks
}

/// The header as clients see it.
pub fn visible(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len());
    fields(header).filter(|field| private(field).is_none()).for_each(|field| out.extend_from_slice(field));
    out
}

/// How many octets, and how many lines, of a header clients do not see.
pub fn hidden(header: &[u8]) -> (usize, usize) {
    let hidden = fields(header).filter(|field| private(field).is_some());
    hidden.fold((0, 0), |(octets, lines), field| {
        (octets + field.len(), lines + memchr::memchr_iter(b'\n', field).count())
    })
}

/// The header with these marks in place of its own. As long as it was where they fit, so that a mailbox is changed
/// in place; else with room for later changes.
pub fn write(header: &[u8], marks: &Marks) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len() + 2 * PADDING);
    let mut end: &[u8] = b"";
    for field in fields(header) {
        match private(field) {
            // UW's message of folder data keeps the name of its field.
            Some((Private::Length, _)) => out.extend_from_slice(field),
            Some(_) => {}
            None if field == b"\n" || field == b"\r\n" => end = field,
            None => out.extend_from_slice(field),
        }
    }
    if let Some(base) = &marks.base {
        let name = if marks.pseudo { "X-IMAP" } else { "X-IMAPbase" };
        let mut line = format!("{name}: {} {:010}", base.uidvalidity, base.last_uid);
        base.keywords.iter().for_each(|keyword| {
            line.push(' ');
            line.push_str(keyword);
        });
        line.push('\n');
        out.extend_from_slice(line.as_bytes());
    }
    if let Some(uid) = marks.uid {
        out.extend_from_slice(format!("X-UID: {uid}\n").as_bytes());
    }
    let letters = |of_status: bool| -> String {
        let set =
            LETTERS.iter().filter(|(letter, flag)| (*letter == b'R') == of_status && marks.flags.has(*flag));
        set.map(|(letter, _)| char::from(*letter)).collect()
    };
    let old = if marks.old { "O" } else { "" };
    out.extend_from_slice(format!("Status: {}{old}\n", letters(true)).as_bytes());
    let others = letters(false);
    if !others.is_empty() {
        out.extend_from_slice(format!("X-Status: {others}\n").as_bytes());
    }
    out.extend_from_slice(b"X-Keywords: ");
    out.extend_from_slice(marks.keywords.join(" ").as_bytes());
    let least = out.len() + 1 + end.len();
    let padding = header.len().checked_sub(least).unwrap_or(PADDING);
    out.resize(out.len() + padding, b' ');
    out.push(b'\n');
    out.extend_from_slice(end);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &[u8] = b"From: a@b\nSubject: one\n two\nStatus: RO\nX-Status: AT\n\
        X-IMAPbase: 1795279284 0000000002 $Foo Bar\nX-UID: 1                   \n\
        X-Keywords: $Foo Bar\nContent-Length: 13\n\n";

    #[test]
    fn marks_of_dovecot() {
        let marks = read(HEADER);
        assert_eq!(marks.uid, Some(1));
        assert_eq!(marks.flags, Flags::SEEN | Flags::ANSWERED | Flags::DRAFT);
        assert_eq!(marks.keywords, ["$Foo", "Bar"]);
        let base = marks.base.unwrap();
        assert_eq!((base.uidvalidity, base.last_uid, base.keywords.len()), (1795279284, 2, 2));
        assert!(marks.old && !marks.pseudo);
        assert_eq!(marks.content_length, Some(13));
        assert_eq!(visible(HEADER), b"From: a@b\nSubject: one\n two\n\n");
        assert_eq!(hidden(HEADER).0, HEADER.len() - visible(HEADER).len());
    }

    #[test]
    fn changed_in_place_where_it_fits() {
        let marks = Marks { flags: Flags::SEEN, old: true, uid: Some(7), ..Marks::default() };
        let grown = write(b"Subject: x\n\n", &marks);
        assert_eq!(read(&grown), marks);
        let more = Marks { flags: Flags::ALL, keywords: vec!["$Junk".into()], ..marks };
        let again = write(&grown, &more);
        assert_eq!(again.len(), grown.len());
        assert_eq!(read(&again), more);
    }

    #[test]
    fn folder_data_of_uw() {
        let marks = read(b"Subject: DON'T DELETE THIS MESSAGE\nX-IMAP: 1234 0000000009\nStatus: RO\n\n");
        assert!(marks.pseudo);
        assert_eq!(marks.base.unwrap().last_uid, 9);
    }

    proptest! {
        #[test]
        fn what_clients_see_stays(
            lines in proptest::collection::vec("(Subject|Status|X-UID|X-IMAPbase|Foo)[ ]?: [a-zA-Z0-9 ]{0,10}(\n [a-z]{0,5})?", 0..8),
            uid in 1u32..,
            flags in 0u8..32,
        ) {
            let header = lines.iter().map(|line| format!("{line}\n")).collect::<String>() + "\n";
            let marks = Marks { uid: Some(uid), flags: Flags(flags), old: true, ..Marks::default() };
            let new = write(header.as_bytes(), &marks);
            prop_assert_eq!(visible(&new), visible(header.as_bytes()));
            let back = read(&new);
            prop_assert_eq!(Marks { content_length: None, ..back }, marks);
        }

        #[test]
        fn no_bytes_panic(header in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&header);
            write(&visible(&header), &Marks::default());
        }
    }
}
