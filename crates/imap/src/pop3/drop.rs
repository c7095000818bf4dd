//! The maildrop: INBOX as it was when the session began. What others do to it meanwhile is not seen; what this session
//! deletes goes at its end. Everything here may wait for a disk.

use std::sync::Arc;

use bytes::Bytes;
use store::{FlagChange, Flags, Mailbox, Mode, Name, UidSet};

use super::uidl::Format;

/// What a service does to messages.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `pop3_uidl_format`
    pub format: Format,
    /// What was retrieved is `\Seen` afterwards (unless `pop3_no_flag_updates`).
    pub mark_seen: bool,
    /// `pop3_deleted_flag`: messages with this keyword are not shown.
    pub hidden: Option<String>,
    /// Deleted messages get that keyword instead of being removed.
    pub hide: bool,
    /// `outlook-no-nuls`
    pub no_nuls: bool,
    /// `oe-ns-eoh`
    pub end_of_header: bool,
}

/// A message of the maildrop.
#[derive(Clone, Debug)]
pub struct Message {
    uid: u32,
    /// Bytes, with CRLF.
    pub size: u32,
    /// Marked by DELE.
    pub deleted: bool,
    /// Has been retrieved.
    pub seen: bool,
    was_seen: bool,
    id: String,
}

/// The maildrop of a session.
pub struct Maildrop {
    mailbox: Arc<dyn Mailbox>,
    rules: Arc<Rules>,
    /// In order; message 1 comes first.
    pub messages: Vec<Message>,
}

impl Maildrop {
    /// INBOX of an account.
    pub fn open(account: &dyn store::Account, rules: Arc<Rules>) -> store::Result<Maildrop> {
        let mailbox = account.open(&Name::inbox())?;
        let view = mailbox.refresh()?;
        let hidden = rules.hidden.as_deref().and_then(|keyword| view.keyword_bit(keyword)).unwrap_or(0);
        let shown = view.iter().filter(|entry| entry.keywords & hidden == 0);
        let messages = shown.map(|entry| Message {
            uid: entry.uid,
            size: entry.size,
            deleted: false,
            seen: false,
            was_seen: entry.flags.has(Flags::SEEN),
            id: {
                let id = rules.format.needs_id().then(|| mailbox.email_id(entry)).flatten();
                rules.format.write(entry.uid, view.uidvalidity, &id.unwrap_or_else(|| entry.uid.to_string()))
            },
        });
        let messages = messages.collect();
        Ok(Maildrop { mailbox, rules, messages })
    }

    /// Messages that are not deleted, and their bytes.
    pub fn count(&self) -> (u32, u64) {
        let left = self.messages.iter().filter(|message| !message.deleted);
        left.fold((0, 0), |(count, bytes), message| (count + 1, bytes + u64::from(message.size)))
    }

    /// The unique id of a message.
    pub fn uidl(&self, index: usize) -> &str {
        &self.messages[index].id
    }

    /// A message as it goes over the wire: lines end in CRLF, dots are doubled, the last line is a dot. With `lines`,
    /// only its header and so many lines of its body. Also gives its bytes without what POP3 adds.
    pub fn content(&mut self, index: usize, lines: Option<u64>) -> store::Result<(Vec<u8>, u64)> {
        let message = &mut self.messages[index];
        let whole = self.mailbox.body(message.uid)?;
        let content = match lines {
            Some(lines) => top(&whole, lines),
            None => {
                message.seen = true;
                whole
            }
        };
        Ok((stuffed(&content, &self.rules), content.len() as u64))
    }

    /// QUIT: deletes, and remembers what was read.
    pub fn finish(&self) -> store::Result<u32> {
        let uids = |wanted: fn(&Message) -> bool| -> UidSet {
            self.messages.iter().filter(|message| wanted(message)).map(|message| message.uid).collect()
        };
        let seen = uids(|message| message.seen && !message.was_seen && !message.deleted);
        if self.rules.mark_seen && !seen.is_empty() {
            self.mailbox.store(&seen, &FlagChange::new(Mode::Add, Flags::SEEN))?;
        }
        let deleted = uids(|message| message.deleted);
        if deleted.is_empty() {
            return Ok(0);
        }
        match self.rules.hidden.as_ref().filter(|_| self.rules.hide) {
            Some(keyword) => {
                let mut change = FlagChange::new(Mode::Add, Flags::NONE);
                change.keywords.push(keyword.clone());
                self.mailbox.store(&deleted, &change)?;
            }
            None => {
                self.mailbox.store(&deleted, &FlagChange::new(Mode::Add, Flags::DELETED))?;
                self.mailbox.expunge(Some(&deleted))?;
            }
        }
        Ok(u32::try_from(deleted.len()).unwrap_or(u32::MAX))
    }
}

/// The header, the empty line behind it, and so many lines.
fn top(whole: &Bytes, lines: u64) -> Bytes {
    let mut at = 0;
    let mut left = None;
    while at < whole.len() && left != Some(0) {
        let end = memchr::memchr(b'\n', &whole[at..]).map_or(whole.len(), |end| at + end + 1);
        let line = &whole[at..end];
        left = match left {
            Some(left) => Some(left - 1),
            None if matches!(line, b"\r\n" | b"\n") => Some(lines),
            None => None,
        };
        at = end;
    }
    whole.slice(..at)
}

/// As it goes over the wire.
fn stuffed(content: &[u8], rules: &Rules) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 64 + 8);
    let mut header = rules.end_of_header;
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").map_or(line, |text| text.strip_suffix(b"\r").unwrap_or(text));
        header &= !text.is_empty();
        if text.first() == Some(&b'.') {
            out.push(b'.');
        }
        match rules.no_nuls {
            true => out.extend(text.iter().map(|byte| if *byte == 0 { 0x80 } else { *byte })),
            false => out.extend(text),
        }
        out.extend(b"\r\n");
    }
    if header {
        out.extend(b"\r\n");
    }
    out.extend(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            format: Format::usual(),
            mark_seen: true,
            hidden: None,
            hide: false,
            no_nuls: false,
            end_of_header: false,
        }
    }

    #[test]
    fn content_is_made_for_the_wire() {
        assert_eq!(stuffed(b"a\r\n\r\n.\r\n..b", &rules()), b"a\r\n\r\n..\r\n...b\r\n.\r\n");
        assert_eq!(stuffed(b"", &rules()), b".\r\n");
        let bears = Rules { no_nuls: true, end_of_header: true, ..rules() };
        assert_eq!(stuffed(b"a: \0\r\n", &bears), b"a: \x80\r\n\r\n.\r\n");
        assert_eq!(stuffed(b"a\r\n\r\nb\r\n", &bears), b"a\r\n\r\nb\r\n.\r\n");
    }

    #[test]
    fn top_is_the_header_and_some_lines() {
        let whole = Bytes::from_static(b"a: b\r\n\r\n1\r\n2\r\n3");
        assert_eq!(&*top(&whole, 0), b"a: b\r\n\r\n");
        assert_eq!(&*top(&whole, 2), b"a: b\r\n\r\n1\r\n2\r\n");
        assert_eq!(&*top(&whole, 9), &*whole);
        assert_eq!(&*top(&Bytes::from_static(b"a: b\r\n"), 9), b"a: b\r\n");
    }
}
