//! A message on its way from `sendmail` to the program: over the local socket, or through the maildrop.

use std::io::Read;

use bytes::Bytes;
use mail::Envelope;

use crate::record::{read_envelope, write_envelope};
use crate::wire::{Reader, Writer};

/// What a submission leaves to the program that takes it, because it has to look that user up anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// The sender: the login name.
    pub sender: bool,
    /// The full name, for a `From:` header.
    pub full_name: bool,
}

/// What `sendmail` hands over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Sender, recipients and options as the command line gave them.
    pub envelope: Envelope,
    /// What is to be filled in about the user who submits, whom the socket or the file in the maildrop names.
    pub open: Open,
    /// Header and body, lines ending in LF.
    pub content: Bytes,
}

/// Begins every submission; the digit counts versions of the format.
const MAGIC: &[u8] = b"facteur submission 1\n";

/// Most bytes of an envelope that are read only to be shown.
const HEAD_SHOWN: u64 = 1 << 20;

impl Submission {
    /// The bytes that are sent or stored, with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut head = Writer::default();
        head.flags(&[self.open.sender, self.open.full_name]);
        write_envelope(&mut head, &self.envelope);
        let head = head.0;
        let mut out = Vec::with_capacity(MAGIC.len() + 12 + head.len() + self.content.len());
        out.extend_from_slice(MAGIC);
        let mut sum = crc32fast::Hasher::new();
        sum.update(&head);
        sum.update(&self.content);
        out.extend_from_slice(&sum.finalize().to_le_bytes());
        out.extend_from_slice(&(head.len() as u64).to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(&self.content);
        out
    }

    /// The envelope at the beginning of a submission, and how many bytes stand before its content. Nothing is promised
    /// of what follows.
    pub(crate) fn peek(input: &mut dyn Read) -> Option<(Envelope, u64)> {
        let mut start = [0; MAGIC.len() + 12];
        input.read_exact(&mut start).ok()?;
        let (_, len) = start.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
        let len = u64::from_le_bytes(len.try_into().ok()?);
        let mut head = Vec::new();
        let read = input.take(len.min(HEAD_SHOWN)).read_to_end(&mut head).ok()?;
        let mut reader = Reader(&head);
        let [_, _] = reader.flags::<2>()?;
        let envelope = read_envelope(&mut reader)?;
        (read as u64 == len).then_some((envelope, start.len() as u64 + len))
    }

    /// Are these the first bytes of a submission?
    pub fn begins_with(start: &[u8]) -> bool {
        let len = start.len().min(MAGIC.len());
        len > 0 && start[..len] == MAGIC[..len]
    }

    /// Reads what [`Submission::encode`] wrote; `None` for anything else, however hostile.
    pub fn decode(bytes: &Bytes) -> Option<Submission> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let (len, rest) = rest.split_first_chunk::<8>()?;
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        if crc32fast::hash(rest) != u32::from_le_bytes(*sum) {
            return None;
        }
        let head = rest.get(..len)?;
        let content = bytes.slice_ref(&rest[len..]);
        let mut reader = Reader(head);
        let [sender, full_name] = reader.flags::<2>()?;
        let envelope = read_envelope(&mut reader)?;
        reader.is_at_end().then_some(Submission { envelope, open: Open { sender, full_name }, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::Recipient;

    fn submission() -> Submission {
        let envelope = Envelope {
            sender: "joe@x.test".into(),
            recipients: vec![Recipient::new("a@y.test"), Recipient::new("b@y.test")],
            ..Envelope::default()
        };
        let open = Open { sender: false, full_name: true };
        Submission { envelope, open, content: Bytes::from_static(b"Subject: a\n\nb\n") }
    }

    #[test]
    fn comes_back_as_it_went() {
        assert_eq!(Submission::decode(&submission().encode().into()), Some(submission()));
    }

    #[test]
    fn an_envelope_can_be_looked_at_without_its_content() {
        let whole = submission().encode();
        let (envelope, head) = Submission::peek(&mut &whole[..]).expect("it is one");
        assert_eq!(envelope, submission().envelope);
        assert_eq!(&whole[usize::try_from(head).unwrap()..], b"Subject: a\n\nb\n");
        let start = whole.len() - 14;
        assert!((0..start).all(|len| Submission::peek(&mut &whole[..len]).is_none()));
    }

    #[test]
    fn damage_is_noticed_everywhere() {
        let whole = submission().encode();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            assert_eq!(Submission::decode(&damaged.into()), None, "byte {at}");
            assert_eq!(Submission::decode(&Bytes::copy_from_slice(&whole[..at])), None, "cut at {at}");
        }
    }
}
