//! A message with a malformed record in it: the others still count, as they do for Postfix.

use hickory_proto::op::{Header, Message};
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// Reads what can be read: header and question must be whole, of answers and authorities those that are.
///
/// When no answer is left there was one all the same: that is nonsense, and not "no such record".
pub(super) fn read(bytes: &[u8]) -> Option<Message> {
    let mut decoder = BinDecoder::new(bytes);
    let header = Header::read(&mut decoder).ok()?;
    let mut message = Message::new(header.metadata.id, header.metadata.message_type, header.metadata.op_code);
    message.metadata = header.metadata;
    message.queries = Message::read_queries(&mut decoder, usize::from(header.counts.queries)).ok()?;
    let mut at = decoder.index();
    for n in 0..u32::from(header.counts.answers) + u32::from(header.counts.authorities) {
        let Some(end) = record_end(bytes, at) else { break };
        let Ok(start) = u16::try_from(at) else { break };
        if let Ok(record) = Record::read(&mut decoder.clone(start)) {
            let answers = n < u32::from(header.counts.answers);
            if answers { message.answers.push(record) } else { message.authorities.push(record) }
        }
        at = end;
    }
    (header.counts.answers == 0 || !message.answers.is_empty()).then_some(message)
}

/// Where the record that starts at `at` ends, by its length.
fn record_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => break at += 1,
            pointer if pointer >= 0xc0 => break at += 2,
            label if label < 0x40 => at += usize::from(label) + 1,
            _ => return None,
        }
    }
    let length = bytes.get(at + 8..at + 10)?;
    let end = at + 10 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    (end <= bytes.len()).then_some(end)
}
