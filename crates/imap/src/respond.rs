//! What the server says: quoting, literals, and the forms that differ between the revisions of IMAP.

use std::fmt::{self, Write as _};

use store::{Flags, Name, View};

/// Longest string that is written in quotes; longer ones are literals, which are cheaper to read.
const LONGEST_QUOTED: usize = 4096;

/// Bytes on their way to the client.
#[derive(Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
    /// The client takes UTF-8 in quotes (`UTF8=ACCEPT` or IMAP4rev2).
    pub utf8: bool,
}

impl fmt::Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Writes a line; writing to memory does not fail.
macro_rules! say {
    ($out:expr, $($words:tt)*) => {{
        use std::fmt::Write as _;
        let _ = write!($out, $($words)*);
        $out.put(b"\r\n");
    }};
}
pub(crate) use say;

impl Out {
    /// What was written so far.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How much waits.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Does nothing wait?
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes as they are.
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A number.
    pub fn number(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut left = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.bytes.extend_from_slice(&digits[at..]);
    }

    /// `* n FETCH (`, or `* uid UIDFETCH (` for a client that counts in UIDs alone (RFC 9586).
    pub fn fetch_head(&mut self, number: u32, uid: u32, uid_only: bool) {
        self.put(b"* ");
        self.number(u64::from(if uid_only { uid } else { number }));
        self.put(if uid_only { b" UIDFETCH (" } else { b" FETCH (" });
    }

    /// A string: in quotes where its bytes allow, else a literal.
    pub fn string(&mut self, text: &[u8]) {
        let utf8 = self.utf8;
        let plain = |byte: &u8| (0x20..0x7f).contains(byte) || *byte == b'\t' || (utf8 && *byte >= 0x80);
        let fits = text.len() <= LONGEST_QUOTED
            && text.iter().all(plain)
            && (text.is_ascii() || std::str::from_utf8(text).is_ok());
        if !fits {
            return self.literal(text);
        }
        self.bytes.push(b'"');
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                self.bytes.push(b'\\');
            }
            self.bytes.push(*byte);
        }
        self.bytes.push(b'"');
    }

    /// A string or NIL.
    pub fn nstring(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) => self.string(text),
            None => self.put(b"NIL"),
        }
    }

    /// A literal. NUL cannot be said in one, and becomes 0x80, as in Dovecot.
    pub fn literal(&mut self, text: &[u8]) {
        let _ = write!(self, "{{{}}}\r\n", text.len());
        if text.contains(&0) {
            self.bytes.extend(text.iter().map(|byte| if *byte == 0 { 0x80 } else { *byte }));
        } else {
            self.bytes.extend_from_slice(text);
        }
    }

    /// A literal that may hold NUL. RFC 3516.
    pub fn binary(&mut self, text: &[u8]) {
        if !text.contains(&0) {
            return self.literal(text);
        }
        let _ = write!(self, "~{{{}}}\r\n", text.len());
        self.bytes.extend_from_slice(text);
    }

    /// A word as an atom where it can be one, else a string.
    pub fn astring(&mut self, text: &str) {
        let atom = |byte: u8| {
            byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\')
        };
        if !text.is_empty() && text.bytes().all(atom) && !text.eq_ignore_ascii_case("NIL") {
            self.put(text.as_bytes());
        } else {
            self.string(text.as_bytes());
        }
    }

    /// The name of a mailbox as the client writes names.
    pub fn mailbox(&mut self, name: &Name, separator: char) {
        self.mailbox_text(&name.shown(separator));
    }

    /// As [`Out::mailbox`], for text that may not be a name.
    pub fn mailbox_text(&mut self, name: &str) {
        if self.utf8 || name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'&') {
            self.astring(name);
        } else {
            self.astring(&store::to_utf7(name));
        }
    }

    /// `(\Answered \Seen $Junk)`; the system flags in Dovecot's order.
    pub fn flags(&mut self, flags: Flags, keywords: u64, view: &View, recent: bool) {
        self.bytes.push(b'(');
        let mut first = true;
        let mut put = |name: &str, bytes: &mut Vec<u8>| {
            if !std::mem::replace(&mut first, false) {
                bytes.push(b' ');
            }
            bytes.extend_from_slice(name.as_bytes());
        };
        for name in flags.names() {
            put(name, &mut self.bytes);
        }
        if recent {
            put("\\Recent", &mut self.bytes);
        }
        if keywords != 0 {
            for name in view.keyword_names(keywords) {
                put(name, &mut self.bytes);
            }
        }
        self.bytes.push(b')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(write: impl FnOnce(&mut Out)) -> String {
        let mut out = Out::default();
        write(&mut out);
        String::from_utf8_lossy(out.bytes()).into_owned()
    }

    #[test]
    fn strings_take_the_form_their_bytes_allow() {
        assert_eq!(said(|out| out.string(b"a \"b\\")), "\"a \\\"b\\\\\"");
        assert_eq!(said(|out| out.string("\u{e9}".as_bytes())), "{2}\r\n\u{e9}");
        assert_eq!(said(|out| out.string(b"a\r\nb")), "{4}\r\na\r\nb");
        assert_eq!(said(|out| out.nstring(None)), "NIL");
        assert_eq!(said(|out| out.astring("nil")), "\"nil\"");
        assert_eq!(said(|out| out.astring("")), "\"\"");
        assert_eq!(said(|out| out.number(u64::MAX)), u64::MAX.to_string());
        assert_eq!(said(|out| out.binary(b"a\0")), "~{2}\r\na\0");
        let mut out = Out { utf8: true, ..Out::default() };
        out.string("\u{e9}".as_bytes());
        assert_eq!(out.bytes(), "\"\u{e9}\"".as_bytes());
    }

    #[test]
    fn names_are_written_as_the_client_writes_them() {
        assert_eq!(said(|out| out.mailbox_text("Entw\u{fc}rfe & mehr")), "\"Entw&APw-rfe &- mehr\"");
        assert_eq!(said(|out| out.mailbox_text("INBOX/a")), "INBOX/a");
    }
}
