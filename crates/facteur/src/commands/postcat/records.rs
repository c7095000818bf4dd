//! A message as the records that a queue file of Postfix would hold, in the form postcat prints.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use mail::{Envelope, header};
use queue::control::Shown;

/// What is printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// `-e`
    pub envelope: bool,
    /// `-h`
    pub header: bool,
    /// `-b`
    pub body: bool,
    /// `-d`
    pub types: bool,
    /// `-o`
    pub offsets: bool,
}

/// Types of records, as Postfix numbers them.
mod kind {
    pub const SIZE: u8 = b'C';
    pub const TIME: u8 = b'T';
    pub const ATTRIBUTE: u8 = b'A';
    pub const FULL_NAME: u8 = b'F';
    pub const FROM: u8 = b'S';
    pub const ORIGINAL: u8 = b'O';
    pub const RECIPIENT: u8 = b'R';
    pub const DONE: u8 = b'D';
    pub const MESSAGE: u8 = b'M';
    pub const LINE: u8 = b'N';
    pub const EXTRACTED: u8 = b'X';
    pub const END: u8 = b'E';
}

/// Prints messages.
pub struct Printer<W> {
    parts: Parts,
    out: W,
    zone: TimeZone,
    /// Queue name and id.
    place: String,
    offset: u64,
    in_header: bool,
    first_line: bool,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

/// Bytes that a record of this length takes in a queue file: type, length in groups of seven bits, text.
fn record_len(len: usize) -> u64 {
    let mut head = 2;
    let mut rest = len >> 7;
    while rest > 0 {
        head += 1;
        rest >>= 7;
    }
    head + len as u64
}

impl<W: Write> Printer<W> {
    /// Prints the chosen parts.
    pub fn new(parts: Parts, out: W) -> Printer<W> {
        Printer {
            parts,
            out,
            zone: TimeZone::system(),
            place: String::new(),
            offset: 0,
            in_header: true,
            first_line: true,
            rest: Vec::new(),
        }
    }

    /// Writes what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn prefix(&mut self, kind: u8) -> io::Result<()> {
        if self.parts.offsets {
            write!(self.out, "{:>9} ", self.offset)?;
        }
        if self.parts.types {
            write!(self.out, "{kind:>3} ")?;
        }
        Ok(())
    }

    /// Prints a record of the envelope: `len` is its length in a queue file.
    fn record(&mut self, kind: u8, text: &str, len: usize) -> io::Result<()> {
        if self.parts.envelope {
            self.prefix(kind)?;
            writeln!(self.out, "{text}")?;
        }
        self.offset += record_len(len);
        Ok(())
    }

    fn marker(&mut self, kind: u8, text: &str) -> io::Result<()> {
        let text = format!("*** {text} {} ***", self.place);
        self.record(kind, &text, 0)
    }

    /// Begins a message: prints its envelope.
    pub fn begin(&mut self, queue: &str, shown: &Shown) -> io::Result<()> {
        self.place = format!("{queue}/{}", shown.id);
        (self.offset, self.in_header, self.first_line) = (0, true, true);
        self.rest.clear();
        if self.parts.envelope {
            writeln!(self.out, "*** ENVELOPE RECORDS {} ***", self.place)?;
        }
        let records = records(shown, &self.zone);
        let size = |offset: u64| {
            let numbers = [shown.size, offset, shown.envelope.recipients.len() as u64, 0, shown.size, 0];
            numbers.map(|number| format!("{number:>15}")).join(" ")
        };
        let data: u64 = records.iter().map(|(_, _, len)| record_len(*len)).sum();
        let len = size(0).len();
        // The empty record that begins the content takes two bytes.
        let text = size(data + record_len(len) + 2);
        self.record(kind::SIZE, &format!("message_size: {text}"), len)?;
        for (kind, text, len) in records {
            self.record(kind, &text, len)?;
        }
        self.marker(kind::MESSAGE, "MESSAGE CONTENTS")
    }

