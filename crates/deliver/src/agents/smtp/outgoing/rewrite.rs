//! Goes through a message: header checks, `smtp_generic_maps`, and quoted-printable for 8-bit parts.

use mail::addresses::{self, mailboxes_mut};
use mail::header::{Field, next_line, trim_line_end};
use mail::mime::{Follows, Mime};
use mail::{Address, Class, Refusal};
use tables::Maps;

use super::checks::{Action, check};
use super::quoted;
use crate::agents::smtp::complaint::ours;
use crate::agents::smtp::service::Service;

/// Deepest nesting of parts, and longest boundary.
const NESTING: usize = 100;
const BOUNDARY: usize = 2048;

/// Fields with addresses.
const ADDRESSES: [&str; 18] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Apparently-To",
    "Errors-To",
    "Return-Receipt-To",
    "Disposition-Notification-To",
    "Mail-Followup-To",
    "Resent-From",
    "Resent-Sender",
    "Resent-Reply-To",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
    "Return-Path",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The message's own header.
    Primary,
    /// The header of a part.
    Mime,
    /// The header of an attached message.
    Nested,
}

/// Rewrites a whole message.
pub struct Rewrite<'a> {
    service: &'a Service,
    /// 8-bit parts become quoted-printable.
    downgrade: bool,
    mime: Mime,
    out: Vec<u8>,
    /// The body at hand is encoded.
    encode: bool,
}

impl<'a> Rewrite<'a> {
    /// For a server of this service.
    pub fn new(service: &'a Service, downgrade: bool) -> Rewrite<'a> {
        Rewrite { service, downgrade, mime: Mime::new(NESTING, BOUNDARY), out: Vec::new(), encode: false }
    }

    /// The message as it goes out.
    pub async fn run(mut self, text: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut rest = text;
        let mut header = Some(Part::Primary);
        while !rest.is_empty() || header.is_some() {
            if let Some(part) = header.take() {
                let len = mail::header::header_len(rest);
                let follows = self.header(&rest[..len], part).await?;
                rest = &rest[len..];
                if rest.first() == Some(&b'\n') {
                    self.out.push(b'\n');
                    rest = &rest[1..];
                }
                header = (follows == Follows::Header).then_some(Part::Nested);
                continue;
            }
            let line = next_line(rest);
            rest = &rest[line.len()..];
            header = self.body_line(trim_lf(line)).await?;
        }
        Ok(self.out)
    }

    async fn body_line(&mut self, line: &[u8]) -> Result<Option<Part>, Refusal> {
        let depth = self.mime.depth();
        let follows = self.mime.line(line);
        if follows == Follows::Header || self.mime.depth() != depth {
            self.encode = false;
            self.push_line(line);
            return Ok((follows == Follows::Header).then_some(Part::Mime));
        }
        match check(&self.service.checks.body, line, &self.service.program).await? {
            Action::Drop => {}
            Action::Replace(text) => self.body_text(text.as_bytes()),
            Action::Prepend(text) => {
                self.body_text(text.as_bytes());
                self.body_text(line);
            }
            Action::Keep => self.body_text(line),
        }
        Ok(None)
    }

    fn body_text(&mut self, line: &[u8]) {
        if self.encode {
            quoted::line(line, &mut self.out);
        } else {
            self.push_line(line);
        }
    }

    fn push_line(&mut self, line: &[u8]) {
        self.out.extend_from_slice(line);
        self.out.push(b'\n');
    }

    async fn header(&mut self, header: &[u8], part: Part) -> Result<Follows, Refusal> {
        let (mut eight_bit, mut composite) = (false, false);
        for field in mail::header::fields(header) {
            if field.is("Content-Type") {
                let value = field.value().trim_ascii_start().to_ascii_lowercase();
                composite = value.starts_with(b"multipart/") || value.starts_with(b"message/");
                self.mime
                    .content_type(field.value())
                    .map_err(|_| ours(Class::Never, (6, 0), "MIME nesting exceeds safety limit"))?;
            }
            if field.is("Content-Transfer-Encoding") && self.downgrade {
                let value = field.value().trim_ascii();
                if value.eq_ignore_ascii_case(b"8bit") || value.eq_ignore_ascii_case(b"binary") {
                    eight_bit = true;
                    continue;
                }
            }
            self.field(&field, part).await?;
        }
        self.encode = eight_bit && !composite;
        if eight_bit {
            let encoding = if composite { "7bit" } else { "quoted-printable" };
            self.push_line(format!("Content-Transfer-Encoding: {encoding}").as_bytes());
        }
        Ok(self.mime.header_end())
    }

    async fn field(&mut self, field: &Field<'_>, part: Part) -> Result<(), Refusal> {
        let service = self.service;
        let name = field.name().to_ascii_lowercase();
        let maps: &Maps = match part {
            Part::Nested => &service.checks.nested,
            _ if name.starts_with(b"content-") || name == b"mime-version" => &service.checks.mime,
            Part::Primary => &service.checks.header,
            Part::Mime => &service.checks.mime,
        };
        match check(maps, field.raw, &service.program).await? {
            Action::Drop => return Ok(()),
            Action::Replace(text) => {
                self.push_line(text.as_bytes());
                return Ok(());
            }
            Action::Prepend(text) => self.push_line(text.as_bytes()),
            Action::Keep => {}
        }
        if part == Part::Primary
            && !service.generic.is_empty()
            && ADDRESSES.iter().any(|known| field.is(known))
            && let Some(changed) = self.generic(field).await?
        {
            for (at, line) in changed.split(|byte| *byte == b'\n').enumerate() {
                if at > 0 && !matches!(line.first(), Some(b' ' | b'\t')) {
                    self.out.push(b'\t');
                }
                self.push_line(line);
            }
        } else {
            self.push_line(trim_line_end(field.raw));
        }
        Ok(())
    }

    /// The field with addresses that `smtp_generic_maps` changes; `None` when it changes none.
    async fn generic(&self, field: &Field<'_>) -> Result<Option<Vec<u8>>, Refusal> {
        let mut tokens = addresses::parse(field.value(), 0);
        let mut changed = false;
        for mailbox in mailboxes_mut(&mut tokens) {
            let address = Address::from(String::from_utf8_lossy(mailbox.internal()).into_owned());
            let mapped = self.service.outgoing_address(&address).await?;
            if mapped != address {
                changed = true;
                mailbox.set(mapped.external().into_bytes());
            }
        }
        if !changed {
            return Ok(None);
        }
        let mut out = field.name().to_vec();
        out.extend_from_slice(b": ");
        out.extend_from_slice(&addresses::header(&tokens));
        addresses::fold(&mut out);
        Ok(Some(out))
    }
}

/// A carriage return before the line feed is content.
fn trim_lf(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}
