//! What a body file holds: a head, then records of messages, one after another.
//!
//! Numbers are little-endian. A record begins with the salt of its file, 8 random bytes that nobody who sends
//! mail can know, so that after a torn or damaged record the next one can be found and none can be forged.
//!
//! ```text
//! file   = "FACTBODY" version:u32 number:u32 salt:8 crc:u32 0:u32
//! record = salt:8 crc:u32 (of what follows, without the content)
//!          meta-length:u32 content-length:u32 content-crc:u32 meta content end:1
//! ```
//!
//! A record of version 1 has no `end`, and its file no room behind the records.

use crate::Flags;

/// Length of the head of a file, in bytes.
pub(crate) const FILE_HEAD: usize = 32;
/// Length of a record before its meta data, in bytes.
pub(crate) const RECORD_HEAD: usize = 24;
/// Most bytes of meta data.
const LONGEST_META: usize = 64 << 10;

const MAGIC: &[u8; 8] = b"FACTBODY";
const VERSION: u32 = 2;

/// The last byte of a record; it is not zero.
pub(crate) const END: u8 = b'\n';

/// What tells the records of one file from everything else.
pub(crate) type Salt = [u8; 8];

/// The head of a file.
pub(crate) fn file_head(number: u32, salt: Salt) -> [u8; FILE_HEAD] {
    let mut head = [0; FILE_HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&number.to_le_bytes());
    head[16..24].copy_from_slice(&salt);
    let crc = crc32fast::hash(&head[..24]);
    head[24..28].copy_from_slice(&crc.to_le_bytes());
    head
}

/// What the head of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHead {
    pub(crate) number: u32,
    pub(crate) salt: Salt,
    /// Records end in [`END`].
    pub(crate) ended: bool,
}

/// The head of a file; `None` when it is none of ours.
pub(crate) fn read_file_head(head: &[u8; FILE_HEAD]) -> Option<FileHead> {
    let version = u32_at(head, 8);
    let intact = head[..8] == *MAGIC
        && (1..=VERSION).contains(&version)
        && u32_at(head, 24) == crc32fast::hash(&head[..24]);
    let salt = head[16..24].try_into().expect("eight bytes");
    intact.then(|| FileHead { number: u32_at(head, 12), salt, ended: version > 1 })
}

/// What is known of a message when it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The next record belongs to the same APPEND: all or none.
    pub(crate) more: bool,
    /// The mailbox is made if it is missing; else the message goes to INBOX then.
    pub(crate) create: bool,
    /// A compaction has put it here from another file: it is no new message.
    pub(crate) moved: bool,
    pub(crate) flags: Flags,
    pub(crate) received: i64,
    pub(crate) saved: i64,
    /// Name of the mailbox.
    pub(crate) mailbox: String,
    pub(crate) keywords: Vec<String>,
    /// Which delivery it is.
    pub(crate) delivery: Option<String>,
}

/// The numbers at the start of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    crc: u32,
    pub(crate) meta_len: u32,
    pub(crate) content_len: u32,
    pub(crate) content_crc: u32,
}

impl Head {
    /// Length of the whole record, in bytes.
    pub(crate) fn record_len(&self, ended: bool) -> u64 {
        self.content_at() + u64::from(self.content_len) + u64::from(ended)
    }

    /// Where the content begins in the record.
    pub(crate) fn content_at(&self) -> u64 {
        RECORD_HEAD as u64 + u64::from(self.meta_len)
    }
}

/// A record up to its content.
pub(crate) fn encode(salt: Salt, meta: &Meta, content_len: u32, content_crc: u32) -> Vec<u8> {
    let mut out = vec![0; RECORD_HEAD];
    out.push(u8::from(meta.more) | u8::from(meta.create) << 1 | u8::from(meta.moved) << 2);
    out.push(meta.flags.0);
    out.extend(meta.received.to_le_bytes());
    out.extend(meta.saved.to_le_bytes());
    text(&mut out, &meta.mailbox);
    text(&mut out, meta.delivery.as_deref().unwrap_or_default());
    for keyword in &meta.keywords {
        text(&mut out, keyword);
    }
    let meta_len = (out.len() - RECORD_HEAD) as u32;
    out[..8].copy_from_slice(&salt);
    out[12..16].copy_from_slice(&meta_len.to_le_bytes());
    out[16..20].copy_from_slice(&content_len.to_le_bytes());
    out[20..24].copy_from_slice(&content_crc.to_le_bytes());
    let crc = crc32fast::hash(&out[12..]);
    out[8..12].copy_from_slice(&crc.to_le_bytes());
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The start of a record; `None` when there is none here.
pub(crate) fn read_head(salt: Salt, bytes: &[u8; RECORD_HEAD]) -> Option<Head> {
    let head = Head {
        crc: u32_at(bytes, 8),
        meta_len: u32_at(bytes, 12),
        content_len: u32_at(bytes, 16),
        content_crc: u32_at(bytes, 20),
    };
    (bytes[..8] == salt && head.meta_len as usize <= LONGEST_META).then_some(head)
}

/// The meta data that `head` announced; `None` when they are damaged.
pub(crate) fn read_meta(head: &Head, start: &[u8; RECORD_HEAD], bytes: &[u8]) -> Option<Meta> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&start[12..]);
    crc.update(bytes);
    (crc.finalize() == head.crc).then_some(())?;
    let mut rest = bytes;
    let bits = take(&mut rest, 1)?[0];
    let flags = Flags(take(&mut rest, 1)?[0]) & Flags::ALL;
    let received = i64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
    let saved = i64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
    let mailbox = take_text(&mut rest)?;
    let delivery = Some(take_text(&mut rest)?).filter(|id| !id.is_empty());
    let mut keywords = Vec::new();
    while !rest.is_empty() {
        keywords.push(take_text(&mut rest)?);
    }
    let (more, create, moved) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
    Some(Meta { more, create, moved, flags, received, saved, mailbox, keywords, delivery })
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let len = u16::from_le_bytes(take(rest, 2)?.try_into().ok()?);
    String::from_utf8(take(rest, len.into())?.to_vec()).ok()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = *b"saltsalt";

    #[test]
    fn what_is_written_is_read() {
        let meta = Meta {
            more: true,
            create: true,
            moved: true,
            flags: Flags::SEEN,
            received: -5,
            saved: 7,
            mailbox: "INBOX/é".to_owned(),
            keywords: vec!["$a".to_owned(), "b".to_owned()],
            delivery: Some("1ABC joe@example.org".to_owned()),
        };
        let bytes = encode(SALT, &meta, 10, 99);
        let start: [u8; RECORD_HEAD] = bytes[..RECORD_HEAD].try_into().unwrap();
        let head = read_head(SALT, &start).unwrap();
        assert_eq!((head.content_len, head.content_crc), (10, 99));
        assert_eq!(head.content_at() as usize, bytes.len());
        assert_eq!(read_meta(&head, &start, &bytes[RECORD_HEAD..]), Some(meta));
        assert_eq!(read_head(*b"otherone", &start), None);
        let mut damaged = bytes.clone();
        damaged[RECORD_HEAD + 3] ^= 1;
        assert_eq!(read_meta(&head, &start, &damaged[RECORD_HEAD..]), None);
        let head = FileHead { number: 3, salt: SALT, ended: true };
        assert_eq!(read_file_head(&file_head(3, SALT)), Some(head));
    }
}
