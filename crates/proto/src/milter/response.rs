//! What a filter answers.

/// Most bytes of a packet that we take: a piece of a new body is the largest, and libmilter's are 64 kB.
pub const LIMIT: usize = 2 << 20;

/// An answer, or a change of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Go on.
    Continue,
    /// Enough seen: the message, or the session, is fine.
    Accept,
    /// No.
    Reject,
    /// Not now.
    TempFail,
    /// Say yes and forget the message.
    Discard,
    /// No more of these events.
    Skip,
    /// Still at work.
    Progress,
    /// Close the session.
    Shutdown,
    /// The filter has failed.
    ConnFail,
    /// This reply: `550 5.7.1 text`, several lines divided by CR LF.
    Reply(String),
    /// Before the answer at the end of a message.
    Change(Change),
}

/// A change of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A field behind the last.
    AddHeader {
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// A field at a place, counted from 0.
    InsertHeader {
        /// The place.
        index: u32,
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Another value for the field of this name at a place among those of that name, counted from 1. An empty value
    /// deletes it.
    ChangeHeader {
        /// The place.
        index: u32,
        /// The name.
        name: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// Another sender, with ESMTP parameters.
    Sender {
        /// The address, mostly in angle brackets.
        address: String,
        /// Parameters of MAIL.
        args: String,
    },
    /// One more recipient, with ESMTP parameters.
    AddRecipient {
        /// The address, mostly in angle brackets.
        address: String,
        /// Parameters of RCPT.
        args: String,
    },
    /// One recipient less.
    DeleteRecipient(String),
    /// A piece of a new body, with CR LF line ends.
    Body(Vec<u8>),
    /// Hold the message, for this reason.
    Quarantine(String),
}

impl Change {
    /// Bytes that it adds to the header or the envelope, and a little for itself. A body's pieces have none.
    pub fn weight(&self) -> usize {
        let len = match self {
            Change::AddHeader { name, value }
            | Change::InsertHeader { name, value, .. }
            | Change::ChangeHeader { name, value, .. } => name.len() + value.len(),
            Change::Sender { address, args } | Change::AddRecipient { address, args } => {
                address.len() + args.len()
            }
            Change::DeleteRecipient(address) => address.len(),
            Change::Body(_) => return 0,
            Change::Quarantine(reason) => reason.len(),
        };
        len + 64
    }
}

/// A packet that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Response {
    /// Reads a packet: its letter, and its data.
    pub fn parse(letter: u8, data: &[u8]) -> Result<Response, Malformed> {
        let change = match letter {
            b'c' => return Ok(Response::Continue),
            b'a' => return Ok(Response::Accept),
            b'r' => return Ok(Response::Reject),
            b't' => return Ok(Response::TempFail),
            b'd' => return Ok(Response::Discard),
            b's' => return Ok(Response::Skip),
            b'p' => return Ok(Response::Progress),
            b'4' => return Ok(Response::Shutdown),
            b'f' => return Ok(Response::ConnFail),
            b'y' => return Ok(Response::Reply(text(&one(data)?))),
            b'h' => {
                let [name, value] = two(data)?;
                Change::AddHeader { name, value }
            }
            b'i' | b'm' => {
                let (index, rest) = data.split_first_chunk().ok_or(Malformed)?;
                let index = u32::from_be_bytes(*index);
                let [name, value] = two(rest)?;
                match letter {
                    b'i' => Change::InsertHeader { index, name, value },
                    _ => Change::ChangeHeader { index, name, value },
                }
            }
            b'e' => {
                let [address, args] = optional(data)?;
                Change::Sender { address, args }
            }
            b'+' => Change::AddRecipient { address: text(&one(data)?), args: String::new() },
            b'2' => {
                let [address, args] = optional(data)?;
                Change::AddRecipient { address, args }
            }
            b'-' => Change::DeleteRecipient(text(&one(data)?)),
            b'b' => Change::Body(data.to_vec()),
            b'q' => Change::Quarantine(text(&one(data)?)),
            _ => return Err(Malformed),
        };
        Ok(Response::Change(change))
    }
}

fn string<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let end = memchr::memchr(0, rest).ok_or(Malformed)?;
    let found = &rest[..end];
    *rest = &rest[end + 1..];
    Ok(found)
}

fn one(mut data: &[u8]) -> Result<Vec<u8>, Malformed> {
    let found = string(&mut data)?.to_vec();
    if data.is_empty() { Ok(found) } else { Err(Malformed) }
}

/// A header's name and value.
fn two(mut data: &[u8]) -> Result<[Vec<u8>; 2], Malformed> {
    let name = string(&mut data)?;
    let value = one(data)?;
    let is_name = !name.is_empty() && name.iter().all(|byte| (33..127).contains(byte) && *byte != b':');
    if is_name { Ok([name.to_vec(), value]) } else { Err(Malformed) }
}

/// A string, and perhaps another.
fn optional(mut data: &[u8]) -> Result<[String; 2], Malformed> {
    let first = text(string(&mut data)?);
    let second = if data.is_empty() { String::new() } else { text(&one(data)?) };
    Ok([first, second])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::milter::strings;

    #[test]
    fn answers() {
        assert_eq!(Response::parse(b'c', b""), Ok(Response::Continue));
        assert_eq!(Response::parse(b'y', b"550 no\0"), Ok(Response::Reply("550 no".to_owned())));
        assert_eq!(Response::parse(b'y', b"550 no"), Err(Malformed));
        assert_eq!(Response::parse(b'?', b"what"), Err(Malformed));
        assert_eq!(Response::parse(b'i', b"\0\0\0"), Err(Malformed));
        let changed = Change::ChangeHeader { index: 2, name: b"X".into(), value: Vec::new() };
        assert_eq!(Response::parse(b'm', b"\0\0\0\x02X\0\0"), Ok(Response::Change(changed)));
        assert_eq!(Response::parse(b'h', b"no name\0v\0"), Err(Malformed));
        let sender = Change::Sender { address: "<a@b>".into(), args: "RET=HDRS".into() };
        assert_eq!(Response::parse(b'e', b"<a@b>\0RET=HDRS\0"), Ok(Response::Change(sender)));
    }

    proptest! {
        #[test]
        fn any_packet_is_read_or_refused(letter: u8, data: Vec<u8>) {
            let _ = Response::parse(letter, &data);
        }

        #[test]
        fn headers_come_through(index: u32, name in "[!-9;-~]{1,20}", value in "[^\0]{0,40}") {
            let mut data = index.to_be_bytes().to_vec();
            data.extend(strings([name.as_bytes(), value.as_bytes()]));
            let read = Response::parse(b'i', &data);
            let (name, value) = (name.into_bytes(), value.into_bytes());
            prop_assert_eq!(read, Ok(Response::Change(Change::InsertHeader { index, name, value })));
        }
    }
}
