//! ENVELOPE.

use super::string::{for_people, nstring, string};
use crate::{Address, Envelope};

/// Writes the parenthesised list of an ENVELOPE.
pub fn envelope(envelope: &Envelope, out: &mut Vec<u8>) {
    out.push(b'(');
    nstring(envelope.date.as_deref(), out);
    out.push(b' ');
    people(envelope.subject.as_deref(), out);
    let lists =
        [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc];
    for list in lists {
        out.push(b' ');
        addresses(list, out);
    }
    for id in [&envelope.in_reply_to, &envelope.message_id] {
        out.push(b' ');
        nstring(id.as_deref(), out);
    }
    out.push(b')');
}

fn people(text: Option<&[u8]>, out: &mut Vec<u8>) {
    match text {
        Some(text) => for_people(text, out),
        None => out.extend(b"NIL"),
    }
}

fn addresses(list: &[Address], out: &mut Vec<u8>) {
    if list.is_empty() {
        return out.extend(b"NIL");
    }
    out.push(b'(');
    for address in list {
        out.push(b'(');
        people(address.name.as_deref(), out);
        out.push(b' ');
        people(address.route.as_deref(), out);
        out.push(b' ');
        nstring(address.mailbox.as_deref(), out);
        out.push(b' ');
        match address.domain.as_deref() {
            Some(domain) => string(domain, out),
            None => out.extend(b"NIL"),
        }
        out.push(b')');
    }
    out.push(b')');
}
