//! The file `dovecot-uidlist`: which UID each file has. Pure: bytes in, bytes out.
//!
//! Version 3 as Dovecot has written it since 1.1; version 1 is read. New messages are appended as lines, so the
//! next UID of the header may be behind; whoever rewrites the file brings the header up to date.

/// The whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uidlist {
    /// UIDVALIDITY of the mailbox.
    pub uidvalidity: u32,
    /// A UID that was never used, nor any above it.
    pub next_uid: u32,
    /// The mailbox's GUID, 32 hexadecimal digits; empty where none was given yet.
    pub guid: String,
    /// Header fields that are not known here, kept.
    header_rest: String,
    /// Messages, UIDs rising.
    pub records: Vec<Record>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The UID.
    pub uid: u32,
    /// `S36 W41 Puidl`: further facts, as written.
    pub extensions: Box<[u8]>,
    /// The file's name without flags.
    pub base: Box<[u8]>,
}

/// Why a list cannot be used. The mailbox then starts a new UIDVALIDITY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Record {
    /// The extension with this letter: `S` octets, `W` octets with CRLF, `P` POP3 UIDL, `O` POP3 order, `G` GUID.
    pub fn extension(&self, letter: u8) -> Option<&[u8]> {
        let mut words = self.extensions.split(|b| *b == b' ');
        words.find_map(|word| word.strip_prefix(&[letter]))
    }

    /// A numeric extension.
    pub fn number(&self, letter: u8) -> Option<u64> {
        std::str::from_utf8(self.extension(letter)?).ok()?.parse().ok()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.uid.to_string().as_bytes());
        out.push(b' ');
        if !self.extensions.is_empty() {
            out.extend_from_slice(&self.extensions);
            out.push(b' ');
        }
        out.push(b':');
        out.extend_from_slice(&self.base);
        out.push(b'\n');
    }
}

/// The lines of these records, as they are appended.
pub fn lines(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() * 64);
    records.iter().for_each(|record| record.write(&mut out));
    out
}

impl Uidlist {
    /// An empty list.
    pub fn new(uidvalidity: u32, guid: String) -> Uidlist {
        Uidlist { uidvalidity, next_uid: 1, guid, header_rest: String::new(), records: Vec::new() }
    }

    /// The list without its messages.
    pub fn head(&self) -> Uidlist {
        Uidlist {
            records: Vec::new(),
            guid: self.guid.clone(),
            header_rest: self.header_rest.clone(),
            ..*self
        }
    }

    /// Reads a file. The second value is how many octets were whole lines: what follows is a torn line, or one that
    /// is being written.
    pub fn parse(text: &[u8]) -> Result<(Uidlist, usize), Broken> {
        let end = memchr::memchr(b'\n', text).ok_or(Broken { line: 1, what: "no header" })?;
        let header = std::str::from_utf8(&text[..end]).map_err(|_| Broken { line: 1, what: "bad header" })?;
        let (mut list, version) = Uidlist::header(header)?;
        let read = list.read(&text[end + 1..], version, 2)?;
        Ok((list, end + 1 + read))
    }

    /// Reads lines that were appended since; gives how many octets were whole lines.
    pub fn read_on(&mut self, text: &[u8]) -> Result<usize, Broken> {
        let line = self.records.len() + 2;
        self.read(text, Version::Three, line)
    }

    /// The whole file.
    pub fn write(&self) -> Vec<u8> {
        let mut out = format!("3 V{} N{}", self.uidvalidity, self.next_uid);
        if !self.guid.is_empty() {
            out.push_str(" G");
            out.push_str(&self.guid);
        }
        if !self.header_rest.is_empty() {
            out.push(' ');
            out.push_str(&self.header_rest);
        }
        out.push('\n');
        let mut out = out.into_bytes();
        out.append(&mut lines(&self.records));
        out
    }

    fn header(text: &str) -> Result<(Uidlist, Version), Broken> {
        let bad = |what| Broken { line: 1, what };
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let mut list = Uidlist::new(0, String::new());
        let number = |text: &str| text.parse::<u32>().map_err(|_| bad("a number of the header is not one"));
        let version = match words.next() {
            Some("1") => {
                list.uidvalidity = number(words.next().unwrap_or(""))?;
                list.next_uid = number(words.next().unwrap_or(""))?;
                Version::One
            }
            Some("3") => {
                let mut rest = Vec::new();
                for word in words {
                    match word.split_at_checked(1) {
                        Some(("V", value)) => list.uidvalidity = number(value)?,
                        Some(("N", value)) => list.next_uid = number(value)?,
                        Some(("G", value)) => list.guid = value.to_owned(),
                        _ => rest.push(word),
                    }
                }
                list.header_rest = rest.join(" ");
                Version::Three
            }
            _ => return Err(bad("a version that is not known")),
        };
        if list.uidvalidity == 0 || list.next_uid == 0 {
            return Err(bad("UIDVALIDITY or next UID is missing"));
        }
        Ok((list, version))
    }

