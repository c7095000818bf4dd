//! What `doveadm fetch` can tell of a message.

use std::cell::OnceCell;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::{Entry, Result, Summary};

use super::mailboxes;
use super::search::Hits;

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    User,
    Mailbox,
    MailboxGuid,
    Sequence,
    Uid,
    Guid,
    Flags,
    Modseq,
    Header,
    Body,
    Snippet,
    Text,
    TextUtf8,
    Size,
    Received(Form),
    Sent(Form),
    Saved(Form),
    Envelope,
    BodyShort,
    BodyStructure,
    /// `hdr.name`
    Named(String),
    /// `body.1.2`
    Section(Vec<u32>),
    /// `binary.1.2`: without its transfer encoding.
    Binary(Vec<u32>),
}

/// How a date is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Local,
    Unix,
}

/// The names, as they are told to who asked for another.
pub(super) const NAMES: &str = "hdr.<name> body.<section> binary.<section> user mailbox mailbox-guid seq uid guid flags modseq hdr body \
body.preview body.snippet text text.utf8 size.physical size.virtual date.received date.sent date.saved \
date.received.unixtime date.sent.unixtime date.saved.unixtime imap.envelope imap.body imap.bodystructure";

impl Field {
    /// By its name.
    pub fn named(name: &str) -> Option<Field> {
        Some(match name {
            "user" => Field::User,
            "mailbox" => Field::Mailbox,
            "mailbox-guid" => Field::MailboxGuid,
            "seq" => Field::Sequence,
            "uid" => Field::Uid,
            "guid" => Field::Guid,
            "flags" => Field::Flags,
            "modseq" => Field::Modseq,
            "hdr" => Field::Header,
            "body" => Field::Body,
            "body.preview" | "body.snippet" => Field::Snippet,
            "text" => Field::Text,
            "text.utf8" => Field::TextUtf8,
            // What a message takes on the disk is the store's own business; it counts what it must hold.
            "size.virtual" | "size.physical" => Field::Size,
            "date.received" => Field::Received(Form::Local),
            "date.sent" => Field::Sent(Form::Local),
            "date.saved" => Field::Saved(Form::Local),
            "date.received.unixtime" => Field::Received(Form::Unix),
            "date.sent.unixtime" => Field::Sent(Form::Unix),
            "date.saved.unixtime" => Field::Saved(Form::Unix),
            "imap.envelope" => Field::Envelope,
            "imap.body" => Field::BodyShort,
            "imap.bodystructure" => Field::BodyStructure,
            other => {
                let (kind, rest) = other.split_once('.').filter(|(_, rest)| !rest.is_empty())?;
                let path = || rest.split('.').map(|n| n.parse().ok()).collect::<Option<Vec<u32>>>();
                match kind {
                    "hdr" => Field::Named(rest.to_owned()),
                    "body" => Field::Section(path()?),
                    "binary" => Field::Binary(path()?),
                    _ => return None,
                }
            }
        })
    }

    /// Has it several lines?
    pub fn is_text(&self) -> bool {
        use Field::{Binary, Body, Header, Section, Text, TextUtf8};
        matches!(self, Header | Body | Text | TextUtf8 | Section(_) | Binary(_))
    }
}

/// A message, read as far as is asked for.
pub(super) struct Message<'a> {
    user: &'a str,
    hits: &'a Hits,
    number: u32,
    entry: &'a Entry,
    content: OnceCell<Bytes>,
}

