//! The header of a message under way, field by field.

use std::borrow::Cow;
use std::ops::ControlFlow;

use mail::header::{Field, next_line, trim_line_end};
use mail::logline::printable;
use mail::{Blame, BodyType, Detail, Refusal};

use super::cleaning::State;
use super::fields::{self, Known};
use super::header::{self, Rules};
use super::pieces::{Piece, Rest, is_mailbox_line, piece};
use super::visit::Part;
use super::visiting::Fate;
use super::{Cleaning, Sink, complete};

impl<S: Sink> Cleaning<S> {
    /// Header text: `last` when no more comes.
    pub(super) async fn header(&mut self, chunk: &[u8], last: bool) -> Result<(), Refusal> {
        if matches!(self.state, State::Top) && !self.prepend.is_empty() {
            let prepend = std::mem::take(&mut self.prepend);
            for field in mail::header::fields(&prepend) {
                self.field(field).await?;
            }
        }
        let mut buffer = std::mem::take(&mut self.pending);
        let mut text = match buffer.is_empty() {
            true => chunk,
            false => {
                buffer.extend_from_slice(chunk);
                &buffer
            }
        };
        if let State::Overlong(rest) = &mut self.state {
            match rest.skip(text) {
                ControlFlow::Continue(()) if !last => return Ok(()),
                ControlFlow::Continue(()) => text = b"",
                ControlFlow::Break(at) => text = &text[at..],
            }
            self.state = if rest.is_mailbox_line { State::Top } else { State::Header };
        }
        loop {
            if matches!(self.state, State::Top) {
                let line = next_line(text);
                if !line.ends_with(b"\n") && !last && line.len() < self.cleaner.header_size_limit {
                    break;
                }
                if is_mailbox_line(line) {
                    let field = [b"X-Mailbox-Line: ", trim_line_end(line)].concat();
                    self.raw_field(&field).await?;
                    text = &text[line.len()..];
                    if !line.ends_with(b"\n") {
                        self.state = State::Overlong(Rest { mid_line: true, is_mailbox_line: true });
                        return if last { self.header_end(b"", true).await } else { Ok(()) };
                    }
                    continue;
                }
                self.state = State::Header;
            }
            match piece(text, last, self.cleaner.header_size_limit) {
                Piece::Field(len) => {
                    self.raw_field(trim_line_end(&text[..len])).await?;
                    text = &text[len..];
                }
                Piece::End(empty_line) => return self.header_end(text, empty_line).await,
                Piece::More if text.len() > self.cleaner.header_size_limit => {
                    let mid_line = !text.ends_with(b"\n");
                    self.state = State::Overlong(Rest { mid_line, is_mailbox_line: false });
                    return self.raw_field(text).await;
                }
                Piece::More => break,
            }
        }
        self.pending = text.to_vec();
        Ok(())
    }

    async fn raw_field(&mut self, raw: &[u8]) -> Result<(), Refusal> {
        let raw = &raw[..header::cut(raw, self.cleaner.header_size_limit)];
        match Field::parse(raw) {
            Some(field) => self.field(field).await,
            // Only an X-Mailbox-Line that a tiny limit has cut short.
            None => Ok(()),
        }
    }