    /// Prints a piece of the content.
    pub fn content(&mut self, mut content: &[u8]) -> io::Result<()> {
        while let Some(end) = content.iter().position(|b| *b == b'\n') {
            let (line, after) = content.split_at(end);
            content = &after[1..];
            if self.rest.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole)?;
            }
        }
        self.rest.extend_from_slice(content);
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let folded = !self.first_line && matches!(line.first(), Some(b' ' | b'\t'));
        self.in_header &= folded || header::name_end(line).is_some();
        self.first_line = false;
        if if self.in_header { self.parts.header } else { self.parts.body } {
            self.prefix(kind::LINE)?;
            self.out.write_all(line)?;
            self.out.write_all(b"\n")?;
        }
        self.offset += record_len(line.len());
        Ok(())
    }

    /// Ends a message.
    pub fn end(&mut self) -> io::Result<()> {
        if !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            self.line(&line)?;
        }
        self.marker(kind::EXTRACTED, "HEADER EXTRACTED")?;
        self.marker(kind::END, "MESSAGE FILE END")
    }
}

/// The records between size and content: type, what is printed, length in a queue file.
fn records(shown: &Shown, zone: &TimeZone) -> Vec<(u8, String, usize)> {
    let mut records = Vec::new();
    let mut named = |kind: u8, name: &str, value: &str| {
        records.push((kind, format!("{name}: {value}"), value.len()));
    };
    let envelope = &shown.envelope;
    let date = mail::date::ctime(shown.arrival, zone);
    // Seconds, a space, microseconds.
    let time_len = format!("{} 000000", shown.arrival.as_second()).len();
    let create = format!("create_time={}", shown.arrival.as_second());
    named(kind::TIME, "message_arrival_time", &date);
    named(kind::ATTRIBUTE, "create_time", &date);
    let attributes = attributes(envelope);
    let (before, after) = attributes.split_at(1);
    for (name, value) in before {
        named(kind::ATTRIBUTE, "named_attribute", &format!("{name}={value}"));
    }
    if let Some(full_name) = &envelope.full_name {
        named(kind::FULL_NAME, "sender_fullname", full_name);
    }
    named(kind::FROM, "sender", envelope.sender.as_str());
    for (name, value) in after {
        named(kind::ATTRIBUTE, "named_attribute", &format!("{name}={value}"));
    }
    for (recipient, done) in envelope.recipients.iter().zip(&shown.done) {
        if let Some(orcpt) = &recipient.orcpt {
            named(kind::ATTRIBUTE, "named_attribute", &format!("dsn_orig_rcpt={orcpt}"));
        }
        if recipient.notify.is_set() {
            named(
                kind::ATTRIBUTE,
                "named_attribute",
                &format!("notify_flags={}", notify_flags(recipient.notify)),
            );
        }
        named(kind::ORIGINAL, "original_recipient", recipient.original.as_str());
        let (kind, name) =
            if *done { (kind::DONE, "done_recipient") } else { (kind::RECIPIENT, "recipient") };
        named(kind, name, recipient.address.as_str());
    }
    (records[0].2, records[1].2) = (time_len, create.len());
    records
}

/// `NOTIFY=` as the bits of Postfix.
fn notify_flags(notify: mail::Notify) -> u32 {
    u32::from(notify.never)
        | u32::from(notify.success) << 1
        | u32::from(notify.failure) << 2
        | u32::from(notify.delay) << 3
}