    fn read(&mut self, text: &[u8], version: Version, first_line: usize) -> Result<usize, Broken> {
        let mut start = 0;
        let mut last = self.records.last().map_or(0, |record| record.uid);
        for (n, end) in memchr::memchr_iter(b'\n', text).enumerate() {
            let broken = |what| Broken { line: first_line + n, what };
            let record = record(&text[start..end], version).map_err(broken)?;
            if record.uid <= last {
                return Err(broken("UIDs do not rise"));
            }
            last = record.uid;
            self.records.push(record);
            start = end + 1;
        }
        if last >= self.next_uid {
            self.next_uid = last.checked_add(1).ok_or(Broken { line: first_line, what: "no UID is left" })?;
        }
        Ok(start)
    }
}

#[derive(Clone, Copy)]
enum Version {
    One,
    Three,
}

fn record(line: &[u8], version: Version) -> Result<Record, &'static str> {
    let space = memchr::memchr(b' ', line).ok_or("no space after the UID")?;
    let uid = std::str::from_utf8(&line[..space]).ok().and_then(|uid| uid.parse::<u32>().ok());
    let uid = uid.filter(|uid| *uid > 0).ok_or("a UID that is not a number")?;
    let rest = &line[space + 1..];
    let (extensions, name) = match version {
        Version::One => (&rest[..0], rest),
        Version::Three if rest.first() == Some(&b':') => (&rest[..0], &rest[1..]),
        Version::Three => {
            let colon = memchr::memmem::find(rest, b" :").ok_or("no file name")?;
            (&rest[..colon], &rest[colon + 2..])
        }
    };
    let base = super::name::base(name);
    if base.is_empty() || base.contains(&b'/') {
        return Err("a file name that cannot be one");
    }
    Ok(Record { uid, extensions: extensions.into(), base: base.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: &[u8] = b"3 V1795279026 N1 Gda08462fb2c8016bf123000083ecc375\n\
        1 :1795279026.M927184P9214.vm,S=36,W=41\n\
        4 W42 P7.8 :1795279026.M986842P9216.vm,S=37\n";

    #[test]
    fn a_list_of_dovecot() {
        let (list, read) = Uidlist::parse(LIST).unwrap();
        assert_eq!((list.uidvalidity, list.next_uid, list.records.len()), (1795279026, 5, 2));
        assert_eq!(list.guid, "da08462fb2c8016bf123000083ecc375");
        assert_eq!(list.records[1].number(b'W'), Some(42));
        assert_eq!(list.records[1].extension(b'P'), Some(&b"7.8"[..]));
        assert_eq!(list.records[0].extension(b'P'), None);
        assert_eq!(read, LIST.len());
        let again = String::from_utf8(list.write()).unwrap();
        assert_eq!(again.replace("N5", "N1").as_bytes(), LIST);
    }

    #[test]
    fn a_line_that_is_being_written_is_left() {
        let torn = [LIST, b"7 :179527"].concat();
        let (mut list, read) = Uidlist::parse(&torn).unwrap();
        assert_eq!((read, list.records.len()), (LIST.len(), 2));
        assert_eq!(list.read_on(b"7 :1795279030.x\n"), Ok(16));
        assert_eq!((list.next_uid, list.records.len()), (8, 3));
    }

    #[test]
    fn version_one() {
        let (list, _) = Uidlist::parse(b"1 99 3\n1 a.b:2,S\n2 c.d\n").unwrap();
        assert_eq!((list.uidvalidity, list.next_uid), (99, 3));
        assert_eq!(&*list.records[0].base, b"a.b");
    }

    #[test]
    fn nonsense_is_named() {
        for (text, line) in [
            (&b""[..], 1),
            (b"x\n", 1),
            (b"3 V0 N1\n", 1),
            (b"3 V1 N99999999999\n", 1),
            (b"3 V1 N1\n2 :a\n2 :b\n", 3),
            (b"3 V1 N1\n1 a\n", 2),
            (b"3 V1 N1\n1 :../x\n", 2),
            (b"3 V1 N1\n0 :x\n", 2),
        ] {
            assert_eq!(Uidlist::parse(text).unwrap_err().line, line, "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Uidlist::parse(&text);
            let _ = Uidlist::parse(&[&b"3 V1 N1\n"[..], &text].concat());
        }

        #[test]
        fn what_is_written_is_read_again(uids in proptest::collection::btree_set(1u32..u32::MAX - 1, 0..20), name in "[a-z0-9.,=]{1,20}") {
            let mut list = Uidlist::new(7, "ab".repeat(16));
            list.records = uids.iter().map(|uid| Record {
                uid: *uid,
                extensions: (&b"S1 W2"[..]).into(),
                base: format!("{uid}.{name}").into_bytes().into(),
            }).collect();
            list.next_uid = uids.last().map_or(1, |uid| uid + 1);
            let text = list.write();
            prop_assert_eq!(Uidlist::parse(&text), Ok((list, text.len())));
        }
    }
}