    /// One whole field.
    async fn field(&mut self, field: Field<'_>) -> Result<(), Refusal> {
        let normal = without_space_before_colon(field);
        let mut known = fields::find(field.name());
        if known.is_some_and(|known| known.name == "received") {
            self.hops += 1;
        }
        self.note_structure(field)?;
        let visited;
        let mut text: &[u8] = &normal;
        if self.is_watched() {
            let part = if mail::mime::is_field(field.name()) { Part::Mime } else { Part::Primary };
            let seen = self.visit(Some(part), 0, &normal).await?;
            for line in seen.before {
                self.out.field(line.as_bytes(), self.cleaner.header_size_limit)?;
            }
            match seen.line {
                Fate::Stays => {}
                Fate::Goes => return Ok(()),
                Fate::Becomes(new) => {
                    visited = new;
                    text = visited.as_bytes();
                    known = Field::parse(text).and_then(|field| fields::find(field.name()));
                }
            }
        }
        let dropped = &self.cleaner.settings.message_drop_headers;
        let name = Field::parse(text).map_or(&b""[..], |field| field.name());
        let drop = dropped.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(name));
        if let Some(known) = known {
            self.note(known, text)?;
            if let Some(rules) = self.rules
                && !drop
                && let Some(rewritten) = self.rewrite(rules, known, text).await?
            {
                return self.out.field(&rewritten, self.cleaner.header_size_limit);
            }
        }
        if drop { Ok(()) } else { self.out.field(text, self.cleaner.header_size_limit) }
    }

    async fn rewrite(&self, rules: Rules, known: &Known, text: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        let rewritten = header::rewrite(&self.cleaner.router, rules, known, text).await;
        rewritten.map_err(|trouble| self.rewriting().later(&trouble))
    }

    /// What a known field tells of the message.
    fn note(&mut self, known: &'static Known, text: &[u8]) -> Result<(), Refusal> {
        let value = &text[known.name.len() + 1..];
        let shown = || printable(&String::from_utf8_lossy(value.trim_ascii_start()));
        self.seen.add(known);
        self.resent |= known.resent;
        match known.name {
            "message-id" => {
                log::info!(target: "cleanup", "{}: message-id={}", self.id, shown());
                if self.message_id.is_none() && value.trim_ascii().starts_with(b"<") {
                    self.message_id = shown().split_inclusive('>').next().map(str::to_owned);
                }
            }
            "resent-message-id" => {
                log::info!(target: "cleanup", "{}: resent-message-id={}", self.id, shown());
            }
            "received" if self.hops >= self.cleaner.hopcount_limit => {
                log::warn!(target: "cleanup", "{}: message rejected: hopcount exceeded", self.id);
                return Err(Refusal::never(54, Detail(4, 0), Blame::Peer, "Error: too many hops"));
            }
            "content-transfer-encoding" if self.cleaner.detect_8bit => {
                let encoding = value.trim_ascii_start();
                if encoding.eq_ignore_ascii_case(b"8bit") || encoding.eq_ignore_ascii_case(b"binary") {
                    self.envelope.body_type = BodyType::EightBitMime;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The header is over: adds what it lacks, and goes on with the body.
    async fn header_end(&mut self, rest: &[u8], empty_line: bool) -> Result<(), Refusal> {
        let prefix = if self.resent { "Resent-" } else { "" };
        let cleaner = self.cleaner.clone();
        let limit = cleaner.header_size_limit;
        let complete = self.rules.is_some() || cleaner.settings.always_add_missing_headers;
        let origin = complete::Origin {
            id: &self.id,
            now: self.now,
            host: &cleaner.host,
            sender: &self.envelope.sender,
            full_name: self.envelope.full_name.as_deref(),
            long_ids: cleaner.long_ids,
            obsolete_from: cleaner.settings.header_from_format == "obsolete",
        };
        let lacks = |name| complete && !complete::has(self.seen, self.resent, name);
        let mut told_id = self.seen.has("message-id");
        if lacks("message-id") {
            let id = format!("<{}>", origin.message_id());
            self.out.field(format!("{prefix}Message-Id: {id}").as_bytes(), limit)?;
            log::info!(target: "cleanup", "{}: {}message-id={id}", self.id, prefix.to_ascii_lowercase());
            if !self.resent {
                self.message_id = Some(id);
                told_id = true;
            }
        }
        if !told_id {
            log::info!(target: "cleanup", "{}: message-id=<>", self.id);
        }
        if lacks("date") {
            let date = mail::date::rfc5322(self.now, &self.zone);
            self.out.field(format!("{prefix}Date: {date}").as_bytes(), limit)?;
        }
        if lacks("from") {
            self.out.field(&[prefix.as_bytes(), b"From: ", &origin.from()].concat(), limit)?;
        }
        if complete && !complete::names_a_recipient(self.seen) && !cleaner.undisclosed.is_empty() {
            self.out.field(&cleaner.undisclosed, limit)?;
        }
        self.state = State::Body;
        if !empty_line {
            self.out.empty_line();
        }
        self.out.flush()?;
        self.check_encoding()?;
        if empty_line && !rest.is_empty() {
            // The line between is body text, and what follows it may be a header again.
            self.body(&rest[..1]).await?;
            self.looking.header_end();
            return self.body(&rest[1..]).await;
        }
        self.body(rest).await
    }
}

/// Old mail has `Name : value`; nothing that comes later has to know.
fn without_space_before_colon<'a>(field: Field<'a>) -> Cow<'a, [u8]> {
    let (name, value) = (field.name(), field.value());
    match name.len() + 1 + value.len() == field.raw.len() {
        true => Cow::Borrowed(field.raw),
        false => Cow::Owned([name, b":", value].concat()),
    }
}