/// Named attributes; the first one stands before the sender.
fn attributes(envelope: &Envelope) -> Vec<(&'static str, String)> {
    let client = &envelope.client;
    let context = if envelope.rewrite_local { "local" } else { "remote" };
    let mut attributes = vec![("rewrite_context", context.to_owned())];
    let mut add = |name: &'static str, value: &str| {
        if !value.is_empty() {
            attributes.push((name, value.to_owned()));
        }
    };
    let port = client.port.map(|port| port.to_string()).unwrap_or_default();
    add("envelope_id", envelope.envid.as_deref().unwrap_or_default());
    add(
        "ret_flags",
        match envelope.ret {
            None => "",
            Some(mail::Ret::Full) => "1",
            Some(mail::Ret::Headers) => "2",
        },
    );
    add(
        "encoding",
        match envelope.body_type {
            mail::BodyType::Unspecified => "",
            mail::BodyType::SevenBit => "7bit",
            mail::BodyType::EightBitMime => "8bit",
        },
    );
    if !client.address.is_empty() {
        add("log_client_name", &client.name);
        add("log_client_address", &client.address);
        add("log_client_port", &port);
        add("log_message_origin", &format!("{}[{}]", client.name, client.address));
        add("log_helo_name", &client.helo);
        add("log_protocol_name", &client.protocol);
        add("client_name", &client.name);
        add("reverse_client_name", &client.reverse_name);
        add("client_address", &client.address);
        add("client_port", &port);
        add("helo_name", &client.helo);
        add("protocol_name", &client.protocol);
        add("client_address_type", if client.address.contains(':') { "10" } else { "2" });
    }
    add("sasl_method", &client.sasl_method);
    add("sasl_username", &client.sasl_username);
    add("sasl_sender", &client.sasl_sender);
    add("log_ident", &client.ident);
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mail::{QueueId, Recipient};
    use queue::State;

    fn printed(parts: Parts) -> String {
        let recipients = ["a@y.test", "b c@z.test"]
            .map(|address| Recipient { orcpt: Some(format!("rfc822;{address}")), ..Recipient::new(address) });
        let content = "Subject: hi\n  folded\nFrom: a@b.test\n\nbody\n.dot\n";
        let shown = Shown {
            id: QueueId::parse("6E19698E075").unwrap(),
            state: State::Deferred,
            arrival: Timestamp::from_second(1_795_270_867).unwrap(),
            size: content.len() as u64,
            envelope: Envelope {
                sender: "s@x.test".into(),
                full_name: Some("root".into()),
                rewrite_local: true,
                recipients: recipients.to_vec(),
                ..Envelope::default()
            },
            done: vec![false, true],
        };
        let mut printer = Printer::new(parts, Vec::new());
        printer.zone = TimeZone::UTC;
        printer.begin("deferred", &shown).unwrap();
        for piece in content.as_bytes().chunks(7) {
            printer.content(piece).unwrap();
        }
        printer.end().unwrap();
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn header_and_body_are_told_apart() {
        let parts = Parts { header: true, ..Parts::default() };
        assert_eq!(printed(parts), "Subject: hi\n  folded\nFrom: a@b.test\n");
        let parts = Parts { body: true, ..Parts::default() };
        assert_eq!(printed(parts), "\nbody\n.dot\n");
    }

    #[test]
    fn records_stand_where_postfix_would_have_them() {
        let parts = Parts { envelope: true, header: true, body: true, types: true, offsets: true };
        // Offsets and types as a real postcat -o -d showed them for such a message.
        let lines = [
            "        0  67 message_size:              47             289               2               0              \
             47               0",
            "       97  84 message_arrival_time: Sat Nov 21 14:21:07 2026",
            "      116  65 create_time: Sat Nov 21 14:21:07 2026",
            "      140  65 named_attribute: rewrite_context=local",
            "      163  70 sender_fullname: root",
            "      169  83 sender: s@x.test",
            "      179  65 named_attribute: dsn_orig_rcpt=rfc822;a@y.test",
            "      210  79 original_recipient: a@y.test",
            "      220  82 recipient: a@y.test",
            "      230  65 named_attribute: dsn_orig_rcpt=rfc822;b c@z.test",
            "      263  79 original_recipient: b c@z.test",
            "      275  68 done_recipient: b c@z.test",
            "      287  77 *** MESSAGE CONTENTS deferred/6E19698E075 ***",
            "      289  78 Subject: hi",
        ];
        let text = printed(parts);
        let mut found = text.lines();
        assert_eq!(found.next().unwrap(), "*** ENVELOPE RECORDS deferred/6E19698E075 ***");
        for line in lines {
            assert_eq!(found.next().unwrap(), line);
        }
        assert!(text.ends_with("*** MESSAGE FILE END deferred/6E19698E075 ***\n"));
    }
}
