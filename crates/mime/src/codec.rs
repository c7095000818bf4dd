//! A [`Structure`] in few bytes, to be kept beside the message. A reader of another version reads nothing, and the
//! message is parsed again.

use crate::structure::{Kind, Mime, Part, Size, Structure};
use crate::{Address, Envelope, Parameters};

/// Raised whenever the form, or what [`crate::parse`] finds, changes.
const VERSION: u8 = 1;

impl Structure {
    /// In the current form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Out(vec![VERSION]);
        out.number(self.parts.len() as u64);
        for (index, part) in self.parts.iter().enumerate() {
            out.part(part, index);
        }
        out.0
    }

    /// `None` when the bytes are of another version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Structure> {
        let mut input = In(bytes);
        (input.byte()? == VERSION).then_some(())?;
        let count = input.number()? as usize;
        // A part is never less than ten bytes.
        (count > 0 && count <= bytes.len() / 10).then_some(())?;
        let parts = (0..count).map(|index| input.part(index, count)).collect::<Option<Vec<_>>>()?;
        input.0.is_empty().then_some(Structure { parts })
    }
}

impl Envelope {
    /// In the current form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Out(vec![VERSION]);
        out.envelope(self);
        out.0
    }

    /// `None` when the bytes are of another version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Envelope> {
        let mut input = In(bytes);
        (input.byte()? == VERSION).then_some(())?;
        let envelope = input.envelope()?;
        input.0.is_empty().then_some(envelope)
    }
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.extend(text);
    }

    fn option(&mut self, text: Option<&[u8]>) {
        self.number(text.map_or(0, |text| text.len() as u64 + 1));
        self.0.extend(text.unwrap_or_default());
    }

    fn parameters(&mut self, list: &Parameters) {
        self.number(list.len() as u64);
        for (name, value) in list {
            self.text(name);
            self.text(value);
        }
    }

    fn size(&mut self, size: Size) {
        self.number(size.stored);
        self.number(size.wire - size.stored);
        self.number(size.lines);
    }

    fn part(&mut self, part: &Part, index: usize) {
        self.number(part.start);
        self.size(part.header);
        self.size(part.body);
        self.number((part.end - index) as u64);
        let mime = (part.mime != Mime::default()).then_some(&part.mime);
        let kind = match part.kind {
            Kind::Leaf => 0,
            Kind::Multipart => 1,
            Kind::Message => 2,
        };
        let marks = kind | u8::from(mime.is_some()) << 2 | u8::from(part.envelope.is_some()) << 3;
        self.0.push(marks);
        if let Some(mime) = mime {
            self.mime(mime);
        }
        if let Some(envelope) = &part.envelope {
            self.envelope(envelope);
        }
    }

    fn mime(&mut self, mime: &Mime) {
        let (kind, subtype) = mime.media_type.as_ref().map(|(kind, subtype)| (kind, subtype)).unzip();
        self.option(kind.map(Vec::as_slice));
        self.option(subtype.map(Vec::as_slice));
        self.parameters(&mime.parameters);
        for text in [&mime.encoding, &mime.id, &mime.description, &mime.md5, &mime.location] {
            self.option(text.as_deref());
        }
        let (kind, list) = mime.disposition.as_ref().map(|(kind, list)| (kind, list)).unzip();
        self.option(kind.map(Vec::as_slice));
        if let Some(list) = list {
            self.parameters(list);
        }
        self.number(mime.languages.len() as u64);
        for tag in &mime.languages {
            self.text(tag);
        }
    }

    fn envelope(&mut self, envelope: &Envelope) {
        for text in [&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id] {
            self.option(text.as_deref());
        }
        for list in [&envelope.from, &envelope.to, &envelope.cc, &envelope.bcc] {
            self.addresses(list);
        }
        // Most often both are From.
        for list in [&envelope.sender, &envelope.reply_to] {
            let own = *list != envelope.from;
            self.0.push(u8::from(own));
            if own {
                self.addresses(list);
            }
        }
    }

    fn addresses(&mut self, list: &[Address]) {
        self.number(list.len() as u64);
        for address in list {
            for text in [&address.name, &address.route, &address.mailbox, &address.domain] {
                self.option(text.as_deref());
            }
        }
    }
}

struct In<'a>(&'a [u8]);

impl In<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text.to_vec())
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let len = self.number()? as usize;
        self.take(len)
    }

    fn option(&mut self) -> Option<Option<Vec<u8>>> {
        match self.number()? as usize {
            0 => Some(None),
            len => self.take(len - 1).map(Some),
        }
    }

    /// A list, each entry of at least one byte.
    fn list<T>(&mut self, entry: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()? as usize;
        (count <= self.0.len()).then_some(())?;
        (0..count).map(|_| entry(self)).collect()
    }

    fn parameters(&mut self) -> Option<Parameters> {
        self.list(|input| Some((input.text()?, input.text()?)))
    }

    fn size(&mut self) -> Option<Size> {
        let stored = self.number()?;
        let wire = stored.checked_add(self.number()?)?;
        Some(Size { stored, wire, lines: self.number()? })
    }

    fn part(&mut self, index: usize, count: usize) -> Option<Part> {
        let mut part = Part { start: self.number()?, header: self.size()?, ..Part::default() };
        part.body = self.size()?;
        part.end = index.checked_add(self.number()? as usize)?;
        (part.end > index && part.end <= count).then_some(())?;
        let whole = part.start.checked_add(part.header.stored)?.checked_add(part.body.stored)?;
        usize::try_from(whole).ok()?;
        let marks = self.byte()?;
        part.kind = match marks & 3 {
            0 => Kind::Leaf,
            1 => Kind::Multipart,
            2 if part.end > index + 1 => Kind::Message,
            _ => return None,
        };
        if marks & 4 != 0 {
            part.mime = self.mime()?;
        }
        if marks & 8 != 0 {
            part.envelope = Some(Box::new(self.envelope()?));
        }
        Some(part)
    }

    fn mime(&mut self) -> Option<Mime> {
        let kind = self.option()?;
        let subtype = self.option()?;
        let mut mime =
            Mime { media_type: kind.zip(subtype), parameters: self.parameters()?, ..Mime::default() };
        let slots =
            [&mut mime.encoding, &mut mime.id, &mut mime.description, &mut mime.md5, &mut mime.location];
        for slot in slots {
            *slot = self.option()?;
        }
        if let Some(kind) = self.option()? {
            mime.disposition = Some((kind, self.parameters()?));
        }
        mime.languages = self.list(In::text)?;
        Some(mime)
    }

    fn envelope(&mut self) -> Option<Envelope> {
        let mut envelope = Envelope::default();
        let slots =
            [&mut envelope.date, &mut envelope.subject, &mut envelope.in_reply_to, &mut envelope.message_id];
        for slot in slots {
            *slot = self.option()?;
        }
        for list in [&mut envelope.from, &mut envelope.to, &mut envelope.cc, &mut envelope.bcc] {
            *list = self.addresses()?;
        }
        for list in [&mut envelope.sender, &mut envelope.reply_to] {
            *list = match self.byte()? {
                0 => envelope.from.clone(),
                _ => self.addresses()?,
            };
        }
        Some(envelope)
    }

    fn addresses(&mut self) -> Option<Vec<Address>> {
        self.list(|input| {
            Some(Address {
                name: input.option()?,
                route: input.option()?,
                mailbox: input.option()?,
                domain: input.option()?,
            })
        })
    }
}