impl<'a> Message<'a> {
    /// One that was found.
    pub fn new(user: &'a str, hits: &'a Hits, number: u32, entry: &'a Entry) -> Message<'a> {
        Message { user, hits, number, entry, content: OnceCell::new() }
    }

    fn content(&self) -> Result<&Bytes> {
        if let Some(content) = self.content.get() {
            return Ok(content);
        }
        let content = self.hits.mailbox.body(self.entry.uid)?;
        Ok(self.content.get_or_init(|| content))
    }

    /// Header and body.
    fn halves(&self) -> Result<(Bytes, Bytes)> {
        let content = self.content()?;
        let at = mime::parse(content, &mime::Limits::default()).root().header_range().end.min(content.len());
        Ok((content.slice(..at), content.slice(at..)))
    }

    /// The value of a field.
    pub fn value(&self, field: &Field) -> Result<String> {
        let entry = self.entry;
        let summary = || -> Result<Summary> { Ok(Summary::of(self.content()?)) };
        Ok(match field {
            Field::User => self.user.to_owned(),
            Field::Mailbox => self.hits.name.clone(),
            Field::MailboxGuid => self.hits.mailbox.mailbox_id(),
            Field::Sequence => self.number.to_string(),
            Field::Uid => entry.uid.to_string(),
            Field::Guid => self.hits.mailbox.email_id(entry).unwrap_or_default(),
            Field::Flags => {
                let keywords: Vec<&str> = self.hits.view.keyword_names(entry.keywords).collect();
                mailboxes::flags(entry.flags, entry.uid >= self.hits.view.recent_from, &keywords)
            }
            Field::Modseq => entry.modseq.to_string(),
            Field::Header => lf(&self.halves()?.0),
            Field::Body => lf(&self.halves()?.1),
            Field::Text => lf(self.content()?),
            Field::TextUtf8 => {
                let content = self.content()?;
                let structure = mime::parse(content, &mime::Limits::default());
                let text = mime::text::searchable(content, &structure, usize::MAX);
                format!("{}\n{}", text.header, text.body).replace("\r\n", "\n")
            }
            Field::Snippet => {
                let content = self.content()?;
                mime::text::preview(content, &mime::parse(content, &mime::Limits::default()))
            }
            Field::Size => entry.size.to_string(),
            Field::Received(form) => date(entry.received, *form),
            Field::Saved(form) => date(entry.saved, *form),
            Field::Sent(form) => {
                let sent = super::fetch::field(&self.halves()?.0, "date");
                let sent = sent.and_then(|text| mime::date::parse(text.as_bytes()));
                let (seconds, offset) = sent.map_or((0, 0), |sent| (sent.seconds, sent.offset));
                match form {
                    Form::Unix => seconds.to_string(),
                    // The time here, and the zone of the sender.
                    Form::Local => {
                        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
                        let (hours, minutes) = (minutes / 60, minutes % 60);
                        format!("{} ({sign}{hours:02}{minutes:02})", local(seconds, &TimeZone::system()))
                    }
                }
            }
            Field::Envelope => inside(&summary()?.envelope),
            Field::BodyStructure => inside(&summary()?.bodystructure),
            Field::BodyShort => {
                let mut out = Vec::new();
                mime::imap::body(&mime::parse(self.content()?, &mime::Limits::default()), &mut out);
                inside(&out)
            }
            Field::Named(name) => {
                let utf8 = name.strip_suffix(".utf8");
                let value = super::fetch::field(&self.halves()?.0, utf8.unwrap_or(name)).unwrap_or_default();
                if utf8.is_some() { mime::words::decode(value.as_bytes()) } else { value }
            }
            Field::Section(path) => {
                let content = self.content()?;
                let structure = mime::parse(content, &mime::Limits::default());
                let part = structure.locate(path).and_then(|at| structure.parts.get(at));
                part.and_then(|part| content.get(part.body_range())).map(lf).unwrap_or_default()
            }
            Field::Binary(path) => {
                let content = self.content()?;
                let structure = mime::parse(content, &mime::Limits::default());
                let decoded = structure.binary(content, path).and_then(std::result::Result::ok);
                decoded.map(|part| lf(&part)).unwrap_or_default()
            }
        })
    }
}

/// The value of a header field, unfolded; the first of several.
pub(super) fn field(header: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(header);
    let mut lines = text.lines();
    let is = |line: &&str| {
        line.split_once(':').is_some_and(|(field, _)| field.trim_end().eq_ignore_ascii_case(name))
    };
    let mut value = lines.find(is)?.split_once(':')?.1.trim().to_owned();
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(line.trim());
    }
    Some(value)
}

fn lf(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace("\r\n", "\n")
}

/// Without the parentheses around it.
fn inside(list: &[u8]) -> String {
    let text = String::from_utf8_lossy(list);
    text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(&text).to_owned()
}

fn date(seconds: i64, form: Form) -> String {
    match form {
        Form::Unix => seconds.to_string(),
        Form::Local => local(seconds, &TimeZone::system()),
    }
}

fn local(seconds: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
